"""Deletes earlier versions of the tables, and searches every file for values of the erased records."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.operations.erasure.erasure_run import CLUSTERS, ErasureRun
from reviewgen_spark.operations.erasure.residual_scan import Values, scan_files
from reviewgen_spark.operations.erasure.spark_folders import local_folders
from reviewgen_spark.transforms.ingest.listing import list_deliveries
from reviewgen_spark.transforms.review_keys import has_several
from reviewgen_spark.warehouse.table_maintenance import forget_history


def delete_history(erasure: ErasureRun) -> None:
    """Deletes earlier versions of all tables except the ops tables."""
    for name in erasure.tables:
        if not name.startswith("ops_"):
            erasure.run.lease.check()
            forget_history(erasure.run.warehouse, name)


def search_leftovers(erasure: ErasureRun) -> None:
    """Searches every file for erased ids and texts: below the root, in the landing folder, in local folders of Spark.

    Values that remaining rows also contain are not searched for. These are names of clusters, texts that other users
    wrote too, and ids that another source uses for another review or user. What cannot be searched is listed.
    """
    exact = frozenset(erasure.values - _remaining_values(erasure))
    values = Values(exact, exact & erasure.ids)
    config, outcome = erasure.run.config, erasure.outcome
    local = local_folders(erasure.run.spark)
    landing = None if "://" in config.paths.landing else Path(config.paths.landing)
    skipped = (*local.own, *([landing] if landing else []))
    result = scan_files([*_mounted(config), *local.left_behind], values, skipped)
    outcome.leftovers = _shown(result.matches, values)
    unsearched = list(result.unsearched)
    if landing is not None:
        deliveries = list_deliveries(erasure.run.spark, config.paths.landing, config.ingest)
        # Their records were searched one by one. A Delta table may have more files than those of its newest version.
        searched = [landing / one.path for one in deliveries if one.format_code != "delta" and not one.fault]
        result = scan_files([landing], values, read_elsewhere=searched)
        listed = set(outcome.landing)
        names = _shown([path.relative_to(landing) for path in result.matches], values)
        outcome.landing += [name for name in names if not any(line.startswith(name) for line in listed)]
        unsearched += result.unsearched
    outcome.unsearched = [f"{path}: {reason}" for path, reason in unsearched]
    outcome.unsearched = _without_ids([*outcome.unsearched, *local.unreachable, *_remote(config)], values)


def _mounted(config: Config) -> Iterator[Path]:
    """Yields the folders and files of a run on this machine."""
    paths = config.paths
    store = paths.tracking_uri.removeprefix("sqlite:///") if paths.tracking_uri.startswith("sqlite:///") else ""
    for path in (paths.root, paths.warehouse, paths.exports, paths.artifacts, store):
        if path and "://" not in path:
            yield Path(path)


def _remote(config: Config) -> Iterator[str]:
    """Yields the places of a run that are on no mounted folder."""
    paths = config.paths
    for name, path in (("warehouse", paths.warehouse), ("exports", paths.exports), ("landing", paths.landing)):
        if "://" in path:
            yield f"paths.{name}: on no mounted folder; its current rows were searched, files and old versions were not"
    if not paths.tracking_uri.startswith("sqlite:///"):
        yield "paths.mlflow_uri: a store on another machine, with the files of its runs and models"


def _shown(paths: Iterable[Path], values: Values) -> list[str]:
    return _without_ids(map(str, paths), values)


def _without_ids(lines: Iterable[str], values: Values) -> list[str]:
    """Returns lines with `[id]` instead of the ids, which may be part of a file's name."""
    ids = sorted(values.ids or (), key=len, reverse=True)
    shown = []
    for line in lines:
        for name in ids:
            line = line.replace(name, "[id]") if len(name) > 1 and not name.isdecimal() else line
        shown.append(line)
    return shown


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
