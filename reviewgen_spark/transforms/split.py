"""Assigns reviews to train, validation or test by their frozen cluster."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import SplitSection


def split_reviews(clusters: DataFrame, section: SplitSection) -> DataFrame:
    """Assigns every record the split of its cluster, by a hash. So no row moves when others are added or deleted.

    Rows in = rows out, with duplicates, so that each copy is in the split of its original.

    Args:
        clusters: silver_review_clusters of a batch.
        section: Seed and shares.
    """
    split = _split_of(F.col("cluster_id"), section)
    # Near copies must not be in two splits. A text near clusters of different splits gets no split.
    is_bridge = F.exists("near_clusters", lambda other: _split_of(other, section) != split)
    return clusters.select(
        "record_id",
        "cluster_id",
        F.when(is_bridge, "none").otherwise(split).alias("split"),
        "batch_id",
    )


def _split_of(cluster_id: Column, section: SplitSection) -> Column:
    digest = F.sha2(F.concat_ws("|", F.lit(section.seed), cluster_id), 256)
    # 8 hex digits are 4.3 thousand million values, so the remainder by 100 is uniform to 2e-8
    bucket = F.conv(F.substring(digest, 1, 8), 16, 10).cast("long") % 100
    return (
        F.when(bucket < section.train_pct, "train")
        .when(bucket < section.train_pct + section.validation_pct, "validation")
        .otherwise("test")
    )
