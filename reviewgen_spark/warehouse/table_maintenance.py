"""Maintains the files of a table: size on disk, compaction, VACUUM, and deletion of old versions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.delta_log import hadoop_files, sql_name
from reviewgen_spark.warehouse.tables import Warehouse


@dataclass(frozen=True)
class Size:
    """Holds the size of a table on disk, with the files of earlier versions and Delta's log."""

    files: int
    bytes: int

    @property
    def megabytes(self) -> float:
        """Returns the size in decimal megabytes."""
        return self.bytes / 1e6


def size(warehouse: Warehouse, name: str) -> Size:
    """Returns the number and the bytes of all files of a table."""
    files, folder = hadoop_files(warehouse.spark, warehouse.path(name))
    summary = files.getContentSummary(folder)
    return Size(int(summary.getFileCount()), int(summary.getLength()))


def compact(warehouse: Warehouse, name: str, order_by: Sequence[str]) -> None:
    """Compacts small files into large ones, and puts rows with near values of `order_by` together.

    A partitioned table is ordered inside its batches by Z-order. Other tables use Delta's clustering, which is stored
    with the table. Files that are already compact and in order are not written again.
    """
    identifier, table = sql_name(warehouse.path(name)), TABLES[name]
    if order_by and not table.partition_by:
        warehouse.spark.sql(f"ALTER TABLE {identifier} CLUSTER BY ({', '.join(order_by)})")
    is_ordered = order_by and table.partition_by
    warehouse.spark.sql(f"OPTIMIZE {identifier}" + (f" ZORDER BY ({', '.join(order_by)})" if is_ordered else ""))


def vacuum(warehouse: Warehouse, name: str) -> None:
    """Removes files that no version within `tables.retention_days` needs."""
    warehouse.spark.sql(f"VACUUM {sql_name(warehouse.path(name))}")


def forget_history(warehouse: Warehouse, name: str) -> bool:
    """Removes all old versions of a table for good; returns whether there were any.

    Deleted rows remain in three places. Files of earlier versions hold them, and so do files with a deletion vector.
    Delta's log holds the smallest and largest value of each column of each file, also of removed files. Afterwards the
    table has one version. A query that started before may fail, and can be run again.
    """
    spark, log, folder = warehouse.spark, warehouse.log(name), f"{warehouse.path(name)}/_delta_log"
    jvm: Any = spark._jvm
    if not _log_files(spark, folder, below=log.version()):
        return False
    identifier = sql_name(warehouse.path(name))
    if log.metadata().properties.get("delta.enableDeletionVectors") == "true":
        spark.sql(f"REORG TABLE {identifier} APPLY (PURGE)")
    with _retention_unchecked(spark):
        spark.sql(f"VACUUM {identifier} RETAIN 0 HOURS")
    # The last commit may be the deletion, with statistics of the removed rows. So one commit without data is added.
    now = datetime.now(UTC).isoformat()
    spark.sql(f"ALTER TABLE {identifier} SET TBLPROPERTIES ('reviewgen.history_from' = '{now}')")
    snapshot = log.snapshot()
    snapshot.deltaLog().checkpoint(snapshot, jvm.scala.Option.apply(None))
    files, _ = hadoop_files(spark, folder)
    for path in _log_files(spark, folder, below=int(snapshot.version())):
        files.delete(path, False)
    # This session has cached a snapshot of files that no longer exist.
    _, table = hadoop_files(spark, log.path)
    jvm.org.apache.spark.sql.delta.DeltaLog.invalidateCache(spark._jsparkSession, table)
    return True


def _log_files(spark: SparkSession, folder: str, below: int) -> list[Any]:
    """Returns commits, checksums and checkpoints of the versions below `below`."""
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
