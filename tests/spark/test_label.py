"""Tests labelling: each row has one label or one error, for every window, batch and precision."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import Row, SparkSession

from reviewgen_spark.config import Config, LabelSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.labelling.label import LABELS_SCHEMA, label_batch, label_reviews
from reviewgen_spark.inference.labelling.windows import cut_by_bytes, gather_windows
from reviewgen_spark.models.classifier.model_folder import NGRAM_FILE, ONNX_FILE, folder_sha256
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.compression import onnx_export
from reviewgen_spark.models.compression.ngram_classifier import fit_ngram_classifier
from reviewgen_spark.models.training.finetuning import finetune
from reviewgen_spark.warehouse.tables import Warehouse
from tests.models.conftest import ASPECT_SCHEMA, QUICK, make_aspects, make_rows, write_corpus
from tests.spark.labelling import INPUT, SECTION, Model, by_id, make_reviews


def test_an_aspect_model_is_refused_for_labelling(spark: SparkSession, tmp_path: Path) -> None:
    splits = {"train": make_aspects(60, 0), "validation": make_aspects(30, 5000)}
    corpus = write_corpus(tmp_path / "corpus", splits, schema=ASPECT_SCHEMA)
    section = QUICK.model_copy(update={"tasks": ("aspect",), "epochs": 1})
    finetune(corpus, "scratch:tiny", section, tmp_path / "m", lambda line: None)
    model = Model("aspects", 1, folder_sha256(tmp_path / "m"), tmp_path / "m")
    with pytest.raises(ConfigError, match=r"label: aspects version 1: expected .*'sentiment', got one of 'aspect'"):
        label_reviews(make_reviews(spark), model, SECTION)


def test_every_row_has_one_label_or_one_error(spark: SparkSession, model: Model) -> None:
    reviews = make_reviews(spark)
    labels = label_reviews(reviews, model, SECTION)
    assert labels.schema == spark.createDataFrame([], LABELS_SCHEMA).schema
    labels_by_id = by_id(labels)
    assert set(labels_by_id) == {row.record_id for row in reviews.collect()}
    errors = {key: row.error["class"] for key, row in labels_by_id.items() if row.error is not None}
    too_long = {"long": "TextTooLong", "million": "TextTooLong"}
    assert errors == {"null": "NullText", "empty": "EmptyText", "spaces": "EmptyText", **too_long}
    for key, row in labels_by_id.items():
        assert (row.model_name, row.model_version, row.batch_id) == ("sentiment", 3, 7)
        assert (row.category_label, row.toxicity_score) == (None, None)
        if key in errors:
            assert (row.sentiment_label, row.sentiment_score, row.error.stage) == (None, None, "label")
            assert row.meta == Row(is_truncated=False, token_count=0)
        else:
            assert row.sentiment_label == ("positive" if row.sentiment_score >= 0.5 else "negative")
    assert labels_by_id["cut"].meta == Row(is_truncated=True, token_count=32)
    assert "好" not in labels_by_id["long"].error.message


def test_scores_equal_those_of_the_predictor(spark: SparkSession, model: Model) -> None:
    labels_by_id = by_id(label_reviews(make_reviews(spark), model, SECTION))
    texts = {row.record_id: row.text_clean for row in make_reviews(spark).collect() if row.record_id.startswith("id")}
    alone = Predictor(model.path).score_texts(list(texts.values()))
    assert [labels_by_id[key].sentiment_score for key in texts] == pytest.approx(alone, abs=1e-5)
    assert {labels_by_id[key].sentiment_label for key in texts} == {"positive", "negative"}


def test_one_and_seven_partitions_agree(spark: SparkSession, model: Model) -> None:
    def run(partitions: int, window_rows: int) -> dict[str, Row]:
        section = SECTION.model_copy(update={"partitions": partitions, "window_rows": window_rows})
        return by_id(label_reviews(make_reviews(spark, partitions), model, section))

    one, seven = run(1, 1000), run(7, 5)
    for key, row in one.items():
        other = seven[key]
        assert (row.sentiment_label, row.meta, row.error) == (other.sentiment_label, other.meta, other.error)
        if row.sentiment_score is not None:
            assert row.sentiment_score == pytest.approx(other.sentiment_score, abs=1e-5)


def test_labelling_no_rows_gives_no_rows(spark: SparkSession, model: Model) -> None:
    assert label_reviews(spark.createDataFrame([], INPUT), model, SECTION).collect() == []


def test_bfloat16_scores_are_close_to_float32(spark: SparkSession, model: Model) -> None:
    exact = by_id(label_reviews(make_reviews(spark), model, SECTION))
    low_precision = by_id(
        label_reviews(make_reviews(spark), model, SECTION.model_copy(update={"precision": "bfloat16"}))
    )
    for key, row in exact.items():
        if row.sentiment_score is not None:
            assert low_precision[key].sentiment_score == pytest.approx(row.sentiment_score, abs=0.02)


def test_a_partition_without_rows_loads_nothing() -> None:
    empty = pa.RecordBatch.from_pydict({"record_id": pa.array([], pa.string())})
    assert list(gather_windows([empty, empty], 10)) == []


def test_windows_join_batches_without_losing_rows() -> None:
    batches = [pa.RecordBatch.from_pydict({"n": list(range(start, start + 4))}) for start in (0, 4, 8, 12, 16)]
    windows = list(gather_windows(batches, 7))
    assert [window.num_rows for window in windows] == [8, 8, 4]
    assert [value for window in windows for value in window.column("n").to_pylist()] == list(range(20))
    assert [window.num_rows for window in gather_windows(batches, 1000, window_bytes=batches[0].nbytes)] == [4] * 5


def test_batches_are_split_by_bytes() -> None:
    batch = pa.RecordBatch.from_pydict({"n": list(range(100))})  # 800 bytes
    parts = list(cut_by_bytes(batch, 200))
    assert [part.num_rows for part in parts] == [25] * 4
    assert pa.Table.from_batches(parts).column("n").to_pylist() == list(range(100))
    assert [part.num_rows for part in cut_by_bytes(batch, 3)] == [1] * 100
    assert [part.num_rows for part in cut_by_bytes(batch, 10_000)] == [100]


def test_one_pass_fills_three_tables(spark: SparkSession, model: Model, config: Config) -> None:
    section = SECTION.model_copy(update={"embeddings": True, "window_rows": 20})
    lines: list[str] = []
    warehouse = Warehouse(spark, config)
    warehouse.converge(["gold_review_labels", "gold_review_embeddings", "ops_label_metrics"])
    tables = {}
    for name, rows in label_batch(make_reviews(spark), model, section, "print", lines.append).items():
        warehouse.replace_batch(name, rows, 7)
        tables[name] = warehouse.read(name)
    labels, vectors = by_id(tables["gold_review_labels"]), by_id(tables["gold_review_embeddings"])
    assert set(labels) == set(vectors) and len(labels) == 126
    for key, row in vectors.items():
        assert (row.error, row.meta, row.fingerprint) == (labels[key].error, labels[key].meta, "print")
        if row.error is None:
            assert len(row.embedding) == 128 and sum(value**2 for value in row.embedding) == pytest.approx(1, abs=1e-4)
        else:
            assert row.embedding is None
    [metrics] = tables["ops_label_metrics"].collect()
    tokens = sum(row.meta.token_count for row in labels.values())
    assert (metrics.batch_id, metrics.row_count, metrics.token_count) == (7, 126, tokens)
    assert metrics.load_count <= metrics.worker_count <= 2
    assert 0 <= metrics.padding_pct < 30 and metrics.forward_seconds > 0 and metrics.peak_memory_mb > 50
    assert len(lines) == 1 and "126 rows" in lines[0]


def test_without_embeddings_their_table_is_left_out(spark: SparkSession, model: Model) -> None:
    tables = label_batch(make_reviews(spark), model, SECTION, "print", lambda line: None)
    assert sorted(tables) == ["gold_review_labels", "ops_label_metrics"]


def test_a_batch_without_rows_has_no_metrics(spark: SparkSession, model: Model) -> None:
    lines: list[str] = []
    tables = label_batch(spark.createDataFrame([], INPUT), model, SECTION, "print", lines.append)
    assert [(name, rows.count()) for name, rows in tables.items()] == [("gold_review_labels", 0)] and lines == []


def test_onnx_gives_the_labels_of_torch(spark: SparkSession, model: Model, tmp_path: Path) -> None:
    for library in onnx_export.LIBRARIES:
        pytest.importorskip(library, reason="the extra onnx is not installed")
    shutil.copytree(model.path, tmp_path / "model")
    onnx_export.export_onnx(model.path, tmp_path / "model" / ONNX_FILE)
    compressed = Model(model.name, model.version, model.sha256, tmp_path / "model")
    section = LabelSection(max_chars=200, tokens_per_batch=256, runtime="onnx")
    torch_, onnx = (
        by_id(label_reviews(make_reviews(spark), *arguments)) for arguments in ((model, SECTION), (compressed, section))
    )
    assert set(torch_) == set(onnx)
    for key, row in torch_.items():
        other = onnx[key]
        assert (other.error, other.meta, other.model_version) == (row.error, row.meta, row.model_version)
        if row.sentiment_score is not None:
            assert other.sentiment_score == pytest.approx(row.sentiment_score, abs=1e-4)
            assert other.sentiment_label == row.sentiment_label or abs(row.sentiment_score - 0.5) < 1e-4
    with pytest.raises(ConfigError, match=r"more than label\.broadcast_max_mb"):
        label_reviews(make_reviews(spark), compressed, section.model_copy(update={"broadcast_max_mb": 1}))


def test_n_grams_label_confident_rows_and_the_model_the_rest(spark: SparkSession, model: Model, tmp_path: Path) -> None:
    shutil.copytree(model.path, tmp_path / "model")
    rows = make_rows(160, 0)
    texts, labels = [row["text"] for row in rows], np.array([row["label"] for row in rows])
    first = fit_ngram_classifier(texts, np.where(labels == 1, 5.0, -5.0), labels, texts, labels, labels, 0.0)
    first.save(tmp_path / "model" / NGRAM_FILE)
    with_ngrams = Model(model.name, model.version, model.sha256, tmp_path / "model")
    section = SECTION.model_copy(update={"cascade": True})
    reviews = make_reviews(spark).union(spark.createDataFrame([("unknown", 7, "xyz 4711")], INPUT))
    alone, cascaded = (
        by_id(label_reviews(reviews, *arguments)) for arguments in ((model, SECTION), (with_ngrams, section))
    )
    inputs = by_id(reviews)
    answers = first.answers([inputs[key].text_clean or "" for key in cascaded])[:, 1]
    by_model = {key for key, row in cascaded.items() if row.error is None and row.meta.token_count > 0}
    labelled = sum(row.error is None for row in cascaded.values())
    assert "unknown" in by_model and len(by_model) < labelled / 2, "the n-grams label most rows"
    for key, answer in zip(cascaded, answers, strict=True):
        row = cascaded[key]
        assert row.error == alone[key].error
        if key in by_model:
            assert row.sentiment_score == pytest.approx(alone[key].sentiment_score, abs=1e-5)
            assert row.meta == alone[key].meta and np.isnan(answer)
        elif row.error is None:
            assert row.sentiment_score == pytest.approx(answer, abs=1e-12) and row.meta.token_count == 0
            assert row.sentiment_label == ("positive" if answer >= 0.5 else "negative")
    tables = label_batch(reviews, with_ngrams, section, "print", lambda line: None)
    [metrics] = tables["ops_label_metrics"].collect()
    assert (metrics.row_count, metrics.token_count) == (
        len(cascaded),
        sum(cascaded[key].meta.token_count for key in by_model),
    )
