"""Reads the log of a Delta table: whether the table exists, its version, columns and properties.

In a mounted folder delta-rs reads the log in milliseconds. Spark needs seconds for the first log of a session. Spark
reads logs in an object store, because it has the keys.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclass(frozen=True)
class Metadata:
    """Holds the columns, properties and partition columns of a table on disk."""

    columns: StructType
    properties: Mapping[str, str]
    partition_by: tuple[str, ...]


class DeltaLog:
    """Reads the log of the table in a folder or at a URI."""

    def __init__(self, spark: SparkSession, path: str) -> None:
        self.spark, self.path = spark, path

    @property
    def is_mounted(self) -> bool:
        """Returns whether the table is in a folder that this process can read directly."""
        return "://" not in self.path

    def exists(self) -> bool:
        """Returns whether the table exists."""
        if self.is_mounted:
            from deltalake import DeltaTable

            return bool(DeltaTable.is_deltatable(self.path))
        from delta.tables import DeltaTable as SparkTable

        return bool(SparkTable.isDeltaTable(self.spark, self.path))

    def version(self) -> int:
        """Returns the newest version."""
        if self.is_mounted:
            return int(self.stored().version())
        return int(self.snapshot().version())

    def metadata(self) -> Metadata:
        """Returns columns, properties and partition columns."""
        if self.is_mounted:
            stored = self.stored()
            columns = StructType.fromJson(json.loads(stored.schema().to_json()))
            details = stored.metadata()
            return Metadata(columns, details.configuration, tuple(details.partition_columns))
        metadata = self.snapshot().metadata()
        names = metadata.partitionColumns()
        return Metadata(
            StructType.fromJson(json.loads(metadata.schemaString())),
            java_map(metadata.configuration()),
            tuple(names.apply(index) for index in range(names.size())),
        )

    def rows_written(self, version: int) -> int:
        """Returns the rows that a commit wrote. It reads the log file, because `history` starts a Spark job."""
        for line in self._lines(version):
            if line.startswith('{"commitInfo"'):
                return int(json.loads(line)["commitInfo"].get("operationMetrics", {}).get("numOutputRows", 0))
        return 0

    def rows_by_batch(self, version: int) -> dict[int, int]:
        """Returns the rows that a commit wrote to each batch of a table with one partition a batch."""
        rows: Counter[int] = Counter()
        for line in self._lines(version):
            if line.startswith('{"add"'):
                file = json.loads(line)["add"]
                rows[int(file["partitionValues"]["batch_id"])] += json.loads(file["stats"])["numRecords"]
        return dict(rows)

    def _lines(self, version: int) -> Iterator[str]:
        """Yields the lines of the log file of a version."""
        jvm: Any = self.spark._jvm
        files, path = hadoop_files(self.spark, f"{self.path}/_delta_log/{version:020}.json")
        lines = jvm.java.io.BufferedReader(jvm.java.io.InputStreamReader(files.open(path), "UTF-8"))
        try:
            while (line := lines.readLine()) is not None:
                yield line
        finally:
            lines.close()

    def stored(self) -> "DeltaTable":
        """Opens the newest version of a mounted table by delta-rs."""
        from deltalake import DeltaTable

        return DeltaTable(self.path)

    def snapshot(self) -> Any:
        """Returns Spark's snapshot of the newest version, a JVM object."""
        jvm: Any = self.spark._jvm
        none = jvm.scala.Option.apply(None)
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, self.path)
        return log.update(False, none, none)


def sql_name(path: str) -> str:
    """Returns the name of the table at a path in Spark SQL.

    >>> sql_name("/data/it's `new`")
    "delta.`/data/it's ``new```"
    """
    return "delta.`" + path.replace("`", "``") + "`"


def sql_text(text: str) -> str:
    r"""Returns a string as a literal of Spark SQL.

    >>> print(sql_text("it's"))
    'it\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def hadoop_files(spark: SparkSession, folder: str) -> tuple[Any, Any]:
    """Returns Hadoop's file system of a folder or URI, and its path."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(folder)
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path


def java_map(scala_map: Any) -> dict[str, str]:
    """Copies a Scala map of the JVM into a Python dict."""
    entries = {}
    iterator = scala_map.iterator()
    while iterator.hasNext():
        pair = iterator.next()
        entries[pair._1()] = pair._2()
    return entries
