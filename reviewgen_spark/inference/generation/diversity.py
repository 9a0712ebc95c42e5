"""Measures how much the texts of one product differ from each other, by distinct-2 and self-BLEU."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

DIVERSITY_SCHEMA = "product_id string, purpose string, text_count long, distinct_2 double, self_bleu double"
_MAX_TEXTS = 200  # texts of a product and purpose that are compared


def diversity_by_product(texts: DataFrame) -> DataFrame:
    """Returns distinct-2 and self-BLEU of each product and purpose with at least two texts: DIVERSITY_SCHEMA.

    Distinct-2 counts character pairs.

    Args:
        texts: product_id, purpose, text_id, text and error; texts with an error do not count.
    """
    by_hash = Window.partitionBy("product_id", "purpose").orderBy(F.xxhash64("text_id"), "text_id")
    texts_by_product = (
        texts.where("text IS NOT NULL AND error IS NULL")
        .withColumn("rank", F.row_number().over(by_hash))
        .where(F.col("rank") <= _MAX_TEXTS)
        .groupBy("product_id", "purpose")
        .agg(F.sort_array(F.collect_list("text")).alias("texts"))
        .where(F.size("texts") >= 2)
    )

    def measure(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from reviewgen_spark.models.generator.text_metrics import distinct, self_bleu

        for batch in batches:
            lists = batch.column("texts").to_pylist()
            columns = {
                "product_id": batch.column("product_id"),
                "purpose": batch.column("purpose"),
                "text_count": pa.array([len(texts) for texts in lists], pa.int64()),
                "distinct_2": pa.array([distinct(texts, 2) for texts in lists], pa.float64()),
                "self_bleu": pa.array([self_bleu(texts) for texts in lists], pa.float64()),
            }
            yield pa.RecordBatch.from_pydict(columns)

    return texts_by_product.mapInArrow(measure, DIVERSITY_SCHEMA)


def describe_texts(texts: DataFrame) -> list[str]:
    """Returns log lines, one a purpose: number of texts, errors and attempts, and diversity; never a text."""
    counts = (
        texts.groupBy("purpose")
        .agg(
            F.count("*").alias("rows"),
            F.count_if(F.col("error").isNotNull()).alias("errors"),
            F.avg("attempt_count").alias("attempts"),
            F.sum(F.coalesce("meta.token_count", F.lit(0))).alias("tokens"),
        )
        .collect()
    )
    means = {
        row.purpose: row
        for row in diversity_by_product(texts)
        .groupBy("purpose")
        .agg(F.count("*").alias("products"), F.avg("distinct_2").alias("distinct_2"), F.avg("self_bleu").alias("bleu"))
        .collect()
    }
    lines = []
    for row in sorted(counts, key=lambda row: str(row.purpose)):
        line = f"{row.purpose}: {row.rows:,} texts, {row.errors:,} with an error, {row.attempts:.2f} attempts a text"
        line += f", {row.tokens:,} tokens written" if row.tokens else ""
        if mean := means.get(row.purpose):
            line += (
                f"; of the {mean.products:,} products with several, distinct-2 {mean.distinct_2:.2f}, "
                f"self-BLEU {mean.bleu:.2f}"
            )
        lines.append(line)
    return lines
