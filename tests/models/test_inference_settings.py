"""Tests settings of `label` and `generation` at a second value: each reaches the model or its decoding."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from reviewgen_spark.config import (
    DecodingSection,
    EvaluateGeneratorSection,
    GenerationSection,
    LabelSection,
    WatermarkSection,
)
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.generation import torch_writer
from reviewgen_spark.inference.generation.torch_writer import TorchSpec, TorchWriter, torch_spec
from reviewgen_spark.inference.labelling.label import label_window
from reviewgen_spark.inference.labelling.metering import Meter
from reviewgen_spark.inference.labelling.timing import time_window
from reviewgen_spark.inference.shipping import worker
from reviewgen_spark.inference.shipping.model_cache import CACHE_VARIABLE
from reviewgen_spark.inference.shipping.ship import ShippedModel
from reviewgen_spark.models.classifier.model_folder import folder_sha256
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.decoding.decoding import continue_prompts
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.generator.evaluation import evaluate_generator
from reviewgen_spark.models.generator.examples import Example
from reviewgen_spark.models.generator.generator_folder import GENERATOR_FILES, generator_sha256, load_generator
from reviewgen_spark.models.training.finetuning import FinetuneResult
from reviewgen_spark.text.requests.request import Source, TextRequest
from tests.models.generators import make_generator
from tests.spark.labelling import Held, Model, read_files

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
TEXTS = ["房间很好", "手机太差", "服务很好，物流很好"] * 4


@pytest.fixture
def _own_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Simulates a process without loaded models, with its own cache."""
    threads = torch.get_num_threads()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(worker, "_LOADED", {})
    monkeypatch.setattr(worker, "_GENERATORS", {})
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def shipped(trained: FinetuneResult, _own_worker: None) -> ShippedModel:
    model = Model("m", 1, folder_sha256(trained.folder), trained.folder)
    return ShippedModel(model.sha256, Held(read_files(model)))  # type: ignore[arg-type]


ROWS = len(TEXTS)
WINDOW = pa.table(
    {
        "record_id": [f"r{row:02d}" for row in range(ROWS)],
        "text_clean": TEXTS,
        "batch_id": pa.array([1] * ROWS, pa.int64()),
        "stratum": pa.array([0] * ROWS, pa.int32()),
    }
)


def label(shipped: ShippedModel, **settings: Any) -> dict[str, list[Any]]:
    window = WINDOW.drop_columns(["stratum"])
    labelled = label_window(window, shipped, LabelSection(**settings), "m", 1, Meter()).to_pydict()
    return {name: values for name, values in labelled.items() if name != "window"}


def time_it(shipped: ShippedModel, **settings: Any) -> dict[str, list[Any]]:
    return time_window(WINDOW, shipped, LabelSection(**settings), "m", 1).to_pydict()


Run = Callable[..., dict[str, list[Any]]]
with_label_and_estimate = pytest.mark.parametrize("run", [label, time_it], ids=["the label stage", "its estimate"])


@with_label_and_estimate
def test_a_labelling_worker_uses_the_configured_threads(run: Run, shipped: ShippedModel) -> None:
    run(shipped, threads=2)
    assert torch.get_num_threads() == 2


@with_label_and_estimate
@without_gpu
def test_labelling_uses_the_configured_device(run: Run, shipped: ShippedModel) -> None:
    with pytest.raises(ConfigError, match="cuda"):
        run(shipped, device="cuda")


@with_label_and_estimate
def test_the_labelling_model_is_compiled_if_configured(
    run: Run, shipped: ShippedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []

    def compile_nothing(model: Any, **options: Any) -> Any:
        compiled.append(model)
        return model

    monkeypatch.setattr(torch, "compile", compile_nothing)
    run(shipped)
    assert not compiled
    worker._LOADED.clear()
    run(shipped, compile=True)
    assert compiled


@with_label_and_estimate
def test_embeddings_come_from_the_labelling_pass(
    run: Run, shipped: ShippedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    plain = Predictor.probabilities_and_embeddings

    def record(predictor: Predictor, rows: list[list[int]]) -> Any:
        batches.append(len(rows))
        return plain(predictor, rows)

    monkeypatch.setattr(Predictor, "probabilities_and_embeddings", record)
    run(shipped)
    assert not batches
    run(shipped, embeddings=True)
    assert sum(batches) == ROWS


@with_label_and_estimate
def test_the_token_limit_splits_label_batches(run: Run, shipped: ShippedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    plain = Predictor.all_probabilities

    def record(predictor: Predictor, rows: list[list[int]]) -> Any:
        batches.append(len(rows))
        return plain(predictor, rows)

    monkeypatch.setattr(Predictor, "all_probabilities", record)
    run(shipped)
    assert batches == [ROWS]
    batches.clear()
    run(shipped, tokens_per_batch=64)
    assert len(batches) > 1 and sum(batches) == ROWS


def test_max_chars_and_precision_change_labels(shipped: ShippedModel) -> None:
    plain = label(shipped)
    assert label(shipped, max_chars=5)["error"][2]["class"] == "TextTooLong" and plain["error"][2] is None
    assert label(shipped, precision="bfloat16")["sentiment_score"] != plain["sentiment_score"]


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("generator")
    make_generator(folder, "gpt2", seed=3, purposes=("reply", "augmentation"), max_tokens=64, text_tokens=24)
    return Model("g", 1, generator_sha256(folder), folder)


def requests() -> list[TextRequest]:
    sources = ("手机太差，" * (row % 4 + 1) for row in range(6))
    return [TextRequest("reply", "p", "zh", sources=(Source("r", text),), seed=row) for row, text in enumerate(sources)]


@pytest.fixture(scope="module")
def write(generator: Model) -> Callable[[GenerationSection], list[str | None]]:
    def texts(section: GenerationSection) -> list[str | None]:
        return [
            output.text for output in TorchSpec("g", 1, None, str(generator.path), section).open().write(requests())
        ]

    return texts


@pytest.mark.parametrize(
    "changed",
    [
        {"temperature": 3.0},
        {"top_k": 2},
        {"top_p": 0.1},
        {"repetition_penalty": 8.0},
        {"no_repeat_ngram": 1},
        {"min_new_tokens": 20},
        {"max_new_tokens": 5},
    ],
    ids=lambda value: next(iter(value)),
)
def test_other_decoding_settings_give_other_texts(
    changed: dict[str, Any], write: Callable[[GenerationSection], list[str | None]]
) -> None:
    plain = {"max_new_tokens": 20}
    unchanged, other = (GenerationSection(decoding=DecodingSection(**{**plain, **more})) for more in ({}, changed))
    assert write(unchanged) == write(unchanged) != write(other)


def test_another_watermark_gives_other_texts(write: Callable[[GenerationSection], list[str | None]]) -> None:
    def marked(keys: tuple[int, ...], ngram: int) -> list[str | None]:
        decoding = DecodingSection(max_new_tokens=20)
        return write(GenerationSection(decoding=decoding, watermark=WatermarkSection(keys=keys, ngram=ngram)))

    keys = tuple(range(77, 97))
    assert marked((), 5) != marked(keys, 5) != marked(keys, 2)
    assert marked(keys, 5) != marked(tuple(range(7, 27)), 5)


def test_a_generator_runs_with_its_settings_on_driver_and_worker(
    generator: Model, _own_worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: (generator.path / name).read_bytes() for name in GENERATOR_FILES}
    there = ShippedModel(generator.sha256, Held(files), names=GENERATOR_FILES)  # type: ignore[arg-type]
    for shipped in (None, there):
        spec = TorchSpec("g", 1, shipped, str(generator.path), GenerationSection(precision="bfloat16", threads=2))
        model = spec.open()._generator.model
        assert {parameter.dtype for parameter in model.parameters()} >= {torch.bfloat16}
    assert torch.get_num_threads() == 2  # `write`, which runs without Spark, does not change them
    if not torch.cuda.is_available():
        for shipped in (None, there):
            with pytest.raises(ConfigError, match="cuda"):
                TorchSpec("g", 1, shipped, str(generator.path), GenerationSection(device="cuda")).open()


def test_the_token_limit_reaches_the_decoder(generator: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []

    def record(*arguments: Any) -> Any:
        limits.append(arguments[4])
        return continue_prompts(*arguments)

    monkeypatch.setattr("reviewgen_spark.models.decoding.decoding.continue_prompts", record)
    section = GenerationSection(tokens_per_batch=100, decoding=DecodingSection(max_new_tokens=8))
    TorchWriter(load_generator(generator.path), section).write(requests())
    assert limits == [100]


def test_a_generator_is_shipped_with_its_settings(generator: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped_with: list[tuple[Any, ...]] = []

    def record(spark: object, model: object, *how: object) -> None:
        shipped_with.append(how[:2])

    monkeypatch.setattr(torch_writer, "ship", record)
    section = GenerationSection(weights="localcache", broadcast_max_mb=3)
    torch_spec(generator, section, spark=object())  # type: ignore[arg-type]  # it is only passed on
    assert shipped_with == [("localcache", 3)]


def test_texts_and_seed_select_the_scored_texts(generator: Model) -> None:
    rows = [f"房间很好，服务不错。{'好' * (index % 5)}" for index in range(60)]
    examples = [
        Example(TextRequest("augmentation", "p", "zh", sources=(Source("r", "手机太差"),), seed=index), text)
        for index, text in enumerate(rows)
    ]

    def scored(texts: int, seed: int) -> list[Score]:
        section, decoding = EvaluateGeneratorSection(texts=texts, seed=seed), DecodingSection(max_new_tokens=8)
        return evaluate_generator(generator.path, examples[:20], examples, section, decoding)

    def rows_of(scores: list[Score]) -> set[int]:
        return {score.rows for score in scores if score.model == "generator" and "self_bleu" in score.metric}

    plain = scored(10, 42)
    assert rows_of(plain) == {10} and rows_of(scored(20, 42)) == {20}
    assert scored(10, 42) == plain != scored(10, 43)
