"""Tests training settings at a second value: each training reads its settings, and each changes the result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reviewgen_spark.jobs.pretrain import pretrain_model
from reviewgen_spark.jobs.pretrain_generator import pretrain_generator

from reviewgen_spark.config import (
    CompressSection,
    DistilSection,
    EvaluateSection,
    FinetuneGeneratorSection,
    FinetuneSection,
    PretrainGeneratorSection,
    PretrainSection,
    TrainingSection,
    TuneSection,
)
from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.models.bases.loading import load_base
from reviewgen_spark.models.classifier.loading import load_classifier
from reviewgen_spark.models.compression import compress as compress_module
from reviewgen_spark.models.compression.compress import compress, prune
from reviewgen_spark.models.compression.distillation import distil
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.evaluation.evaluation import evaluate
from reviewgen_spark.models.generator.examples import Example, review_examples
from reviewgen_spark.models.generator.finetuning import finetune_generator
from reviewgen_spark.models.generator.generator_folder import load_generator, read_generator
from reviewgen_spark.models.training.finetuning import FinetuneResult, finetune
from reviewgen_spark.models.training.language_model_data import TextRow, make_batch
from reviewgen_spark.models.training.pretraining import pretrain
from reviewgen_spark.models.training.study import tune
from reviewgen_spark.orchestration.resources.generator_examples import read_split_examples
from reviewgen_spark.orchestration.stage import Inputs
from tests.conftest import ConfigFactory
from tests.models.conftest import write_corpus

QUICK: dict[str, Any] = {
    "max_tokens": 16,
    "vocabulary_size": 500,
    "epochs": 1,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "precision": "float32",
    "threads": 1,
}


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def weights(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Returns a function that trains once for each settings and returns the sums of the weights."""
    results: dict[str, str] = {}

    def trained_with(**settings: Any) -> str:
        section = FinetuneSection(**{**QUICK, **settings})
        if (key := section.model_dump_json()) not in results:
            folder = tmp_path_factory.mktemp("model")
            finetune(corpus, "scratch:tiny", section, folder, quiet)
            tensors = load_classifier(folder).state_dict()
            results[key] = str({name: float(tensor.double().sum()) for name, tensor in tensors.items()})
        return results[key]

    return trained_with


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({}, {"max_tokens": 8}),
        ({}, {"epochs": 2}),
        ({}, {"batch_size": 8}),
        ({}, {"learning_rate": 1e-3}),
        ({}, {"weight_decay": 0.3}),
        ({}, {"warmup_pct": 50}),
        ({}, {"dropout": 0.4}),
        ({}, {"max_grad_norm": 0.01}),
        ({}, {"embedding_rate": 3.0}),
        ({}, {"seed": 7}),
        ({}, {"precision": "bfloat16"}),
        ({}, {"accumulate": 2}),
        ({}, {"label_smoothing": 0.2}),
        ({}, {"optimizer": "adam", "weight_decay": 0.3}),
        ({}, {"schedule": "constant"}),
        ({"augmentation": ("swap",)}, {"augmentation_rate": 0.9}),
        ({"augmentation": ("swap",)}, {"augmentation_share": 1.0}),
        ({"augmentation": ("swap",)}, {"augmentation": ("delete",)}),
        ({}, {"mixup_alpha": 0.4}),
        ({"method": "lora"}, {"rank": 2}),
    ],
    ids=lambda value: "-".join(value),
)
def test_another_value_gives_other_weights(
    given: dict[str, Any], changed: dict[str, Any], weights: Callable[..., str]
) -> None:
    assert weights(**{**given, **changed}) != weights(**given)


def test_a_scratch_base_has_the_configured_vocabulary_size() -> None:
    texts = ["".join(map(chr, range(start, start + 20))) for start in range(0x4E00, 0x4E00 + 900, 20)] * 3
    for size in (500, 700):
        section = TrainingSection(vocabulary_size=size)
        base = load_base("scratch:tiny", texts, ("a", "b"), 16, section.vocabulary_size, 0.1)
        assert base.model.config.vocab_size == size


def test_training_uses_threads_and_compile(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, compiled, plain = list[int](), list[Any](), torch.get_num_threads()

    def log(line: str) -> None:
        threads.append(torch.get_num_threads())

    def compile_nothing(model: Any, **options: Any) -> Any:
        compiled.append(model)
        return model

    monkeypatch.setattr(torch, "compile", compile_nothing)
    try:
        section = FinetuneSection(**{**QUICK, "threads": 2})
        finetune(corpus, "scratch:tiny", section, tmp_path / "two", log)
        assert set(threads) == {2} and not compiled
        finetune(corpus, "scratch:tiny", section.model_copy(update={"compile": True}), tmp_path / "one", log)
        assert compiled
    finally:
        torch.set_num_threads(plain)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_each_training_refuses_a_missing_device(
    corpus: Path, trained: FinetuneResult, examples: dict[str, list[Example]], tmp_path: Path
) -> None:
    with_gpu = {**QUICK, "device": "cuda"}
    with_lengths = {**with_gpu, "max_tokens": 64, "text_tokens": 32}
    out, base = tmp_path / "out", "scratch:tiny"
    for training in (
        lambda: finetune(corpus, base, FinetuneSection(**with_gpu), out, quiet),
        lambda: pretrain(corpus, base, PretrainSection(**with_gpu), out, quiet),
        lambda: distil(corpus, [], trained.folder, DistilSection(**with_gpu), out, quiet),
        lambda: finetune_generator(
            examples["train"], examples["validation"], base, FinetuneGeneratorSection(**with_lengths), out, quiet, "c"
        ),
    ):
        with pytest.raises(ConfigError, match="cuda"):
            training()


def recorded(section: TrainingSection) -> tuple[Any, set[str]]:
    """Returns a copy of a section that adds the name of each field that is read to a set."""
    read: set[str] = set()
    plain = type(section)

    class Recorded(plain):  # type: ignore[valid-type,misc]
        def __getattribute__(self, name: str) -> object:
            if name in plain.model_fields:
                read.add(name)
            return super().__getattribute__(name)

        def result_part(self) -> dict[str, object]:
            return section.result_part()  # the model folder lists every field, used or not

    return Recorded(**section.model_dump()), read


@pytest.fixture(scope="module")
def examples(corpus: Path) -> dict[str, list[Example]]:
    splits = {split: read_split(corpus, split, every_task=True) for split in ("train", "validation")}
    return {split: review_examples(rows, lambda text: ["好"], 3, 0.2, 1) for split, rows in splits.items()}


# Settings that others read: stages (`base`, `processes`, examples), assets (`teacher`), `corpus` (`labels`).
# `mask_pct` is for masked language models, which pretrain_generator does not train; `rank` is for lora.
@pytest.mark.parametrize(
    ("kind", "not_read"),
    [
        (FinetuneSection, {"labels", "processes"}),
        (PretrainSection, {"base"}),
        (PretrainGeneratorSection, {"base", "mask_pct"}),
        (DistilSection, {"teacher"}),
        (FinetuneGeneratorSection, {"base", "rank", "examples", "max_rows", "max_keywords", "codes_dropped"}),
    ],
)
def test_each_training_reads_every_setting_of_its_section(
    kind: type[TrainingSection],
    not_read: set[str],
    corpus: Path,
    trained: FinetuneResult,
    examples: dict[str, list[Example]],
    tmp_path: Path,
) -> None:
    own: dict[type, dict[str, Any]] = {
        FinetuneSection: {"augmentation": ("swap",)},
        DistilSection: {"base": "scratch:tiny"},
        FinetuneGeneratorSection: {"max_tokens": 64, "text_tokens": 32},
    }
    section, read = recorded(kind(**{**QUICK, **own.get(kind, {})}))
    base, out = "scratch:tiny", tmp_path / "out"
    if kind is FinetuneSection:
        finetune(corpus, base, section, out, quiet)
    elif kind is DistilSection:
        distil(corpus, ["好"], trained.folder, section, out, quiet)
    elif kind is FinetuneGeneratorSection:
        finetune_generator(examples["train"], examples["validation"], base, section, out, quiet, "corpus-1")
    else:
        pretrain(corpus, base, section, out, quiet)
    assert set(kind.model_fields) - read == not_read


def sums(model: Any) -> dict[str, float]:
    return {name: float(tensor.double().sum()) for name, tensor in model.state_dict().items()}


def test_another_value_gives_another_generator(examples: dict[str, list[Example]], tmp_path: Path) -> None:
    def train(**settings: Any) -> dict[str, float]:
        section = FinetuneGeneratorSection(**{**QUICK, "max_tokens": 64, "text_tokens": 32, **settings})
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        finetune_generator(examples["train"], examples["validation"], "scratch:tiny", section, out, quiet, "c")
        settings_of[str(out)] = (read_generator(out).max_tokens, read_generator(out).text_tokens)
        return sums(load_generator(out).model)

    settings_of: dict[str, tuple[int, int]] = {}
    plain = train()
    for changed in ({"epochs": 2}, {"learning_rate": 1e-4}, {"embedding_rate": 3.0}):
        assert train(**changed) != plain, changed
    assert train(method="lora", rank=2) != train(method="lora", rank=4)
    assert train(method="lora", rank=2) != train(method="lora", rank=2, embedding_rate=9.0)
    train(max_tokens=48, text_tokens=20)
    assert list(settings_of.values()) == [(64, 32)] * 8 + [(48, 20)]


def test_another_value_gives_another_student(corpus: Path, trained: FinetuneResult, tmp_path: Path) -> None:
    def student_weights(**settings: Any) -> dict[str, float]:
        section = DistilSection(**{**QUICK, "base": "teacher:1", **settings})
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        return sums(load_classifier(distil(corpus, [], trained.folder, section, out, quiet).folder))

    plain = student_weights()
    for changed in (
        {"base": "teacher:2"},
        {"temperature": 5.0},
        {"soft_share": 0.1},
        {"epochs": 2},
        {"learning_rate": 1e-4},
        {"dropout": 0.3},
    ):
        assert student_weights(**changed) != plain, changed


def test_mask_pct_changes_the_share_of_masked_words() -> None:
    rows = [TextRow(list(range(10, 110)), list(range(100)), [0] * 100, 100)]
    shares = []
    for share in (15, 60):
        section = PretrainSection(mask_pct=share)
        batch = make_batch(rows, section, np.random.default_rng(1), 0, 4, 200, "cpu")
        shares.append(float((batch["labels"] != -100).float().mean()))
    assert shares[0] < 0.3 < shares[1]


def test_pretraining_starts_from_the_configured_base(make_config: ConfigFactory, tmp_path: Path) -> None:
    for override in ("pretrain.base=./nowhere", "pretrain_generator.base=./nowhere"):
        config = make_config(override)
        run = pretrain_generator if "generator" in override else pretrain_model
        texts = {"pretraining_corpus": tmp_path / "texts"}
        if not texts["pretraining_corpus"].is_dir():
            shards = {split: [{"record_id": "r", "text": "好"}] * 4 for split in ("train", "validation")}
            write_corpus(texts["pretraining_corpus"], shards, shards=1)  # type: ignore[arg-type]
        with pytest.raises(ModelNotFoundError, match="nowhere"):
            run(Inputs({}, config, True, texts, tmp_path / "out", tmp_path / "c", "f", None, quiet))


def test_settings_limit_the_examples_of_a_generator(corpus: Path, make_config: ConfigFactory) -> None:
    def examples_with(*overrides: str) -> list[Example]:
        return read_split_examples(make_config(*overrides), corpus, "train", None)

    plain = examples_with()
    assert len(plain) == 160 and examples_with("finetune_generator.max_rows=7") == plain[:7]
    assert max(len(example.request.keywords) for example in plain) > 1
    assert not any(example.request.keywords for example in examples_with("finetune_generator.max_keywords=0"))
    assert any(example.request.category is None for example in plain)
    assert all(example.request.category for example in examples_with("finetune_generator.codes_dropped=0"))


def test_max_unlabelled_limits_the_reviews_of_a_student(corpus: Path, trained: FinetuneResult, tmp_path: Path) -> None:
    section = DistilSection(**QUICK, base="teacher:1", max_unlabelled=2)
    assert distil(corpus, ["好", "差", "还行"], trained.folder, section, tmp_path / "m", quiet).unlabelled_rows == 2


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_the_configured_share_of_magnitudes_is_set_to_zero(
    share: float, corpus: Path, trained: FinetuneResult, tmp_path: Path
) -> None:
    section = CompressSection(methods=("magnitudes",), magnitudes_share=share)
    prune(corpus, trained.folder, section, tmp_path / "m", quiet, lambda model: None)
    layer = load_classifier(tmp_path / "m").bert.encoder.layer[0]
    assert float((layer.intermediate.dense.weight == 0).float().mean()) == pytest.approx(share, abs=0.01)


def compressed(corpus: Path, teacher: Path, out: Path, recovery: DistilSection, **settings: Any) -> None:
    section = CompressSection(methods=(), onnx=False, **settings)
    evaluation = EvaluateSection(bootstrap_samples=100)
    compress(corpus, [], teacher, teacher, section, recovery, evaluation, out, quiet, out.parent / "c" / "c.pt")


def test_variants_are_timed_on_the_configured_rows(
    corpus: Path, trained: FinetuneResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[int] = []

    def record(variants: object, examples: object, evaluation: object, timed_rows: int, progress: object) -> list[Any]:
        timed.append(timed_rows)
        return []

    monkeypatch.setattr(compress_module, "compare_variants", record)
    compressed(corpus, trained.folder, tmp_path / "m", DistilSection(), cascade=False, timed_rows=7)
    assert timed == [7]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_cascade_is_fitted_on_the_device_of_distil(corpus: Path, trained: FinetuneResult, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with pytest.raises(ConfigError, match="cuda"):
        compressed(corpus, trained.folder, tmp_path / "m", DistilSection(device="cuda"), cascade=True)


def test_robustness_rows_and_seed_select_the_perturbed_rows(corpus: Path, trained: FinetuneResult) -> None:
    def scored(**settings: Any) -> list[Any]:
        section = EvaluateSection(bootstrap_samples=100, **settings)
        return evaluate(trained.folder, corpus, section, "cpu", ("test",), baselines=False)

    assert {s.rows for s in scored(robustness_rows=9) if s.slice_name.startswith("robust")} == {9}
    assert not [s for s in scored(robustness_rows=0) if s.slice_name.startswith("robust")]
    plain, again, other = (scored(robustness_rows=9, seed=seed) for seed in (42, 42, 43))
    assert plain == again != other


def test_a_study_searches_the_configured_ranges(tmp_path: Path) -> None:
    ranges: dict[str, Any] = {
        "learning_rate": (2e-4, 3e-4),
        "batch_size": (8,),
        "epochs": (6, 7),
        "dropout": (0.41, 0.42),
        "weight_decay": (0.5, 0.6),
        "warmup_pct": (30.0, 31.0),
        "label_smoothing": (0.21, 0.22),
    }

    def drawn(seed: int) -> list[dict[str, Any]]:
        trials: list[dict[str, Any]] = []

        def objective(section: FinetuneSection, report: Callable[[int, float], None]) -> float:
            trials.append({name: getattr(section, name) for name in ranges})
            for epoch in range(1, 4):
                report(
                    epoch, 1 / len(trials)
                )  # each trial is worse than the one before, so the median pruner stops some
            return 1 / len(trials)

        space = TuneSection(trials=6, unpruned_trials=3, seed=seed, **ranges)
        study = tmp_path / f"{seed}.db"
        result = tune(objective, FinetuneSection(), space, study, "s", lambda *args: None, quiet)
        assert (result.finished, result.pruned) == (3, 3)
        return trials

    trials = drawn(1)
    for name, (low, *high) in ranges.items():
        assert all(low <= one[name] <= (high or [low])[0] for one in trials), name
    assert drawn(2) != trials
