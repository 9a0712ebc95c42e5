"""Upkeep of a table's files: how much they take, small ones packed, what nobody needs removed, history forgotten."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.delta_log import hadoop_files
from reviewgen_spark.warehouse.tables import Warehouse


@dataclass(frozen=True)
class Size:
    """What a table takes on disk, the files of earlier versions and Delta's log included."""

    files: int
    bytes: int

    @property
    def megabytes(self) -> float:
        """Decimal megabytes."""
        return self.bytes / 1e6


def size(warehouse: Warehouse, name: str) -> Size:
    """Its files as they lie there."""
    files, folder = hadoop_files(warehouse.spark, warehouse.path(name))
    found = files.getContentSummary(folder)
    return Size(int(found.getFileCount()), int(found.getLength()))


def compact(warehouse: Warehouse, name: str, order_by: Sequence[str]) -> None:
    """Pack small files into large ones, rows with near values of `order_by` together.

    A partitioned table is ordered inside its batches, by Z-order; Delta has clustering, which stays with the
    table, for the others alone. What is packed and in order is left as it is.
    """
    identifier, table = f"delta.`{warehouse.path(name)}`", TABLES[name]
    if order_by and not table.partition_by:
        warehouse.spark.sql(f"ALTER TABLE {identifier} CLUSTER BY ({', '.join(order_by)})")
    is_ordered = order_by and table.partition_by
    warehouse.spark.sql(f"OPTIMIZE {identifier}" + (f" ZORDER BY ({', '.join(order_by)})" if is_ordered else ""))


def vacuum(warehouse: Warehouse, name: str) -> None:
    """Remove files that no version within `tables.retention_days` needs."""
    warehouse.spark.sql(f"VACUUM delta.`{warehouse.path(name)}`")


def forget_history(warehouse: Warehouse, name: str) -> bool:
    """Remove for good what a table does not hold any more; whether there was anything.

    Deleted rows live on in three places: in files of earlier versions, in files that a deletion vector hides rows
    of, and in Delta's own log, whose statistics keep the smallest and largest value of each column of each file,
    removed ones too. Afterwards the table has one version. A query that started before may fail, and can be run
    again.
    """
    spark, log, folder = warehouse.spark, warehouse.log(name), f"{warehouse.path(name)}/_delta_log"
    jvm: Any = spark._jvm
    if not _log_files(spark, folder, below=log.version()):
        return False
    identifier = f"delta.`{warehouse.path(name)}`"
    if log.metadata().properties.get("delta.enableDeletionVectors") == "true":
        spark.sql(f"REORG TABLE {identifier} APPLY (PURGE)")
    with _retention_unchecked(spark):
        spark.sql(f"VACUUM {identifier} RETAIN 0 HOURS")
    # The last commit may be the deletion itself, with statistics of what it removed: one more that holds nothing.
    now = datetime.now(UTC).isoformat()
    spark.sql(f"ALTER TABLE {identifier} SET TBLPROPERTIES ('reviewgen.history_from' = '{now}')")
    snapshot = log.snapshot()
    snapshot.deltaLog().checkpoint(snapshot, jvm.scala.Option.apply(None))
    files, _ = hadoop_files(spark, folder)
    for path in _log_files(spark, folder, below=int(snapshot.version())):
        files.delete(path, False)
    # What this session knows of the table is made of files that are gone now.
    _, table = hadoop_files(spark, log.path)
    jvm.org.apache.spark.sql.delta.DeltaLog.invalidateCache(spark._jsparkSession, table)
    return True


def _log_files(spark: SparkSession, folder: str, below: int) -> list[Any]:
    """Commits, checksums and checkpoints of versions below one."""
    files, path = hadoop_files(spark, folder)
    paths = [status.getPath() for status in files.listStatus(path)]
    versions = ((path, path.getName().split(".")[0]) for path in paths)
    return [path for path, version in versions if version.isdigit() and int(version) < below]


@contextmanager
def _retention_unchecked(spark: SparkSession) -> Iterator[None]:
    key = "spark.databricks.delta.retentionDurationCheck.enabled"
    before = spark.conf.get(key, None)
    spark.conf.set(key, "false")
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, before)
