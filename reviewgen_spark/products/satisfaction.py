"""Satisfaction: the model's labels in; one row a product, out."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.sections import SatisfactionSection


def satisfaction_by_product(labelled: DataFrame, section: SatisfactionSection) -> DataFrame:
    """Roll the labels of unique current reviews up to products.

    `satisfaction_score` shrinks a product's share to the shop's mean, as if `prior_weight` average reviews had been
    added: three lucky reviews do not beat three hundred good ones. It is the posterior mean of a beta-binomial
    model with a prior of that weight (Gelman et al., Bayesian Data Analysis, 3rd ed., section 5.1).

    Args:
        labelled: product_id, category, rating, created_at, sentiment_label, model_name, model_version; rows without
            a label are not counted.
        section: `prior_weight`, `min_reviews`.
    """
    counted = labelled.where(F.col("sentiment_label").isNotNull()).withColumn(
        "is_positive", (F.col("sentiment_label") == "positive").cast("long")
    )
    shop = counted.agg(F.avg("is_positive").alias("shop_mean"))
    products = counted.groupBy("product_id").agg(
        F.mode("category", deterministic=True).alias("category"),
        F.count("*").alias("review_count"),
        F.sum("is_positive").alias("positive_count"),
        F.avg("rating").alias("rating_mean"),
        F.to_date(F.min("created_at")).alias("first_review_date"),
        F.to_date(F.max("created_at")).alias("last_review_date"),
        F.max("model_name").alias("model_name"),
        F.max("model_version").alias("model_version"),
    )
    weight = F.lit(section.prior_weight)
    return (
        products.crossJoin(F.broadcast(shop))
        .withColumn("satisfaction_pct", 100.0 * F.col("positive_count") / F.col("review_count"))
        .withColumn(
            "satisfaction_score",
            (F.col("positive_count") + weight * F.col("shop_mean")) / (F.col("review_count") + weight),
        )
        .withColumn("has_enough_reviews", F.col("review_count") >= section.min_reviews)
        .select(*TABLES["gold_product_satisfaction"].columns.names)
    )
