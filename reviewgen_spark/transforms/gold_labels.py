"""Joins human labels with the records of the reviews that they label."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.transforms.review_keys import Sources, has_several, source_of


def label_records(reviews: DataFrame, gold_labels: DataFrame, sources: Sources) -> DataFrame:
    """Returns record_id, task and the newest label of each task, for every record of a labelled review.

    With several sources, a label belongs to the review of its `review_source`. A label without one, or whose source has
    no review of that id, counts for the reviews of all sources with that id.

    Args:
        reviews: record_id, review_id and batch_id.
        gold_labels: bronze_gold_labels.
        sources: Source of each batch.
    """
    newest_first = [F.col(name).desc() for name in ("batch_id", "source_file", "source_line")]
    keys = ("review_source",) if has_several(sources) else ()
    newest = Window.partitionBy(*keys, "review_id", "task").orderBy(*newest_first)
    labels = gold_labels.withColumn("newest_rank", F.row_number().over(newest)).where("newest_rank = 1")
    if not keys:
        records = reviews.select("record_id", "review_id")
        return labels.join(records, on="review_id", how="inner").select("record_id", "task", "label")
    records = reviews.select("record_id", "review_id", source_of("batch_id", sources).alias("record_source"))
    is_own = F.coalesce(F.col("record_source") == F.col("review_source"), F.lit(False))
    of_label = Window.partitionBy("review_source", "review_id", "task")
    best = Window.partitionBy("record_id", "task").orderBy(F.col("is_own").desc(), *newest_first)
    return (
        labels.join(records, on="review_id", how="inner")
        .withColumn("is_own", is_own)
        .withColumn("has_own", F.max("is_own").over(of_label))
        .where("is_own OR NOT has_own")
        .withColumn("best_rank", F.row_number().over(best))
        .where("best_rank = 1")
        .select("record_id", "task", "label")
    )
