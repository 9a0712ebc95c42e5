"""Tests pre-training on a synthetic corpus whose words predict each other."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from reviewgen_spark.config import PretrainSection
from reviewgen_spark.errors import ConfigError, DataQualityError, ModelNotFoundError, SchemaError, StageError
from reviewgen_spark.models.bases.language_model import load_language_model
from reviewgen_spark.models.training import language_model_task, trainer
from reviewgen_spark.models.training.finetuning import finetune
from reviewgen_spark.models.training.language_model_data import encode, make_batch
from reviewgen_spark.models.training.pretraining import FACTS_FILE, pretrain

from .conftest import QUICK, make_rows

SECTION = PretrainSection(
    max_tokens=24, vocabulary_size=500, epochs=3, batch_size=16, learning_rate=2e-3, precision="float32", threads=1
)


def quiet(line: str) -> None:
    pass


def write_texts(folder: Path, train: list[str], validation: list[str]) -> Path:
    schema = pa.schema([("record_id", pa.string()), ("text", pa.string())])
    for split, texts in (("train", train), ("validation", validation)):
        (folder / split).mkdir(parents=True)
        rows = [{"record_id": f"r{index:05d}", "text": text} for index, text in enumerate(texts)]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / split / "part.parquet")
    (folder / "manifest.json").write_text(json.dumps({"fingerprint": "texts-1"}))
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    train, validation = ([str(row["text"]) for row in make_rows(*size)] for size in ((320, 0), (60, 1000)))
    return write_texts(tmp_path_factory.mktemp("texts"), train, validation)


@pytest.fixture(scope="module")
def pretrained(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(texts, "scratch:tiny", SECTION, tmp_path_factory.mktemp("mlm") / "m", quiet).folder


@pytest.mark.parametrize("objective", ["mlm", "mlm+sop", "clm"])
def test_training_lowers_the_loss_and_writes_its_curve(objective: str, texts: Path, tmp_path: Path) -> None:
    section = SECTION.model_copy(update={"objective": objective})
    result = pretrain(texts, "scratch:tiny", section, tmp_path / "m", quiet)
    facts = json.loads((result.folder / FACTS_FILE).read_text())
    assert result.validation_loss < facts["before"]["validation_loss"] - 1
    assert (facts["objective"], facts["corpus"]) == (objective, "texts-1")
    assert ("validation_order_loss" in facts["curve"][0]) == (objective == "mlm+sop")
    if objective == "clm":
        bits = facts["curve"][-1]["validation_bits_per_character"]
        assert 0 < bits < facts["before"]["validation_bits_per_character"] - 1


def test_equal_seeds_give_equal_weights(pretrained: Path, texts: Path, tmp_path: Path) -> None:
    again = pretrain(texts, "scratch:tiny", SECTION, tmp_path / "m", quiet).folder
    one, two = (load_file(folder / "model.safetensors") for folder in (pretrained, again))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_training_from_a_base_starts_at_its_loss(pretrained: Path, texts: Path, tmp_path: Path) -> None:
    result = pretrain(texts, str(pretrained), SECTION.model_copy(update={"epochs": 1}), tmp_path / "m", quiet)
    after, before = (json.loads((folder / FACTS_FILE).read_text()) for folder in (result.folder, pretrained))
    assert after["before"]["validation_loss"] == pytest.approx(before["curve"][-1]["validation_loss"], rel=0.01)


def test_fine_tuning_starts_from_the_pretrained_weights(pretrained: Path, corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"epochs": 1, "learning_rate": 1e-9})
    result = finetune(corpus, str(pretrained), section, tmp_path / "m", quiet, base_name="pretrained")
    before, after = (load_file(folder / "model.safetensors") for folder in (pretrained, result.folder))
    name = "bert.encoder.layer.1.output.dense.weight"
    torch.testing.assert_close(after[name], before[name])
    assert json.loads((result.folder / "reviewgen.json").read_text())["base"] == "pretrained"


class PowerCutError(Exception):
    pass


def test_an_interrupted_training_ends_with_the_same_weights(
    pretrained: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY_S", -1.0)
    steps, whole = 0, language_model_task.losses

    def fail(model: object, batch: dict[str, torch.Tensor]) -> object:
        nonlocal steps
        steps += 1
        if steps == 40:
            raise PowerCutError
        return whole(model, batch)

    with monkeypatch.context() as patch, pytest.raises(PowerCutError):
        patch.setattr(language_model_task, "losses", fail)
        pretrain(texts, "scratch:tiny", SECTION, tmp_path / "m", quiet, tmp_path / "c.pt")
    lines: list[str] = []
    resumed = pretrain(texts, "scratch:tiny", SECTION, tmp_path / "m", lines.append, tmp_path / "c.pt").folder
    assert [line for line in lines if "resumes from" in line]
    one, two = (load_file(folder / "model.safetensors") for folder in (pretrained, resumed))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_half_of_the_sentence_pairs_are_swapped_and_labelled() -> None:
    section = SECTION.model_copy(update={"objective": "mlm+sop", "mask_pct": 1})
    tokenizer, _ = load_language_model("scratch:tiny", ["房间很好，服务"] * 3, section)
    rows = encode(tokenizer, ["房间很好，服务很好", "很好"] * 200, section)
    batch = make_batch(rows, section, np.random.default_rng(1), 0, tokenizer.mask_token_id, len(tokenizer), "cpu")
    order = batch["order"].numpy()
    assert set(order[1::2]) == {-100} and 0.4 < order[::2].mean() < 0.6
    swapped = rows[0].swapped
    assert swapped is not None and sorted(swapped.ids) == sorted(rows[0].ids) and swapped.ids != rows[0].ids
    assert set(batch["token_type_ids"][0].tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("change", "base", "error", "message"),
    [
        ({}, "./nowhere", ModelNotFoundError, r"is not a folder with a config\.json"),
        ({}, "scratch:huge", ConfigError, "choose one of scratch:tiny"),
        ({"objective": "clm"}, "./nowhere", ModelNotFoundError, r"is not a folder with a config\.json"),
        ({"learning_rate": 1e38, "max_grad_norm": 1e38}, "scratch:tiny", StageError, r"lower pretrain\.learning_rate"),
    ],
)
def test_invalid_settings_are_errors(
    change: dict[str, object], base: str, error: type[Exception], message: str, texts: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        pretrain(texts, base, SECTION.model_copy(update=change), tmp_path / "m", quiet)
    assert not (tmp_path / "m" / FACTS_FILE).exists()


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"no manifest\.json"):
        pretrain(tmp_path, "scratch:tiny", SECTION, tmp_path / "m", quiet)
    folder = write_texts(tmp_path / "c", [" ", "\n"], ["好"])
    with pytest.raises(DataQualityError, match="train: has no text"):
        pretrain(folder, "scratch:tiny", SECTION, tmp_path / "m", quiet)
