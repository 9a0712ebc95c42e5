"""Satisfaction: the model's labels in; one row a product, out."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import SatisfactionSection
from reviewgen_spark.schemas import TABLES


def satisfaction_by_product(labelled: DataFrame, section: SatisfactionSection) -> DataFrame:
    """Roll the labels of unique current reviews up to products.

    `satisfaction_score` shrinks a product's share to the shop's mean, as if `prior_weight` average reviews had been
    added: three lucky reviews do not beat three hundred good ones. It is the posterior mean of a beta-binomial
    model with a prior of that weight (Gelman et al., Bayesian Data Analysis, 3rd ed., section 5.1).

    While a new model's labels replace an old one's, batch by batch, only the model version that has labelled the most
    reviews counts (of two with as many, the newer): scores of two models are never mixed. `coverage_pct` says how much
    of a product it has labelled; a product of which it has labelled nothing is left out until it has.

    Args:
        labelled: product_id, category, rating, created_at, sentiment_label, model_name, model_version; rows without
            a label are not counted.
        section: `prior_weight`, `min_reviews`.
    """
    version = F.struct("model_name", "model_version")
    # Reviews are read and joined once: all that follows asks a row for each product and model version.
    rolled = (
        labelled.where(F.col("sentiment_label").isNotNull())
        .groupBy("product_id", "model_name", "model_version")
        .agg(
            F.mode("category", deterministic=True).alias("category"),
            F.count("*").alias("review_count"),
            F.count_if(F.col("sentiment_label") == "positive").alias("positive_count"),
            F.avg("rating").alias("rating_mean"),
            F.to_date(F.min("created_at")).alias("first_review_date"),
            F.to_date(F.max("created_at")).alias("last_review_date"),
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
    whole = rolled.groupBy("product_id").agg(F.sum("review_count").alias("labelled_count"))
    weight = F.lit(section.prior_weight)
    return (
        rolled.crossJoin(F.broadcast(pinned))
        .where(version == F.col("pinned.version"))
        .join(whole, on="product_id", how="inner")
        .withColumn("coverage_pct", 100.0 * F.col("review_count") / F.col("labelled_count"))
        .withColumn("satisfaction_pct", 100.0 * F.col("positive_count") / F.col("review_count"))
        .withColumn(
            "satisfaction_score",
            (F.col("positive_count") + weight * F.col("pinned.shop_mean")) / (F.col("review_count") + weight),
        )
        .withColumn("has_enough_reviews", F.col("review_count") >= section.min_reviews)
        .select(*TABLES["gold_product_satisfaction"].columns.names)
    )
