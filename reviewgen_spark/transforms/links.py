"""Finds what a batch changes about earlier batches: the records it supersedes, and the groups of copies it enlarges.

The kinds of gold_copy_facts, with their keys:

- `copy_group`: name of a size; groups that have it, as a difference to the earlier batches
- `straddling`: none; pairs of copies in two splits, counted in the batch of the later record
"""

from collections.abc import Sequence
from types import MappingProxyType

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.dataframes import rows_that_share
from reviewgen_spark.transforms.facts import fact
from reviewgen_spark.transforms.review_keys import Sources, review_key
from reviewgen_spark.transforms.views import newest_first

# Sizes of a group of equal texts: lower bound and name, largest first.
GROUP_SIZES = ((10, "10 times or more"), (4, "4 to 9 times"), (3, "3 times"), (2, "twice"), (1, "once"))


def link_batches(
    reviews: DataFrame,
    clusters: DataFrame,
    splits: DataFrame,
    batches: Sequence[int],
    sources: Sources = MappingProxyType({}),
) -> dict[str, DataFrame]:
    """Finds the links of some batches with all batches before them; returns the tables of the stage `links`.

    Args:
        reviews: silver_reviews up to the last of the batches.
        clusters: silver_review_clusters up to the last of the batches; it may be empty.
        splits: silver_review_splits up to the last of the batches; it may be empty.
        batches: The batches.
        sources: Source of each batch.
    """
    facts = _copy_groups(clusters, batches).unionByName(_straddling(clusters, splits, batches))
    counted = facts.groupBy("batch_id", "kind_code", "keys").agg(F.sum("fact_count").alias("fact_count"))
    return {
        "silver_superseded_reviews": superseded_reviews(reviews, batches, sources).repartition("batch_id"),
        "gold_copy_facts": counted.where("fact_count != 0").repartition("batch_id"),
    }


def superseded_reviews(
    reviews: DataFrame, batches: Sequence[int], sources: Sources = MappingProxyType({})
) -> DataFrame:
    """Returns the records that are not current from one of these batches on, as silver_superseded_reviews.

    A record and a newer record of its review show that it is not current, from the later of their batches on. The first
    of these batches is the batch of the row. So each record that is not current has one row, over all batches.
    """
    columns = ("record_id", "review_id", "product_id", "category", "rating", "lang_code", "created_at", "updated_at")
    rows = reviews.select(*columns, "source_file", "source_line", "batch_id")
    touched = rows_that_share(rows, rows.where(_in(batches)), "review_id", are_few=len(batches) == 1)
    newer = Window.partitionBy(*review_key(sources)).orderBy(*newest_first())
    seen = F.min("batch_id").over(newer.rowsBetween(Window.unboundedPreceding, -1))
    return (
        touched.withColumn("newer_batch_id", seen)
        .where("newer_batch_id IS NOT NULL")
        .withColumn("record_batch_id", F.col("batch_id"))
        .withColumn("batch_id", F.greatest("batch_id", "newer_batch_id"))
        .where(_in(batches))
        .select(*TABLES["silver_superseded_reviews"].columns.names)
    )


def _copy_groups(clusters: DataFrame, batches: Sequence[int]) -> DataFrame:
    """Returns by how much each batch changes the number of groups of each size."""
    members = clusters.select("record_id", "cluster_id", "batch_id")
    # A record that starts a cluster has no earlier member. So only the others are searched in earlier batches.
    new = members.where(_in(batches))
    later = new.where("record_id != cluster_id")
    earlier = rows_that_share(members.where(~_in(batches)), later, "cluster_id", are_few=len(batches) == 1)
    by_batch = new.unionByName(earlier).groupBy("cluster_id", "batch_id").agg(F.count("*").alias("added"))
    up_to = Window.partitionBy("cluster_id").orderBy("batch_id")
    sizes = by_batch.withColumn("size", F.sum("added").over(up_to)).where(_in(batches))
    old, now = _size_name(F.col("size") - F.col("added")), _size_name(F.col("size"))
    changes = F.array(F.when(old.isNotNull(), fact("copy_group", old, amount=F.lit(-1))), fact("copy_group", now))
    moved = sizes.where(old.isNull() | (old != now))
    return (
        moved.select("batch_id", F.explode(changes).alias("fact"))
        .where("fact IS NOT NULL")
        .select("batch_id", "fact.*")
    )


def _straddling(clusters: DataFrame, splits: DataFrame, batches: Sequence[int]) -> DataFrame:
    """Returns the pairs of a record with a first-seen record of its cluster or of a near cluster, in two splits.

    Most records have no pair. Records of the split `none` are left out.
    """
    assigned = splits.where("split != 'none'").select("record_id", "split", "batch_id")
    others = F.array_except(F.concat(F.array("cluster_id"), "near_clusters"), F.array("record_id"))
    linked = (
        clusters.where(_in(batches))
        .select("record_id", F.explode(others).alias("other_id"))
        .join(assigned.where(_in(batches)), "record_id")
    )
    known = assigned.select(F.col("record_id").alias("other_id"), F.col("split").alias("other_split"))
    others_known = rows_that_share(known, linked, "other_id", are_few=len(batches) == 1)
    pairs = linked.join(others_known, "other_id").where("split != other_split")
    return pairs.select("batch_id", fact("straddling").alias("fact")).select("batch_id", "fact.*")


def _in(batches: Sequence[int]) -> Column:
    return F.col("batch_id").isin(list(batches))


def _size_name(size: Column) -> Column:
    """Returns the name of a group's size; null for no group."""
    (bound, name), *rest = GROUP_SIZES
    names = F.when(size >= bound, name)
    for bound, name in rest:
        names = names.when(size >= bound, name)
    return names
