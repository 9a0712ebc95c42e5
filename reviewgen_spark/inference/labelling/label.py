"""Labels reviews with a registered model: `mapInArrow` over texts, one forward pass a row, one result a row."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config import LabelSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.labelling.batching import Scored, score_window
from reviewgen_spark.inference.labelling.head_scores import column_of, split_by_task
from reviewgen_spark.inference.labelling.metering import (
    WINDOW_TYPE,
    Meter,
    describe_metrics,
    summarise_windows,
    window_type,
)
from reviewgen_spark.inference.labelling.windows import OUTPUT_BYTES, cut_by_bytes, gather_windows
from reviewgen_spark.inference.shipping.gpu_lock import gpu_lock
from reviewgen_spark.inference.shipping.preload import preloading, start_preloading
from reviewgen_spark.inference.shipping.ship import ModelLike, ShippedModel, files_beside, ship
from reviewgen_spark.inference.shipping.worker import load_first_answers, load_predictor
from reviewgen_spark.models.classifier.model_folder import read_settings, require_sentiment

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from reviewgen_spark.inference.labelling.batching import Score
    from reviewgen_spark.models.classifier.model_folder import ModelSettings
    from reviewgen_spark.models.classifier.tokenizer import Tokens

LABELS_SCHEMA = (
    "record_id string, sentiment_label string, sentiment_score double, category_label string, "
    "toxicity_score double, error struct<class: string, message: string, stage: string>, "
    "meta struct<is_truncated: boolean, token_count: int>, model_name string, model_version long, batch_id long"
)
SCORED_SCHEMA = f"{LABELS_SCHEMA}, embedding array<float>, window {WINDOW_TYPE}"

# What a worker imports before its first row of labelling.
PRELOADED = (
    "tokenizers",
    "reviewgen_spark.inference.labelling.label",
    "reviewgen_spark.models.classifier.predictor",
)


def label_batch(
    reviews: "DataFrame",
    model: ModelLike,
    section: LabelSection,
    fingerprint: str,
    report: Callable[[str], None],
) -> dict[str, "DataFrame"]:
    """Runs the model over a batch, once a row. Returns the tables of the stage that have rows, by name.

    Args:
        reviews: unique reviews of one batch: record_id, batch_id, text_clean.
        model: a registered model.
        section: the `label` section; `embeddings` fills gold_review_embeddings.
        fingerprint: of the run, for the rows.
        report: called with one line of figures: loads, rows, seconds, memory.

    Raises:
        ModelNotFoundError: the model's files are missing or damaged.
    """
    from pyspark import StorageLevel
    from pyspark.sql import functions as F

    from reviewgen_spark.schemas import TABLES

    # Three tables of one pass: without persist each would call the model again.
    scored = score_reviews(reviews, model, section).persist(StorageLevel.DISK_ONLY)
    metrics = [row.asDict() for row in summarise_windows(scored).collect()]  # one
    marked = scored.drop("window").withColumn("fingerprint", F.lit(fingerprint))
    tables = {"gold_review_labels": marked.drop("embedding")}
    if section.embeddings:
        labels = ("sentiment_label", "sentiment_score", "category_label", "toxicity_score")
        tables["gold_review_embeddings"] = marked.drop(*labels)
    if metrics:
        report(describe_metrics(metrics[0]))
        tables["ops_label_metrics"] = TABLES["ops_label_metrics"].frame(reviews.sparkSession, metrics)
    return tables


def label_reviews(reviews: "DataFrame", model: ModelLike, section: LabelSection) -> "DataFrame":
    """Returns the labels of reviews without embeddings: the columns of LABELS_SCHEMA."""
    return score_reviews(reviews, model, section).drop("embedding", "window")


def score_reviews(reviews: "DataFrame", model: ModelLike, section: LabelSection) -> "DataFrame":
    """Returns the labels of every review, and its embedding if `label.embeddings` is set: SCORED_SCHEMA.

    Reads record_id, batch_id, text_clean. Each row gives one row. A text that is null, empty, longer than
    `label.max_chars`, or too big for memory even alone has null results and an `error`. Other rows are not affected.
    A text over the model's `max_tokens` is cut, and `meta.is_truncated` is true. With `label.cascade`, texts that the
    n-gram classifier answers have a `meta.token_count` of 0, because the model does not read them. `category_label`
    and `toxicity_score` are null if the model has no such head. `window` has the figures of a window of rows. It is on
    the first row of the window and null on the others.

    Rows are first distributed by record_id, so that every task has its share for any layout of the files.

    Args:
        reviews: the reviews, any partitioning.
        model: a registered model; its version is written into every row.
        section: the `label` section.

    Raises:
        ConfigError: the model is not one of sentiment, or for `label.cascade` not of sentiment alone.
        ModelNotFoundError: the model's files are missing or damaged.
    """
    spark = reviews.sparkSession
    start_preloading(spark, PRELOADED)
    shipped = ship_labeller(spark, model, section)
    partitions = section.partitions or spark.sparkContext.defaultParallelism
    name, version = model.name, model.version

    def score_partition(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        for window in gather_windows(batches, section.window_rows):
            yield from cut_by_bytes(label_window(window, shipped, section, name, version, Meter()), OUTPUT_BYTES)

    spread = reviews.select("record_id", "batch_id", "text_clean").repartition(partitions, "record_id")
    with preloading(spark, PRELOADED):
        return spread.mapInArrow(score_partition, SCORED_SCHEMA)


def ship_labeller(spark: "SparkSession", model: ModelLike, section: LabelSection) -> ShippedModel:
    """Checks that a model can label with these settings, and ships it with the files that they need.

    Raises:
        ConfigError: the model is not one of sentiment, or for `label.cascade` not of sentiment alone.
        ModelNotFoundError: files of the model are missing or damaged.
    """
    shipped = ship(spark, model, section.weights, section.broadcast_max_mb, beside=files_beside(section))
    require_label_model(model, section)
    return shipped


def require_label_model(model: ModelLike, section: LabelSection) -> None:
    """Refuses a model that cannot label with these settings.

    Raises:
        ConfigError: the model is not one of sentiment, or for `label.cascade` not of sentiment alone.
    """
    settings, label = read_settings(model.path), f"label: {model.name} version {model.version}"
    require_sentiment(settings, label)
    if section.cascade and len(settings.heads) > 1:
        raise ConfigError(f"{label}: label.cascade is for models of sentiment alone, this one has other heads too")


def label_window(
    window: "pa.Table", shipped: ShippedModel, section: LabelSection, name: str, version: int, meter: Meter
) -> "pa.RecordBatch":
    """Labels one window on an executor: SCORED_SCHEMA. It loads the model, so a task without rows loads nothing.

    Args:
        window: record_id, batch_id, text_clean of some rows.
        shipped: the model's files.
        section: the `label` section.
        name: name of the model.
        version: of the model.
        meter: a new one, which counts and times the window.
    """
    import pyarrow as pa

    with meter.time("load"):
        predictor = load_predictor(shipped, section.device, section.precision, section.threads, section.compile)
        first = load_first_answers(shipped)
    predict = predictor.probabilities_and_embeddings if section.embeddings else predictor.all_probabilities

    def encode(texts: list[str]) -> "list[Tokens]":
        with meter.time("tokenise"):
            return predictor.tokenizer.encode(texts)

    def answer(texts: list[str]) -> "npt.NDArray[np.float64]":
        assert first is not None
        with meter.time("tokenise"):  # it replaces tokenising and the forward pass
            return first.answers(texts)

    def score(rows: list[list[int]]) -> "list[Score]":
        started = time.perf_counter()
        with gpu_lock(predictor.device), meter.time("forward"):
            scores = list(predict(rows))
        meter.count(rows, time.perf_counter() - started)
        return scores

    results = score_window(
        texts=window.column("text_clean").to_pylist(),
        record_ids=window.column("record_id").to_pylist(),
        encode=encode,
        score=score,
        answer=answer if first else None,
        max_chars=section.max_chars,
        tokens_per_batch=section.tokens_per_batch,
    )
    labels = to_arrow(window, results, predictor.settings, name, version)
    start = sum(len(head.labels) for head in predictor.settings.heads)
    vectors = [row.score[start:] if section.embeddings and row.score is not None else None for row in results]
    figures = [meter.figures(len(results)), *[None] * (len(results) - 1)]
    columns = [*labels.columns, pa.array(vectors, pa.list_(pa.float32())), pa.array(figures, window_type())]
    return pa.RecordBatch.from_arrays(columns, names=[*labels.schema.names, "embedding", "window"])


def to_arrow(
    window: "pa.Table", results: list[Scored], settings: "ModelSettings", name: str, version: int
) -> "pa.RecordBatch":
    """Returns results as one Arrow batch with the columns of LABELS_SCHEMA, in their order."""
    import pyarrow as pa

    rows = len(results)
    by_task = split_by_task(results, settings.heads)
    positive = column_of(by_task["sentiment"], 1)
    errors: list[Any] = [
        row.error and {"class": row.error.error_class, "message": row.error.message, "stage": "label"}
        for row in results
    ]
    meta = [{"is_truncated": row.is_truncated, "token_count": row.token_count} for row in results]
    decided = [None if score is None else settings.labels[int(score >= settings.threshold)] for score in positive]
    categories = next((head.labels for head in settings.heads if head.task == "category"), ())
    chosen = [None if scores is None else categories[int(scores.argmax())] for scores in by_task["category"]]
    text = pa.string()
    arrays = {
        "record_id": window.column("record_id").combine_chunks(),
        "sentiment_label": pa.array(decided, text),
        "sentiment_score": pa.array(positive, pa.float64()),
        "category_label": pa.array(chosen, text),
        "toxicity_score": pa.array(column_of(by_task["toxicity"], 1), pa.float64()),
        "error": pa.array(errors, pa.struct([("class", text), ("message", text), ("stage", text)])),
        "meta": pa.array(meta, pa.struct([("is_truncated", pa.bool_()), ("token_count", pa.int32())])),
        "model_name": pa.array([name] * rows, text),
        "model_version": pa.array([version] * rows, pa.int64()),
        "batch_id": window.column("batch_id").combine_chunks(),
    }
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
