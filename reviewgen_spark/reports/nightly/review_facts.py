"""Joins the facts on each clean review from several tables, once for all queries of the report."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.transforms.review_keys import Sources
from reviewgen_spark.transforms.views import mark_current


def day_of(column: str, timezone: str) -> Column:
    """Returns the day of a timestamp in a time zone, as text."""
    return F.date_format(F.from_utc_timestamp(F.col(column), timezone), "yyyy-MM-dd")


def gather(tables: Mapping[str, DataFrame], sources: Sources, timezone: str) -> DataFrame:
    """Joins reviews, clusters, splits, labels and weak labels by record_id, one row a clean review.

    Every figure that combines two of these tables reads the result. Separate joins would shuffle and sort a table
    several times. The result contains no text.

    The columns: record_id, review_id, batch_id, category, rating, lang_code; day, of writing in `timezone`; is_current;
    cluster_id, duplicate_of, near_clusters, all null before `dedup`; is_unique; split; has_weak (true or null),
    weak_label; sentiment_label. A column is null if its table has no row of the review.
    """
    reviews = mark_current(tables["silver_reviews"], sources).select(
        "record_id",
        "review_id",
        "batch_id",
        "category",
        "rating",
        "lang_code",
        day_of("created_at", timezone).alias("day"),
        "is_current",
    )
    clusters = tables["silver_review_clusters"].select("record_id", "cluster_id", "duplicate_of", "near_clusters")
    splits = tables["silver_review_splits"].select("record_id", "split")
    weak = tables["silver_weak_labels"].select("record_id", "weak_label", F.lit(True).alias("has_weak"))
    labels = tables["gold_review_labels"].select("record_id", "sentiment_label")
    joined = reviews
    for part in (clusters, splits, weak, labels):
        joined = joined.join(part, on="record_id", how="left")
    return joined.withColumn("is_unique", F.expr("cluster_id IS NOT NULL AND duplicate_of IS NULL"))
