"""Selects the reviews that a model learns from, with or without labels."""

from collections.abc import Sequence
from types import MappingProxyType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.schemas.tasks import ASPECT_TASK
from reviewgen_spark.transforms.gold_labels import label_records
from reviewgen_spark.transforms.review_keys import Sources
from reviewgen_spark.transforms.tokens import unique_reviews


def labelled_reviews(
    reviews: DataFrame,
    clusters: DataFrame,
    splits: DataFrame,
    gold_labels: DataFrame,
    weak_labels: DataFrame,
    labels: str,
    tasks: Sequence[str] = ("sentiment",),
    sources: Sources = MappingProxyType({}),
) -> DataFrame:
    """Returns unique reviews with text, split and labels.

    The columns: record_id, text, label (0 negative, 1 positive), category, rating, lang_code, sentiment (with neutral),
    toxicity (clean, toxic), split. Reviews without a sentiment label are left out, unless `sentiment3` or `toxicity`
    is in `tasks` and has a label for them. The tasks `stars` and `category` add no reviews. Texts whose copies have
    both sentiments are left out too, because contradicting copies are noise.

    Args:
        reviews: silver_reviews.
        clusters: silver_review_clusters.
        splits: silver_review_splits.
        gold_labels: bronze_gold_labels; the newest label of a review and task is used.
        weak_labels: silver_weak_labels.
        labels: the source of the sentiment: `gold`, `rating` (1-2 stars negative, 3 neutral, 4-5 positive) or `weak`.
        tasks: those of `finetune.tasks`.
        sources: the source of each batch.
    """
    with_sentiment = _sentiment(reviews, gold_labels, weak_labels, labels, sources)
    toxicity = label_records(reviews, gold_labels.where("task = 'toxicity'"), sources).select(
        "record_id", F.col("label").alias("toxicity")
    )
    is_positive = F.when(F.col("sentiment") == "positive", 1).when(F.col("sentiment") == "negative", 0)
    has_label = F.col("label").isNotNull()
    if "sentiment3" in tasks:
        has_label = has_label | F.col("sentiment").isNotNull()
    if "toxicity" in tasks:
        has_label = has_label | F.col("toxicity").isNotNull()
    marked = (
        with_sentiment.join(toxicity, on="record_id", how="left")
        .withColumn("label", is_positive)
        .where(has_label)
        .join(clusters.select("record_id", "cluster_id"), on="record_id", how="inner")
    )
    agreed = marked.groupBy("cluster_id").agg(F.min("label").alias("low"), F.max("label").alias("high"))
    agreed = agreed.where(F.col("low").eqNullSafe(F.col("high"))).select("cluster_id")
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
            "sentiment",
            "toxicity",
            "split",
        )
    )


def labelled_aspects(
    reviews: DataFrame,
    clusters: DataFrame,
    splits: DataFrame,
    gold_labels: DataFrame,
    sources: Sources = MappingProxyType({}),
) -> DataFrame:
    """Returns unique reviews with text and split, one row for each review and aspect that people labelled.

    The columns: record_id, text, aspect, polarity (negative, neutral, positive), category, rating, lang_code, split.
    An aspect is left out if the copies of a text have different labels for it.

    Args:
        reviews: silver_reviews.
        clusters: silver_review_clusters.
        splits: silver_review_splits.
        gold_labels: bronze_gold_labels; of each review and task `aspect:<aspect>` the newest label is used.
        sources: the source of each batch.
    """
    aspect_labels = label_records(reviews, gold_labels.where(F.col("task").startswith(ASPECT_TASK)), sources).select(
        "record_id", F.substring(F.col("task"), len(ASPECT_TASK) + 1, 2**31 - 1).alias("aspect"), "label"
    )
    marked = (
        reviews.join(aspect_labels, on="record_id", how="inner")
        .withColumnRenamed("label", "polarity")
        .join(clusters.select("record_id", "cluster_id"), on="record_id", how="inner")
    )
    agreed = marked.groupBy("cluster_id", "aspect").agg(F.countDistinct("polarity").alias("polarities"))
    agreed = agreed.where("polarities = 1").select("cluster_id", "aspect")
    return (
        unique_reviews(marked, clusters)
        .join(agreed, on=["cluster_id", "aspect"], how="left_semi")
        .join(splits.select("record_id", "split"), on="record_id", how="inner")
        .where(F.col("text_clean").isNotNull() & F.col("split").isin("train", "validation", "test"))
        .select(
            "record_id",
            F.col("text_clean").alias("text"),
            "aspect",
            "polarity",
            "category",
            "rating",
            "lang_code",
            "split",
        )
    )


def unlabelled_reviews(reviews: DataFrame, clusters: DataFrame, splits: DataFrame) -> DataFrame:
    """Returns unique reviews for training without labels: record_id, text, category, lang_code, split.

    The test split is left out, because a model must be tested on texts that it has not read. Default texts are left
    out too, because the shop wrote them, not a customer.

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


def _sentiment(
    reviews: DataFrame, gold_labels: DataFrame, weak_labels: DataFrame, labels: str, sources: Sources
) -> DataFrame:
    """Adds `sentiment` from the source `labels`; it is null if there is none."""
    if labels == "rating":
        stars = F.col("rating")
        sentiment = F.when(stars <= 2, "negative").when(stars >= 4, "positive").when(stars == 3, "neutral")
        return reviews.withColumn("sentiment", sentiment)
    if labels == "weak":
        votes = weak_labels.select("record_id", F.col("weak_label").alias("sentiment"))
        return reviews.join(votes, on="record_id", how="left")
    gold = label_records(reviews, gold_labels.where("task = 'sentiment'"), sources).select(
        "record_id", F.col("label").alias("sentiment")
    )
    return reviews.join(gold, on="record_id", how="left")
