"""Computes the satisfaction with each product from the labels of the model."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import SatisfactionSection
from reviewgen_spark.schemas import TABLES


def satisfaction_by_product(facts: DataFrame, section: SatisfactionSection) -> DataFrame:
    """Rolls the labels of unique current reviews up to products.

    `satisfaction_score` shrinks a product's share towards the shop's mean, as if `prior_weight` average reviews had
    been added. So few reviews change it little. It is the posterior mean of a beta-binomial model with a prior of that
    weight.

    Source: Gelman et al., Bayesian Data Analysis, 3rd ed., section 5.1.

    While a new model's labels replace an old one's, batch by batch, only one model version counts: the one that has
    labelled the most reviews. If two have labelled equally many, the newer counts. Scores of two models are never
    mixed. `coverage_pct` is the share of a product's labels by that version. A product without such labels is left out.

    Args:
        facts: product_id, category, rating, written_date, sentiment_label, model_name, model_version and
            review_count; reviews without a label are not counted.
        section: `prior_weight`, `min_reviews`.
    """
    version = F.struct("model_name", "model_version")
    count, stars = F.col("review_count"), F.col("rating")
    by_category = (
        facts.where(F.col("sentiment_label").isNotNull())
        .groupBy("product_id", "model_name", "model_version", "category")
        .agg(
            F.sum("review_count").alias("review_count"),
            F.sum(F.when(F.col("sentiment_label") == "positive", count).otherwise(0)).alias("positive_count"),
            F.sum(stars * count).alias("stars"),
            F.sum(F.when(stars.isNotNull(), count)).alias("rated_count"),
            F.min("written_date").alias("first_review_date"),
            F.max("written_date").alias("last_review_date"),
        )
    )
    # The most frequent category; of several, the first by name.
    rank = F.when(F.col("category").isNotNull(), F.struct(-count, "category"))
    # The facts are read once, because the rest reads one row for each product and model version.
    rolled = (
        by_category.groupBy("product_id", "model_name", "model_version")
        .agg(
            F.min_by("category", rank).alias("category"),
            F.sum("review_count").alias("review_count"),
            F.sum("positive_count").alias("positive_count"),
            (F.sum("stars") / F.sum("rated_count")).alias("rating_mean"),
            F.min("first_review_date").alias("first_review_date"),
            F.max("last_review_date").alias("last_review_date"),
        )
        .persist()
    )
    by_version = rolled.groupBy(version.alias("version")).agg(
        F.sum("review_count").alias("count"), F.sum("positive_count").alias("positive_count")
    )
    pinned = by_version.agg(
        F.max_by(
            F.struct("version", (F.col("positive_count") / F.col("count")).alias("shop_mean")),
            F.struct("count", "version.model_version"),
        ).alias("pinned")
    )
    labelled_counts = rolled.groupBy("product_id").agg(F.sum("review_count").alias("labelled_count"))
    weight = F.lit(section.prior_weight)
    return (
        rolled.crossJoin(F.broadcast(pinned))
        .where(version == F.col("pinned.version"))
        .join(labelled_counts, on="product_id", how="inner")
        .withColumn("coverage_pct", 100.0 * F.col("review_count") / F.col("labelled_count"))
        .withColumn("satisfaction_pct", 100.0 * F.col("positive_count") / F.col("review_count"))
        .withColumn(
            "satisfaction_score",
            (F.col("positive_count") + weight * F.col("pinned.shop_mean")) / (F.col("review_count") + weight),
        )
        .withColumn("has_enough_reviews", F.col("review_count") >= section.min_reviews)
        .select(*TABLES["gold_product_satisfaction"].columns.names)
    )
