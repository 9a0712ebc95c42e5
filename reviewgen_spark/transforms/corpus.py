"""Corpora: reviews, splits and labels in; the rows that a model learns from, labelled or not, out."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.transforms.tokens import unique_reviews


def labelled_reviews(
    reviews: DataFrame,
    clusters: DataFrame,
    splits: DataFrame,
    gold_labels: DataFrame,
    weak_labels: DataFrame,
    labels: str,
) -> DataFrame:
    """Unique reviews with text, split and a 0/1 label: record_id, text, label, category, rating, lang_code, split.

    Reviews without a label are left out, and so are texts whose copies carry both labels: a copy that says the
    opposite is noise on either side.

    Args:
        reviews: silver_reviews.
        clusters: silver_review_clusters.
        splits: silver_review_splits.
        gold_labels: bronze_gold_labels; the newest of a review counts.
        weak_labels: silver_weak_labels.
        labels: `gold`, `rating` (1-2 stars negative, 4-5 positive, 3 none) or `weak`.
    """
    marked = _label(reviews, gold_labels, weak_labels, labels).join(
        clusters.select("record_id", "cluster_id"), on="record_id", how="inner"
    )
    agreed = marked.groupBy("cluster_id").agg(F.min("label").alias("low"), F.max("label").alias("high"))
    agreed = agreed.where(F.col("low") == F.col("high")).select("cluster_id")
    return (
        unique_reviews(marked, clusters)
        .join(agreed, on="cluster_id", how="left_semi")
        .join(splits.select("record_id", "split"), on="record_id", how="inner")
        .where(F.col("text_clean").isNotNull() & F.col("split").isin("train", "validation", "test"))
        .select(
            "record_id",
            F.col("text_clean").alias("text"),
            "label",
            "category",
            "rating",
            "lang_code",
            "split",
        )
    )


def unlabelled_reviews(reviews: DataFrame, clusters: DataFrame, splits: DataFrame) -> DataFrame:
    """Unique reviews with text that a model may read unlabelled: record_id, text, category, lang_code, split.

    The test split is left out: a model that has read its texts is no longer tested on unseen ones. So are default
    texts, which are the shop's and not a customer's.

    Args:
        reviews: silver_reviews.
        clusters: silver_review_clusters.
        splits: silver_review_splits.
    """
    is_own_text = F.col("text_clean").isNotNull() & ~F.array_contains("quality_flags", "boilerplate")
    return (
        unique_reviews(reviews.where(is_own_text), clusters)
        .join(splits.where(F.col("split").isin("train", "validation")).select("record_id", "split"), "record_id")
        .select("record_id", F.col("text_clean").alias("text"), "category", "lang_code", "split")
    )


def _label(reviews: DataFrame, gold_labels: DataFrame, weak_labels: DataFrame, labels: str) -> DataFrame:
    """The reviews that have a label of the wanted kind, with `label` 0 or 1."""
    if labels == "rating":
        stars = F.col("rating")
        return reviews.withColumn("label", F.when(stars <= 2, 0).when(stars >= 4, 1).cast("int")).where(
            "label IS NOT NULL"
        )
    is_positive = F.when(F.col("label") == "positive", 1).when(F.col("label") == "negative", 0)
    if labels == "weak":
        votes = weak_labels.select("record_id", F.col("weak_label").alias("label"))
        found = votes.select("record_id", is_positive.alias("label")).where("label IS NOT NULL")
        return reviews.join(found, on="record_id", how="inner")
    gold = newest_sentiment(gold_labels).select("review_id", is_positive.alias("label")).where("label IS NOT NULL")
    return reviews.join(gold, on="review_id", how="inner")


def newest_sentiment(gold_labels: DataFrame) -> DataFrame:
    """review_id and label: of each review the sentiment that was said last.

    Args:
        gold_labels: bronze_gold_labels.
    """
    newest = Window.partitionBy("review_id").orderBy(
        F.col("batch_id").desc(), F.col("source_file").desc(), F.col("source_line").desc()
    )
    placed = gold_labels.where(F.col("task") == "sentiment").withColumn("place", F.row_number().over(newest))
    return placed.where("place = 1").select("review_id", "label")
