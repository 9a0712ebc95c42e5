"""Tests that every command labels with the configured runtime: torch, ONNX Runtime, or n-grams first.

The ONNX and n-gram files give the opposite labels, so a command that ignores a setting fails.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession
from safetensors.numpy import load_file, save_file

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.inference.labelling.label import label_reviews
from reviewgen_spark.inference.labelling.timing import time_labelling
from reviewgen_spark.models.classifier.model_folder import NGRAM_FILE, ONNX_FILE, folder_sha256
from reviewgen_spark.models.compression.ngram_classifier import fit_ngram_classifier
from reviewgen_spark.models.compression.onnx_export import export_onnx
from reviewgen_spark.models.data.labelled_file import read_labelled_file
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.registry.registration import register
from reviewgen_spark.operations.doctor.doctor import find_champion
from reviewgen_spark.operations.evaluate_file import evaluate_file
from reviewgen_spark.operations.write_file import open_worker
from reviewgen_spark.orchestration.resources.models import champion
from reviewgen_spark.orchestration.resources.writers import writing
from reviewgen_spark.serving.sql.functions import SENTIMENT, register_functions
from tests.models.conftest import make_rows
from tests.spark.labelling import INPUT, Model, by_id

ROWS = make_rows(40, 3000)
TEXTS = [str(row["text"]) for row in ROWS]
LABELS = np.array([row["label"] for row in ROWS])
ROOTS: dict[str, Path] = {}

ConfigOf = Callable[..., Config]


@pytest.fixture(scope="module")
def root(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a root folder whose registry has a champion with both files and a version 2 without them."""
    root = tmp_path_factory.mktemp("label_model")
    opposite = root / "opposite"
    shutil.copytree(model.path, opposite)
    weights = load_file(opposite / "model.safetensors")
    negated = {name: -value if name.startswith("classifier.") else value for name, value in weights.items()}
    save_file(negated, opposite / "model.safetensors", {"format": "pt"})
    export_onnx(opposite, root / ONNX_FILE)
    rows = make_rows(160, 0)
    texts, labels = [str(row["text"]) for row in rows], 1 - np.array([row["label"] for row in rows])
    first = fit_ngram_classifier(texts, np.where(labels == 1, 5.0, -5.0), labels, texts, labels, labels, 0.0)
    first.save(root / NGRAM_FILE)
    files = (root / ONNX_FILE, root / NGRAM_FILE)
    config = load_config("local", [f"paths.root={root}"])
    for fingerprint, extra_files in (("with", files), ("without", ())):
        register(
            model.path, [Score("model", "test", "all", "f1", 0.9, 0.8, 0.95, 40)], fingerprint, {}, {},
            config.models.name, config.paths.tracking_uri, Path(config.paths.model_artifacts),
            lambda current: (current is None, "a test"), files=extra_files,
        )  # fmt: skip
    return root


@pytest.fixture(params=["label.runtime=onnx", "label.cascade=true"])
def config_of(request: pytest.FixtureRequest, root: Path) -> ConfigOf:
    """Returns a function that loads a configuration of that registry with one runtime setting."""

    def make(*overrides: str) -> Config:
        return load_config("local", [f"paths.root={root}", request.param, *overrides])

    return make


def accuracy(labels: list[str | None]) -> float:
    return float(
        np.mean([label == ("negative", "positive")[truth] for label, truth in zip(labels, LABELS, strict=True)])
    )


def test_every_command_labels_like_the_stage(spark: SparkSession, config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of()
    model = champion(config).value
    reviews = spark.createDataFrame([(f"{row:03d}", 1, text) for row, text in enumerate(TEXTS)], INPUT)
    by_record = by_id(label_reviews(reviews, model, config.label))
    of_stage = [by_record[f"{row:03d}"].sentiment_label for row in range(len(TEXTS))]
    assert accuracy(of_stage) < 0.1, "the configured file must label"

    register_functions(spark, config)
    reviews.createOrReplaceTempView("label_model_texts")
    of_sql = spark.sql(f"SELECT {SENTIMENT}(text_clean).label AS label FROM label_model_texts ORDER BY record_id")
    assert [row.label for row in of_sql.collect()] == of_stage

    file = tmp_path / "labelled.jsonl"
    file.write_text(
        "".join(
            json.dumps({"text": text, "label": int(label)}) + "\n" for text, label in zip(TEXTS, LABELS, strict=True)
        ),
        encoding="utf-8",
    )
    data = read_labelled_file(file, "text", "label")
    scores = evaluate_file(config, f"{config.models.name}@champion", file, data, True, lambda line: None).scores
    [of_evaluate] = [
        score["value"] for score in scores if (score["metric"], score["slice_name"]) == ("accuracy", "all")
    ]
    assert of_evaluate == pytest.approx(accuracy(of_stage))

    resources = writing(config, "template")
    judge = open_worker(config, resources.value).judge
    assert judge is not None
    of_write = [("negative", "positive")[int((judged.sentiment_score or 0.0) >= 0.5)] for judged in judge(TEXTS)]
    assert of_write == of_stage
    assert (ONNX_FILE in resources.hashes, NGRAM_FILE in resources.hashes) == (
        config.label.runtime == "onnx", config.label.cascade,
    )  # fmt: skip


def test_an_estimate_times_the_configured_runtime(spark: SparkSession, config_of: ConfigOf) -> None:
    config = config_of()
    reviews = spark.createDataFrame(
        [(f"{row:03d}", 1, text, 1) for row, text in enumerate(TEXTS)], f"{INPUT}, stratum int"
    )
    windows = time_labelling(reviews, champion(config).value, config.label).collect()
    tokens = sum(batch.tokens for window in windows for batch in window.batches)
    assert (tokens == 0) == config.label.cascade, "n-grams label every text of this test"


def test_doctor_checks_the_files_and_writes_nothing(config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of(f"paths.artifacts={tmp_path}/artifacts")
    assert find_champion(config).finding.level == "ok"
    assert not (tmp_path / "artifacts").exists()
    finding = find_champion(config_of("label.alias='2'")).finding
    assert (
        finding.level == "fail"
        and "its run has no" in finding.message
        and "reviewgen run compress" in finding.next_step
    )


def test_a_version_without_the_files_fails_in_every_command(
    spark: SparkSession, config_of: ConfigOf, tmp_path: Path
) -> None:
    config = config_of("label.alias='2'", "generation.labeller='2'")
    data = read_labelled_file(_labelled(tmp_path), "text", "label")
    for command in (
        lambda: champion(config),
        lambda: register_functions(spark, config, 2),
        lambda: evaluate_file(config, f"{config.models.name}@2", tmp_path / "labelled.jsonl", data, True, print),
        lambda: writing(config, "template"),
    ):
        with pytest.raises(ModelNotFoundError, match=r"version 2: its run has no .*`reviewgen run compress`"):
            command()


def _labelled(folder: Path) -> Path:
    file = folder / "labelled.jsonl"
    file.write_text('{"text": "很好", "label": 1}\n{"text": "太差", "label": 0}\n', encoding="utf-8")
    return file


def test_another_labeller_version_checks_texts_with_torch(config_of: ConfigOf) -> None:
    config = config_of("generation.labeller='2'")
    resources = writing(config, "template")
    judge = open_worker(config, resources.value).judge
    assert judge is not None
    assert (
        accuracy([("negative", "positive")[int((judged.sentiment_score or 0.0) >= 0.5)] for judged in judge(TEXTS)])
        > 0.9
    )
    assert not {ONNX_FILE, NGRAM_FILE} & set(resources.hashes)


def test_a_file_that_is_missing_after_resolving_is_named(
    spark: SparkSession, config_of: ConfigOf, tmp_path: Path
) -> None:
    config = config_of()
    model = champion(config).value
    shutil.copytree(model.path, tmp_path / "plain")
    settings = tmp_path / "plain" / "reviewgen.json"
    settings.write_text(settings.read_text(encoding="utf-8") + "\n", encoding="utf-8")  # a model not yet broadcast
    plain = Model(model.name, 3, folder_sha256(tmp_path / "plain"), tmp_path / "plain")
    for name in (ONNX_FILE, NGRAM_FILE):
        (plain.path / name).unlink(missing_ok=True)
    with pytest.raises(ModelNotFoundError, match="missing: "):
        label_reviews(spark.createDataFrame([], INPUT), plain, config.label)
