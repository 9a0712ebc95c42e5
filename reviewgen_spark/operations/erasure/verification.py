"""Deletes earlier versions of the tables, and searches every file for values of the erased records."""

from pathlib import Path

from pyspark.sql import functions as F

from reviewgen_spark.operations.erasure.erasure_run import CLUSTERS, ErasureRun
from reviewgen_spark.operations.erasure.residual_scan import Values, search_files
from reviewgen_spark.transforms.review_keys import has_several
from reviewgen_spark.warehouse.table_files import forget_history


def delete_history(erasure: ErasureRun) -> None:
    """Deletes earlier versions of all tables except the ops tables."""
    for name in erasure.tables:
        if not name.startswith("ops_"):
            erasure.run.lease.check()
            forget_history(erasure.run.warehouse, name)


def search_leftovers(erasure: ErasureRun) -> None:
    """Searches every file for erased ids and texts.

    Values that remaining rows also contain are not searched for. These are names of clusters, texts that other users
    wrote too, and ids that another source uses for another review or user.
    """
    values = erasure.values - _remaining_values(erasure)
    paths = erasure.run.config.paths
    folders = [
        Path(path) for path in (paths.root, paths.warehouse, paths.exports, paths.artifacts) if "://" not in path
    ]
    landing = () if "://" in paths.landing else (Path(paths.landing),)
    erasure.outcome.leftovers = [str(file) for file in search_files(folders, Values(frozenset(values)), landing)]


def _remaining_values(erasure: ErasureRun) -> set[str]:
    """Returns the values that remaining rows also contain."""
    values = _ids_of_other_sources(erasure)
    ids = F.broadcast(erasure.run.spark.createDataFrame([(value,) for value in sorted(erasure.values)], "value string"))
    columns = {
        CLUSTERS: F.concat(F.array("cluster_id"), "near_clusters"),
        "bronze_reviews": F.array("title", "text_raw"),
        "silver_reviews": F.array("title_clean", "text_clean"),
    }
    for name, column in columns.items():
        if name in erasure.tables:
            rows = erasure.run.warehouse.read(name).select(F.explode(column).alias("value"))
            values |= {row.value for row in rows.join(ids, "value", "left_semi").distinct().collect()}
    return values


def _ids_of_other_sources(erasure: ErasureRun) -> set[str]:
    """Returns the erased ids that rows of other sources have, which are not erased."""
    if not has_several(erasure.sources):
        return set()
    values = sorted(erasure.values)
    reviews = erasure.run.warehouse.read("bronze_reviews").select("review_id", "user_id", "source")
    erased = erasure.erased
    rows = reviews.where(F.col("review_id").isin(values) | F.col("user_id").isin(values)).distinct().collect()
    remaining = {row.review_id for row in rows if not erased.has_review(row.review_id, row.source)}
    remaining |= {row.user_id for row in rows if row.user_id and not erased.has_user(row.user_id, row.source)}
    return remaining & erasure.values
