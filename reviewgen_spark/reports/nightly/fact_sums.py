"""Adds up facts of batches on the driver: a few thousand rows, however many reviews there are."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import reduce
from typing import TypeAlias

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.transforms.facts import sentiment_facts, superseded_facts

Keys: TypeAlias = tuple[str | None, ...]
Sums: TypeAlias = Mapping[str, Mapping[Keys, int]]
"""The sum of each kind and keys. A kind without facts has no keys."""


def add_up(tables: Mapping[str, DataFrame], timezone: str) -> Sums:
    """Adds up gold_shop_facts and gold_copy_facts, and subtracts the labels of superseded records.

    Args:
        tables: Both, and what `superseded_facts` reads.
        timezone: Time zone of the days.
    """
    subtracted = sentiment_facts(superseded_facts(tables), timezone).withColumn("fact_count", -F.col("fact_count"))
    parts = (tables["gold_shop_facts"], tables["gold_copy_facts"], subtracted)
    rows = (
        reduce(DataFrame.unionByName, parts)
        .groupBy("kind_code", "keys")
        .agg(F.sum("fact_count").alias("total"))
        .where("total > 0")
        .collect()
    )
    sums: dict[str, Counter[Keys]] = defaultdict(Counter)
    for row in rows:
        sums[row.kind_code][tuple(row["keys"])] = row.total
    return sums
