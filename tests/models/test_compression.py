import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reviewgen_spark.config import CompressSection, DistilSection, EvaluateSection, RegisterCompressedSection
from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.models.classifier.loading import load_classifier
from reviewgen_spark.models.classifier.model_folder import NGRAM_FILE, folder_sha256, read_settings
from reviewgen_spark.models.compression import variants
from reviewgen_spark.models.compression.compress import compress, read_table
from reviewgen_spark.models.compression.distillation import distil
from reviewgen_spark.models.compression.ngram_classifier import load_ngram_classifier
from reviewgen_spark.models.compression.variants import VariantFigures, compare_variants, torch_variant
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.registry.promotion_gate import judge_compressed
from reviewgen_spark.models.training.finetuning import FinetuneResult

DISTIL = DistilSection(
    base="teacher:1", max_tokens=16, epochs=2, batch_size=16, learning_rate=3e-3, precision="float32", threads=1
)
EVALUATE = EvaluateSection(bootstrap_samples=100)
UNLABELLED = ["屏幕很好，电池很好", "服务太差，物流太差"] * 4


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def student(trained: FinetuneResult, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return distil(corpus, UNLABELLED, trained.folder, DISTIL, tmp_path_factory.mktemp("student"), quiet).folder


def run(
    corpus: Path, teacher: Path, student: Path, out: Path, lines: list[str] | None = None, **settings: object
) -> list[VariantFigures]:
    section = CompressSection(**{"onnx": False, "cascade": False, "timed_rows": 20, **settings})
    log = quiet if lines is None else lines.append
    return compress(
        corpus, UNLABELLED, teacher, student, section, DISTIL, EVALUATE, out, log, out.parent / "checkpoints" / "c.pt"
    )


def test_a_student_is_pruned_retrained_and_measured(
    trained: FinetuneResult, student: Path, corpus: Path, tmp_path: Path
) -> None:
    before, lines = folder_sha256(student), list[str]()
    figures = run(
        corpus, trained.folder, student, tmp_path / "out", lines, methods=("feed_forward", "heads", "magnitudes"),
        heads_share=0.5,
    )  # fmt: skip
    assert folder_sha256(student) == before
    assert [row.name for row in figures] == [
        "teacher", "student", "compressed", "compressed_bfloat16", "compressed_int8",
    ]  # fmt: skip
    assert read_table(tmp_path / "out") == figures
    by_name = {row.name: row for row in figures}
    assert by_name["teacher"].parameters > by_name["student"].parameters > by_name["compressed"].parameters
    assert by_name["teacher"].size_mb > by_name["student"].size_mb > by_name["compressed"].size_mb
    assert by_name["compressed"].size_mb / by_name["compressed_bfloat16"].size_mb == pytest.approx(2, abs=0.01)
    assert by_name["compressed_int8"].size_mb < by_name["compressed"].size_mb
    assert all(row.rows_per_s > 0 for row in figures)
    assert (by_name["teacher"].f1_lost, by_name["teacher"].agreement) == (0, 1)
    assert by_name["compressed"].f1_lost == pytest.approx(by_name["teacher"].f1 - by_name["compressed"].f1)
    assert by_name["compressed"].agreement > 0.8
    model = load_classifier(tmp_path / "out" / "model")
    assert model.config.intermediate_size == 256 and model.config.num_hidden_layers == 1
    layer = model.bert.encoder.layer[0]
    assert float((layer.intermediate.dense.weight == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert lines[-7] == "1 heads set to zero" and lines[-6].endswith("weights set to zero")
    settings = read_settings(tmp_path / "out" / "model")
    assert settings.base == "teacher:1 of scratch:tiny, pruned (feed_forward, heads, magnitudes)"
    assert (settings.training["temperature"], settings.training["compress.heads_share"]) == (2.0, 0.5)


def test_recovery_restores_the_agreement_after_pruning(
    trained: FinetuneResult, student: Path, corpus: Path, tmp_path: Path
) -> None:
    hard = {"feed_forward_share": 0.95}
    pruned = run(corpus, trained.folder, student, tmp_path / "pruned", recovery_epochs=0, **hard)
    recovered = run(corpus, trained.folder, student, tmp_path / "recovered", recovery_epochs=4, **hard)
    assert recovered[2].agreement >= pruned[2].agreement and recovered[2].agreement > 0.9
    texts = read_split(corpus, "test").texts
    teacher = torch_variant("teacher", trained.folder)
    rows = [row.ids for row in teacher.tokenizer.encode(texts)]
    teacher_logits = teacher.answer(rows)
    distances = [
        float(np.abs(torch_variant("c", tmp_path / name / "model").answer(rows) - teacher_logits).mean())
        for name in ("pruned", "recovered")
    ]
    assert distances[1] < distances[0]


def test_without_methods_the_student_is_only_measured(
    trained: FinetuneResult, student: Path, corpus: Path, tmp_path: Path
) -> None:
    figures = run(corpus, trained.folder, student, tmp_path / "out", methods=())
    assert (figures[1].f1, figures[1].parameters) == (figures[2].f1, figures[2].parameters)
    weights = [folder / "model.safetensors" for folder in (student, tmp_path / "out" / "model")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert json.loads((tmp_path / "out" / "compression.json").read_text())["onnx_difference"] is None


def test_a_cascade_answers_confident_rows_and_passes_the_rest_on(
    trained: FinetuneResult, student: Path, corpus: Path, tmp_path: Path
) -> None:
    lines = list[str]()
    figures = run(corpus, trained.folder, student, tmp_path / "out", lines, methods=(), cascade=True)
    behind, cascade = figures[-2:]
    assert (behind.name, cascade.name) == ("compressed_int8", "compressed_cascade")
    first = load_ngram_classifier(tmp_path / "out" / NGRAM_FILE)
    assert first.settings.answered_share > 0.5 and first.settings.disagreement <= 0.01
    assert lines[-7].startswith(f"the n-gram classifier answers {first.settings.answered_share:.1%} of validation")
    assert cascade.size_mb == pytest.approx(behind.size_mb + 8.4, abs=0.1) and cascade.parameters == behind.parameters
    calls: list[int] = []
    whole = torch_variant("a", tmp_path / "out" / "model")

    def answer(rows: list[list[int]]) -> np.ndarray:
        calls.append(len(rows))
        return whole.answer(rows)

    texts = [*read_split(corpus, "test").texts, "abc"]  # the classifier knows no n-gram of it
    rows = [row.ids for row in whole.tokenizer.encode(texts)]
    with_ngrams = variants.Variant("b", answer, whole.tokenizer, whole.settings, 1.0, 1, first)
    cascaded, alone = (variants.score_all(variant, texts, rows) for variant in (with_ngrams, whole))
    is_answered = np.isfinite(first.answers(texts)[:, 1])
    assert 1 <= sum(calls) == len(texts) - is_answered.sum() < len(texts) // 2
    np.testing.assert_allclose(cascaded[~is_answered], alone[~is_answered], atol=1e-5)
    np.testing.assert_array_equal(cascaded[is_answered], first.answers(texts)[is_answered, 1])
    assert ((cascaded >= 0.5) == (alone >= 0.5)).mean() > 0.95


def test_int8_logits_are_close_to_float32(trained: FinetuneResult, corpus: Path) -> None:
    whole, small = torch_variant("a", trained.folder), torch_variant("b", trained.folder, "int8")
    rows = [row.ids for row in whole.tokenizer.encode(read_split(corpus, "test").texts)]
    difference = np.abs(whole.answer(rows) - small.answer(rows)).max()
    assert 0 < difference < 0.2 * np.abs(whole.answer(rows)).max()


def test_variants_are_timed_in_turns_on_the_same_rows(
    trained: FinetuneResult, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, int]] = []

    def recorded(name: str) -> variants.Variant:
        variant = torch_variant(name, trained.folder)

        def answer(rows: list[list[int]]) -> np.ndarray:
            calls.append((name, len(rows)))
            return variant.answer(rows)

        return variants.Variant(name, answer, variant.tokenizer, variant.settings, 1.0, 1)

    compare_variants([recorded("a"), recorded("b")], read_split(corpus, "test"), EVALUATE, 12, quiet)
    assert calls[:2] == [("a", 1), ("b", 1)]  # warmed up
    assert calls[2:8] == [("a", 12), ("b", 12)] * 3
    assert calls[8:] == [("a", 40), ("b", 40)]  # F1 is of all rows


def figures(name: str, **more: float) -> VariantFigures:
    values = {
        "size_mb": 10.0, "parameters": 5, "rows_per_s": 100.0, "f1": 0.9, "f1_low": 0.88, "f1_high": 0.92,
        "f1_lost": 0.0, "f1_lost_low": -0.01, "f1_lost_high": 0.01, "agreement": 1.0,
    }  # fmt: skip
    return VariantFigures(name, **{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({"f1_lost": 0.0069}, set()),
        ({"f1_lost": 0.0071}, {"F1 lost"}),
        ({"f1_lost": -0.02}, set()),
        ({"size_mb": 10.0}, {"size"}),
        ({"rows_per_s": 100.0, "f1_lost": 0.5}, {"F1 lost", "speed"}),
    ],
)
def test_the_gate_limits_f1_loss_size_and_speed(more: dict[str, float], failed: set[str]) -> None:
    compressed = figures("compressed", **{"size_mb": 2.0, "rows_per_s": 800.0, "f1": 0.89, **more})
    verdict = judge_compressed(figures("teacher"), compressed, RegisterCompressedSection())
    assert {check.name for check in verdict.checks if not check.passed} == failed
    assert verdict.promoted == (not failed)
    assert "(95 %: -0.0100 to +0.0100)" in verdict.checks[0].finding
    if failed:
        assert all(name in verdict.reason for name in failed)


def test_the_benchmark_scores_teacher_and_student_at_each_setting(
    trained: FinetuneResult, student: Path, corpus: Path, tmp_path: Path
) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "b4_compressed.py"
    paths = ("--teacher", trained.folder, "--student", student, "--corpus", corpus, "--json", tmp_path / "b4.json")
    command = [sys.executable, script, *paths, "--turns", "1", "--settings", "float32", "--ngrams", tmp_path / "ngrams"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    report = json.loads((tmp_path / "b4.json").read_text(encoding="utf-8"))
    assert report["rows"] == 40 and report["best"]["teacher"] == "teacher float32"
    assert set(report["settings"]) == {"teacher float32", "student float32", "student cascade"}
    assert (tmp_path / "ngrams").is_file() and (tmp_path / "teacher_logits.npy").is_file()
    speed, lost = report["bars"]
    assert speed["value"] > 0 and (speed["bar"], lost["bar"]) == (8, 0.007)
    variants = [torch_variant("teacher", trained.folder), torch_variant("student", student)]
    expected = compare_variants(variants, read_split(corpus, "test"), EVALUATE, 4, quiet)
    assert report["settings"]["student float32"]["f1"]["value"] == pytest.approx(expected[1].f1)
    f1 = report["settings"][report["best"]["student"]]["f1"]["value"]
    assert lost["value"] == pytest.approx(expected[0].f1 - f1, abs=1e-4)


def test_a_missing_teacher_is_an_error(student: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="is not a model folder"):
        run(corpus, tmp_path / "nowhere", student, tmp_path / "out", methods=())
