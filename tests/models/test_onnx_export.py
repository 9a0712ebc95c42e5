from pathlib import Path

import numpy as np
import pytest

from reviewgen_spark.cli import main
from reviewgen_spark.errors import MissingExtraError, StageError
from reviewgen_spark.models.compression import onnx_export, onnx_predictor
from reviewgen_spark.models.compression.onnx_export import LIBRARIES, export_onnx, require_onnx
from reviewgen_spark.models.compression.variants import onnx_variant, torch_variant
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.training.finetuning import FinetuneResult


def test_the_exported_file_equals_torch_at_any_batch_and_length(
    trained: FinetuneResult, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in LIBRARIES:
        pytest.importorskip(library, reason="the extra onnx is not installed")
    file = tmp_path / "model.onnx"
    assert 0 <= export_onnx(trained.folder, file) < 1e-4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx"]  # the weights are in the file
    torch_, onnx = torch_variant("a", trained.folder), onnx_variant("b", file, trained.folder)
    rows = [row.ids for row in torch_.tokenizer.encode(read_split(corpus, "test").texts)]
    for batch in (rows, rows[:1], [[2, 3]], [rows[0], [2, 3], rows[1]]):
        assert np.abs(torch_.answer(batch) - onnx.answer(batch)).max() < 1e-4
    monkeypatch.setattr(onnx_export, "MAX_DIFFERENCE", -1.0)
    with pytest.raises(StageError, match=r"a logit of model\.onnx differs from torch"):
        export_onnx(trained.folder, file)
    assert not file.exists()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "LIBRARIES", ("json", "no_such_runtime"))
    with pytest.raises(MissingExtraError, match=r"no_such_runtime not installed; install reviewgen-spark\[onnx\]"):
        require_onnx()


@pytest.mark.parametrize(
    ("pipeline", "override", "message"),
    [
        ("nightly", "label.runtime=onnx", "label.runtime: onnx needs no_such_runtime, which is not installed"),
        ("compress", "compress.onnx=true", "compress.onnx: no_such_runtime not installed"),
    ],
)
def test_a_run_without_the_extra_fails_before_spark_starts(
    pipeline: str, override: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(onnx_export, "LIBRARIES", ("json", "no_such_runtime"))
    monkeypatch.setattr(onnx_predictor, "RUNTIME", "no_such_runtime")
    arguments = [
        "run",
        pipeline,
        "--set",
        f"paths.root={tmp_path}",
        "--set",
        f"paths.jars={tmp_path}",
        "--set",
        override,
    ]
    assert main(arguments) == 5  # a session without jars would end with 2
    assert message in capsys.readouterr().err and list(tmp_path.iterdir()) == []
