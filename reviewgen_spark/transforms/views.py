"""What readers want of the tables: joins by name, registered by `reviewgen sql` and `reviewgen shell`."""

from collections.abc import Callable, Mapping

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.transforms.tokens import unique_reviews

Read = Callable[[str], DataFrame]


def mark_current(reviews: DataFrame) -> DataFrame:
    """Add `is_current`: the newest record of its review_id, by time, then batch, file and line."""
    newest = Window.partitionBy("review_id").orderBy(
        F.coalesce("updated_at", "created_at").desc(),
        F.col("batch_id").desc(),
        F.col("source_file").desc(),
        F.col("source_line").desc(),
    )
    return reviews.withColumn("is_current", F.row_number().over(newest) == 1)


def current_unique_reviews(reviews: DataFrame, clusters: DataFrame) -> DataFrame:
    """Clean reviews that are current and no copy of another review."""
    return unique_reviews(mark_current(reviews).where("is_current").drop("is_current"), clusters)


VIEWS: Mapping[str, Callable[[Read], DataFrame]] = {
    "silver_unique_reviews": lambda read: current_unique_reviews(
        read("silver_reviews"), read("silver_review_clusters")
    ),
    "gold_labelled_reviews": lambda read: current_unique_reviews(
        read("silver_reviews"), read("silver_review_clusters")
    ).join(read("gold_review_labels").drop("batch_id"), on="record_id", how="inner"),
}
