"""De-duplication: clean reviews in; the place of each among its copies, out. Frozen once written."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def cluster_reviews(reviews: DataFrame, earlier_clusters: DataFrame) -> DataFrame:
    """Find exact copies by text_hash, in this batch and among the batches before.

    The first-seen record of a text (lowest batch, then created_at, then record_id) is the canonical one: its
    record_id is the cluster_id of every later one. A later record of the *same* review is an edit, never a
    duplicate: it joins the cluster, so that it shares the split, with `duplicate_of` null. A review without text is
    a cluster of its own. Rows in = rows out.

    Args:
        reviews: silver_reviews of a batch: record_id, review_id, text_hash, created_at, batch_id.
        earlier_clusters: silver_review_clusters of the batches before.
    """
    canonical = earlier_clusters.where(
        (F.col("record_id") == F.col("cluster_id")) & F.col("text_hash").isNotNull()
    ).select("text_hash", F.col("record_id").alias("earlier_id"), F.col("review_id").alias("earlier_review_id"))
    copies = Window.partitionBy(F.coalesce("text_hash", "record_id")).orderBy("created_at", "record_id")
    first = F.struct("record_id", "review_id")
    placed = (
        reviews.select("record_id", "review_id", "text_hash", "created_at", "batch_id")
        .withColumn("first_here", F.first(first).over(copies))
        .join(canonical, on="text_hash", how="left")
        .withColumn("cluster_id", F.coalesce("earlier_id", "first_here.record_id"))
        .withColumn("first_review_id", F.coalesce("earlier_review_id", "first_here.review_id"))
        .withColumn(
            "is_duplicate",
            (F.col("cluster_id") != F.col("record_id")) & (F.col("first_review_id") != F.col("review_id")),
        )
    )
    return placed.select(
        "record_id",
        "review_id",
        "text_hash",
        "cluster_id",
        F.when(F.col("is_duplicate"), F.col("cluster_id")).alias("duplicate_of"),
        F.when(F.col("is_duplicate"), F.lit("exact")).alias("duplicate_kind"),
        "batch_id",
    )
