"""Cleans typed reviews: normalises and masks their text, and moves those that break a quality rule to quarantine."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, StructField, StructType

from reviewgen_spark.config import CleanSection, QualitySection
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema, in_slices
from reviewgen_spark.transforms.quality import count_findings, judge_reviews

_KEPT = (
    "record_id",
    "review_id",
    "product_id",
    "category",
    "rating",
    "created_at",
    "updated_at",
    "source_file",
    "source_line",
    "batch_id",
)

CLEANED = StructType(
    [
        *(field for field in TABLES["silver_reviews"].columns if field.name != "quality_flags"),
        StructField("is_boilerplate", BooleanType(), False),
    ]
)
"""Columns of a cleaned review before the quality rules."""


def clean_batch(
    reviews: DataFrame, source_files: DataFrame, clean: CleanSection, quality: QualitySection, user_key: bytes
) -> dict[str, DataFrame]:
    """Cleans a batch and splits it by the quality rules; returns the tables of the stage, by name.

    Rows in = rows of silver_reviews + rows of silver_reviews_quarantine.

    Args:
        reviews: bronze_reviews of the batch.
        source_files: ops_source_files of the batch; its first `at` is the time of delivery.
        clean: Settings of the text engine.
        quality: The rules.
        user_key: Secret key of the hash that replaces a user id.
    """
    delivered_at = source_files.agg(F.min("at")).collect()[0][0]
    cleaned = clean_reviews(reviews, clean, user_key).persist()
    judged = judge_reviews(cleaned, quality.rules, delivered_at).persist()
    is_bad = F.size("quality_errors") > 0
    return {
        "silver_reviews": judged.where(~is_bad).select(*TABLES["silver_reviews"].columns.names),
        "silver_reviews_quarantine": judged.where(is_bad)
        .withColumnRenamed("quality_errors", "reasons")
        .select(*TABLES["silver_reviews_quarantine"].columns.names),
        "ops_clean_metrics": count_findings(judged),
    }


def clean_reviews(reviews: DataFrame, section: CleanSection, user_key: bytes) -> DataFrame:
    """Cleans and masks text and title, and replaces user_id by user_key, in one Python pass a row.

    Rows in = rows out: the columns of silver_reviews without quality_flags, and `is_boilerplate`. A text that is null
    or empty after cleaning gives null text columns.

    Args:
        reviews: bronze_reviews of a batch.
        section: Settings of the text engine.
        user_key: Secret key of the hash that replaces a user id; never written anywhere.
    """
    rows = reviews.select(*_KEPT, "user_id", "title", "text_raw")
    return rows.mapInArrow(lambda batches: clean_batches(batches, section, user_key), CLEANED)


def clean_batches(
    batches: Iterable[pa.RecordBatch], section: CleanSection, user_key: bytes
) -> Iterator[pa.RecordBatch]:
    """Cleans Arrow batches as `clean_reviews` does, on a worker."""
    from reviewgen_spark.text.cleaning.cleaner import Cleaner
    from reviewgen_spark.text.privacy.pii import pseudonym

    cleaner = Cleaner(section)
    out = arrow_schema(CLEANED)

    def columns_of(batch: pa.RecordBatch) -> dict[str, Any]:
        texts = [cleaner.clean(text) for text in batch.column("text_raw").to_pylist()]
        titles = [cleaner.clean(title) for title in batch.column("title").to_pylist()]
        users = batch.column("user_id").to_pylist()
        # one column for each field of CleanText, in its order
        text_clean, text_hash, lang_code, lang_score, pii_counts, rule_counts, is_boilerplate = (
            zip(*texts, strict=True) if texts else [()] * 7
        )
        return {name: batch.column(name) for name in _KEPT} | {
            "user_key": [user and pseudonym(user, user_key) for user in users],
            "title_clean": [title.text_clean for title in titles],
            "text_clean": text_clean,
            "text_hash": text_hash,
            "lang_code": lang_code,
            "lang_score": lang_score,
            "pii_counts": [_sum(one, title.pii_counts) for one, title in zip(pii_counts, titles, strict=True)],
            "rule_counts": [list(counts.items()) if counts else () for counts in rule_counts],
            "is_boilerplate": is_boilerplate,
        }

    for batch in batches:
        yield in_slices(batch, columns_of, out)


def _sum(one: dict[str, int], other: dict[str, int]) -> Sequence[tuple[str, int]]:
    if not one and not other:
        return ()  # true for nineteen of twenty reviews
    return sorted({name: one.get(name, 0) + other.get(name, 0) for name in one.keys() | other.keys()}.items())
