"""Split: the frozen cluster of a review in; train, validation or test, out."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import SplitSection


def split_reviews(clusters: DataFrame, section: SplitSection) -> DataFrame:
    """Assign every record the split of its cluster, by a hash: no row ever moves when others come or go.

    Rows in = rows out, duplicates included, so that a copy can always be told to be in its original's split.

    Args:
        clusters: silver_review_clusters of a batch.
        section: Seed and shares.
    """
    split = _split_of(F.col("cluster_id"), section)
    # Near copies must not straddle: what is near clusters of different splits teaches nothing and tests nothing.
    is_bridge = F.exists("near_clusters", lambda other: _split_of(other, section) != split)
    return clusters.select(
        "record_id",
        "cluster_id",
        F.when(is_bridge, "none").otherwise(split).alias("split"),
        "batch_id",
    )


def _split_of(cluster_id: Column, section: SplitSection) -> Column:
    digest = F.sha2(F.concat_ws("|", F.lit(section.seed), cluster_id), 256)
    # 8 hex digits: 4.3 thousand million values, so that the remainder by 100 is even to 2e-8
    bucket = F.conv(F.substring(digest, 1, 8), 16, 10).cast("long") % 100
    return (
        F.when(bucket < section.train_pct, "train")
        .when(bucket < section.train_pct + section.validation_pct, "validation")
        .otherwise("test")
    )
