"""What a Delta table's log says of the table: whether there is one, its version, its columns and properties.

Where it lies in a mounted folder, delta-rs reads the log in milliseconds; a session of Spark takes seconds to load what
it needs to read its first one. Elsewhere Spark reads it, which has the keys of the object store.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclass(frozen=True)
class Metadata:
    """A table as it stands: its columns, its properties and the columns that it is partitioned by."""

    columns: StructType
    properties: Mapping[str, str]
    partition_by: tuple[str, ...]


class DeltaLog:
    """The log of the table in a folder or at a URI."""

    def __init__(self, spark: SparkSession, path: str) -> None:
        self.spark, self.path = spark, path

    @property
    def is_mounted(self) -> bool:
        """Whether this process reaches the table by a path of its own."""
        return "://" not in self.path

    def exists(self) -> bool:
        """Whether a table has been created there."""
        if self.is_mounted:
            from deltalake import DeltaTable

            return bool(DeltaTable.is_deltatable(self.path))
        from delta.tables import DeltaTable as SparkTable

        return bool(SparkTable.isDeltaTable(self.spark, self.path))

    def version(self) -> int:
        """The newest version."""
        if self.is_mounted:
            return int(self.stored().version())
        return int(self.snapshot().version())

    def metadata(self) -> Metadata:
        """Columns, properties and partition columns."""
        if self.is_mounted:
            stored = self.stored()
            columns = StructType.fromJson(json.loads(stored.schema().to_json()))
            found = stored.metadata()
            return Metadata(columns, found.configuration, tuple(found.partition_columns))
        metadata = self.snapshot().metadata()
        names = metadata.partitionColumns()
        return Metadata(
            StructType.fromJson(json.loads(metadata.schemaString())),
            java_map(metadata.configuration()),
            tuple(names.apply(place) for place in range(names.size())),
        )

    def rows_written(self, version: int) -> int:
        """What a commit says of itself. From the file of the log: `history` runs a Spark job for it."""
        jvm: Any = self.spark._jvm
        files, path = hadoop_files(self.spark, f"{self.path}/_delta_log/{version:020}.json")
        lines = jvm.java.io.BufferedReader(jvm.java.io.InputStreamReader(files.open(path), "UTF-8"))
        try:
            while (line := lines.readLine()) is not None:
                if line.startswith('{"commitInfo"'):
                    return int(json.loads(line)["commitInfo"].get("operationMetrics", {}).get("numOutputRows", 0))
        finally:
            lines.close()
        return 0

    def stored(self) -> "DeltaTable":
        """The table by delta-rs, at its newest version; where it is mounted."""
        from deltalake import DeltaTable

        return DeltaTable(self.path)

    def snapshot(self) -> Any:
        """Spark's own view of the newest version, in the JVM."""
        jvm: Any = self.spark._jvm
        none = jvm.scala.Option.apply(None)
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, self.path)
        return log.update(False, none, none)


def hadoop_files(spark: SparkSession, folder: str) -> tuple[Any, Any]:
    """Hadoop's file system of a folder or URI, and its path."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(folder)
    return path.getFileSystem(spark._jsc.hadoopConfiguration()), path


def java_map(scala_map: Any) -> dict[str, str]:
    """A Python copy of a map in the JVM."""
    entries = {}
    iterator = scala_map.iterator()
    while iterator.hasNext():
        pair = iterator.next()
        entries[pair._1()] = pair._2()
    return entries
