"""Builds the page of `reviewgen gallery`: generated texts beside their sources, for people to read.

Like the tables it contains review texts, so it must not be published. Each purpose has its share of the rows, passed
and failed ones alike. A hash of the text's id chooses the rows, so the same tables give the same page.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from reviewgen_spark.config.untrusted_json import parse_json
from reviewgen_spark.errors import ConfigError, SchemaError
from reviewgen_spark.reports.html import fill
from reviewgen_spark.text.checks.checks import TextCheck
from reviewgen_spark.text.requests.provenance import VISIBLE_LABELS
from reviewgen_spark.warehouse.tables import Warehouse

TABLES = ("gold_generated_texts", "gold_review_replies", "gold_product_summaries")
MAX_SOURCES = 5
_COLUMNS = (
    "text_id",
    "purpose",
    "product_id",
    "lang_code",
    "text",
    "model_name",
    "model_version",
    "seed",
    "attempt_count",
    "checks",
    "error",
    "source_record_ids",
)
NAMES = {
    "summary": "Summary",
    "product_copy": "Product copy",
    "reply": "Reply",
    "augmentation": "Training data",
    "draft_for_verified_buyer": "Draft",
}


@dataclass(frozen=True)
class GalleryText:
    """Holds a text of the page.

    Attributes:
        sources: texts of its first source reviews, from silver_reviews.
        source_count: number of all its sources.
        error: why it must not be published; None if it may be.
    """

    text_id: str
    purpose: str
    product_id: str
    lang_code: str
    text: str | None
    model: str
    seed: int
    attempt_count: int
    checks: tuple[TextCheck, ...]
    error: str | None
    sources: tuple[str, ...]
    source_count: int

    @property
    def label(self) -> str:
        """Returns the visible label of the text; empty for training data, which is never published."""
        return "" if self.purpose == "augmentation" else VISIBLE_LABELS["zh" if self.lang_code == "zh" else "en"]

    @property
    def failed(self) -> tuple[str, ...]:
        """Returns the names of the failed checks."""
        return tuple(check.name for check in self.checks if not check.is_passed)

    @property
    def marked(self) -> tuple[TextCheck, ...]:
        """Returns the checks to show: failed checks, and those with a score or a reason."""
        return tuple(check for check in self.checks if not check.is_passed or round(check.score, 2) or check.reason)

    @property
    def clean(self) -> tuple[str, ...]:
        """Returns the names of the other checks."""
        return tuple(check.name for check in self.checks if check not in self.marked)


@dataclass(frozen=True)
class Gallery:
    """Holds the texts of the page, and counts by purpose: all texts, and those with an error."""

    texts: tuple[GalleryText, ...]
    totals: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Metric:
    """Holds a figure of a model, with its 95 % interval if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ModelMetrics:
    """Holds a row of the table of metrics."""

    model: str
    metrics: Mapping[str, Metric]


def read_gallery(warehouse: Warehouse, rows: int) -> Gallery:
    """Reads texts of every purpose and their sources, `rows` texts at most.

    Raises:
        SchemaError: A table of generated texts does not exist.
    """
    if missing := [name for name in TABLES if not warehouse.exists(name)]:
        raise SchemaError(f"{', '.join(missing)}: no such table yet; write texts with `reviewgen run generate`")
    parts = [warehouse.read(name).select(*_COLUMNS) for name in TABLES]
    texts = parts[0].unionByName(parts[1]).unionByName(parts[2])
    has_error = F.col("error").isNotNull()
    counted = texts.groupBy("purpose").agg(F.count("*").alias("all"), F.sum(has_error.cast("long")).alias("failed"))
    totals = {row.purpose: (int(row["all"]), int(row.failed)) for row in counted.collect()}
    chosen = choose_texts(texts, rows).collect()
    reviews = warehouse.read("silver_reviews") if warehouse.exists("silver_reviews") else None
    sources = _source_texts(warehouse, reviews, chosen)
    return Gallery(tuple(_gallery_text(row, sources) for row in chosen), totals)


def choose_texts(texts: DataFrame, rows: int) -> DataFrame:
    """Chooses at most `rows` texts: in turn one of each purpose, passed and failed, by a hash of their ids."""
    in_turn = Window.partitionBy("purpose", F.col("error").isNull()).orderBy(F.sha1("text_id"), "text_id")
    turns = texts.withColumn("turn", F.row_number().over(in_turn))
    first = turns.orderBy("turn", "purpose", F.col("error").isNull(), "text_id").limit(rows)
    return first.orderBy("purpose", F.col("error").isNotNull(), "turn").select(*texts.columns)


def _source_texts(warehouse: Warehouse, reviews: DataFrame | None, chosen: Sequence[Row]) -> dict[str, str]:
    """Returns the texts of the first sources of the chosen rows, by record_id."""
    ids = sorted({source for row in chosen for source in row.source_record_ids[:MAX_SOURCES]})
    if reviews is None or not ids:
        return {}
    source_ids = warehouse.spark.createDataFrame([(source,) for source in ids], "record_id string")
    texts = reviews.join(F.broadcast(source_ids), "record_id", "left_semi").select("record_id", "text_clean")
    return {row.record_id: row.text_clean or "" for row in texts.collect()}


def _gallery_text(row: Row, sources: Mapping[str, str]) -> GalleryText:
    ids = row.source_record_ids
    return GalleryText(
        row.text_id,
        row.purpose,
        row.product_id,
        row.lang_code,
        row.text,
        f"{row.model_name} {row.model_version}",
        row.seed,
        row.attempt_count,
        tuple(TextCheck(check["name"], check["score"], check["is_passed"], check["reason"]) for check in row.checks),
        f"{row.error['class']}: {row.error['message']}" if row.error is not None else None,
        tuple(sources[source] for source in ids[:MAX_SOURCES] if source in sources),
        len(ids),
    )


def read_metrics(path: Path) -> tuple[ModelMetrics, ...]:
    """Reads figures by model: `{"model": {"metric": 0.5, "other": {"value": 0.5, "low": 0.4, "high": 0.6}}}`.

    Raises:
        ConfigError: The file cannot be read, or has another form.
    """
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--metrics {path}: cannot be read as JSON ({type(error).__name__})") from None
    if not isinstance(values, dict) or not all(isinstance(metrics, dict) for metrics in values.values()):
        raise ConfigError(f'--metrics {path}: expected {{"model": {{"metric": number}}}}')
    return tuple(
        ModelMetrics(model, {name: _metric(path, model, name, value) for name, value in metrics.items()})
        for model, metrics in values.items()
    )


def _metric(path: Path, model: str, name: str, value: Any) -> Metric:
    parts = value if isinstance(value, dict) else {"value": value}
    is_number = {key: isinstance(part, int | float) and not isinstance(part, bool) for key, part in parts.items()}
    if "value" not in parts or not set(parts) <= {"value", "low", "high"} or not all(is_number.values()):
        raise ConfigError(f"--metrics {path}: {model}: {name}: expected a number, or value, low and high")
    return Metric(**parts)


def render(gallery: Gallery, metrics: Sequence[ModelMetrics] = ()) -> str:
    """Fills the page. It loads nothing from the network, and its one script only shows and hides texts."""
    failed = Counter(check for text in gallery.texts for check in text.failed)
    return fill(
        "gallery.html",
        texts=gallery.texts,
        names=NAMES,
        totals=gallery.totals,
        all_count=sum(count for count, _ in gallery.totals.values()),
        failed_count=sum(count for _, count in gallery.totals.values()),
        product_count=len({text.product_id for text in gallery.texts}),
        failed_checks=sorted(failed.items()),
        languages=sorted({text.lang_code for text in gallery.texts}),
        metrics=metrics,
        metric_names=list(dict.fromkeys(name for row in metrics for name in row.metrics)),
    )
