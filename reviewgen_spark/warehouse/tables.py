"""Reads and writes the Delta tables by name; no other module does."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from reviewgen_spark.config import Config
from reviewgen_spark.errors import SchemaError
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import ArrowRows
from reviewgen_spark.warehouse.delta_log import DeltaLog, hadoop_files
from reviewgen_spark.warehouse.driver_tables import Records, records_of
from reviewgen_spark.warehouse.schema_evolution import converge, same_type
from reviewgen_spark.warehouse.table_damage import require_whole
from reviewgen_spark.warehouse.worker_files import can_workers_write, replace_batch_by_workers


@dataclass(frozen=True)
class WriteResult:
    """Holds the version of a table after a commit, and the number of rows that the commit wrote."""

    version: int
    row_count: int


@dataclass(frozen=True)
class Deletion:
    """Describes rows to delete from a table: those that share the columns `on` with `rows`."""

    table: str
    rows: DataFrame
    on: tuple[str, ...]


class Warehouse:
    """Reads and writes the tables of one `paths.warehouse`.

    No metastore is used. Any session that can read the folder can read the tables, also while a run writes them.
    """

    def __init__(self, spark: SparkSession, config: Config) -> None:
        self.spark = spark
        self._root = config.paths.warehouse.rstrip("/")
        self._exports = config.paths.exports.rstrip("/")
        self._retention_days = config.tables.retention_days

    def path(self, name: str) -> str:
        """Returns the folder or URI of a table."""
        if name not in TABLES:
            raise SchemaError(f"{name}: no such table; known: {', '.join(sorted(TABLES))}")
        return f"{self._root}/{name}"

    def log(self, name: str) -> DeltaLog:
        """Returns the Delta log of a table."""
        return DeltaLog(self.spark, self.path(name))

    def converge(
        self, names: Iterable[str] = tuple(TABLES), written_versions: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """Creates missing tables and adds new columns, comments and checks; refuses any other difference.

        Args:
            names: The tables.
            written_versions: The newest version of each table that the log of runs has recorded. These tables are not
                created, because a missing one was lost.

        Raises:
            DamagedTableError: When a table is gone or damaged.
            SchemaError: When a difference needs a migration by hand.
        """
        for name in names:
            converge(self.log(name), TABLES[name], self._retention_days, written_versions.get(name))

    def require_whole(self, names: Iterable[str], written_versions: Mapping[str, int]) -> None:
        """Checks that tables can be read and have everything that was written to them; creates none.

        Raises:
            DamagedTableError: When a table is gone or damaged.
        """
        for name in names:
            require_whole(self.log(name), name, written_versions.get(name))

    def has_rows(self, but: Collection[str]) -> bool:
        """Returns whether anything was written to a table besides those of `but`."""
        files, folder = hadoop_files(self.spark, self._root)
        names = [status.getPath().getName() for status in files.listStatus(folder)] if files.exists(folder) else []
        tables = (self.log(name) for name in names if name in TABLES and name not in but)
        return any(log.exists() and log.version() > 0 for log in tables)

    def read(self, name: str, version: int | None = None) -> DataFrame:
        """Reads a table at its newest version, or at `version`."""
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(name))

    def exists(self, name: str) -> bool:
        """Returns whether the table exists."""
        return self.log(name).exists()

    def version(self, name: str) -> int:
        """Returns the newest version from Delta's log, because DESCRIBE DETAIL takes 600 ms."""
        return self.log(name).version()

    def replace_batch(self, name: str, rows: DataFrame | ArrowRows, batch_id: int) -> WriteResult:
        """Replaces one whole batch of a review-level table; without rows the batch becomes empty."""
        if isinstance(rows, ArrowRows):
            self._require_fit(name, rows.schema)
            if can_workers_write(self.log(name)):
                return WriteResult(*replace_batch_by_workers(self.log(name), rows, batch_id))
        return self._write(name, rows, "overwrite", {"replaceWhere": f"batch_id = {batch_id}"})

    def replace_batches(self, name: str, rows: DataFrame, batches: Sequence[int]) -> tuple[int, dict[int, int]]:
        """Replaces several whole batches in one commit; returns the version, and the rows written by batch."""
        log = self.log(name)
        before = log.version()
        condition = f"batch_id IN ({', '.join(map(str, batches))})"
        version = self._write(name, rows, "overwrite", {"replaceWhere": condition}).version
        return version, log.rows_by_batch(version) if version != before else {}

    def clear_batch(self, name: str, batch_id: int) -> WriteResult:
        """Removes all rows of one batch; if there are none, nothing is written."""
        log = self.log(name)
        if log.is_mounted:
            stored = log.stored()
            if not stored.file_uris(file_pruning_predicate=f"batch_id = {batch_id}"):
                return WriteResult(int(stored.version()), 0)
        return self.replace_batch(name, self.rows(name, []), batch_id)

    def replace(self, name: str, rows: DataFrame | ArrowRows) -> WriteResult:
        """Replaces a whole table."""
        return self._write(name, rows, "overwrite", {})

    def replace_fingerprint(self, name: str, rows: DataFrame | ArrowRows, fingerprint: str) -> WriteResult:
        """Replaces the rows that a run with this fingerprint wrote; the others stay."""
        return self._write(name, rows, "overwrite", {"replaceWhere": f"fingerprint = '{fingerprint}'"})

    def append(self, name: str, rows: DataFrame) -> WriteResult:
        """Adds rows to a table."""
        return self._write(name, rows, "append", {})

    def rows(self, name: str, values: Sequence[Mapping[str, Any]]) -> DataFrame:
        """Creates a small DataFrame with the columns of a table; missing values are null."""
        return TABLES[name].frame(self.spark, values)

    def records(self, name: str) -> Records:
        """Opens a small table for the driver, without a Spark job if possible."""
        return records_of(self.log(name), TABLES[name])

    def insert_missing(self, name: str, rows: DataFrame, key: str) -> None:
        """Inserts the rows whose key the table does not have, in one commit."""
        table = DeltaTable.forPath(self.spark, self.path(name))
        table.alias("t").merge(rows.alias("s"), f"t.{key} = s.{key}").whenNotMatchedInsertAll().execute()

    def edit(self, name: str, rows: DataFrame, on: Sequence[str], *, updates: Sequence[str] = ()) -> None:
        """Changes single rows of a table in one commit; a second call changes nothing more.

        Args:
            name: The table.
            rows: `is_gone` and the columns `on`, each row once. Rows with `is_gone` are deleted. The others are updated
                in the columns of `updates`; without `updates`, missing rows are added.
            on: The key columns.
            updates: The columns to update.
        """
        table = DeltaTable.forPath(self.spark, self.path(name)).alias("t")
        is_same = " AND ".join(f"t.{column} = s.{column}" for column in on)
        merge = table.merge(rows.alias("s"), is_same).whenMatchedDelete("s.is_gone")
        if updates:
            merge = merge.whenMatchedUpdate("NOT s.is_gone", {column: f"s.{column}" for column in updates})
        elif set(TABLES[name].columns.names) <= set(rows.columns):
            values = {column: f"s.{column}" for column in TABLES[name].columns.names}
            merge = merge.whenNotMatchedInsert("NOT s.is_gone", values)
        merge.execute()

    def delete(self, name: str, rows: DataFrame, on: Sequence[str]) -> bool:
        """Deletes the rows that share the columns `on` with `rows`, except in history; returns whether any existed."""
        return bool(self.delete_all([Deletion(name, rows, tuple(on))]))

    def delete_all(self, deletions: Sequence[Deletion], before_each: Callable[[], None] = lambda: None) -> list[str]:
        """Deletes rows from several tables, with one commit for each; returns the tables that had such rows.

        One query finds these tables, instead of one query a table.

        Args:
            deletions: The deletions, in their order.
            before_each: Called before each commit.
        """
        keys = [deletion.rows.select(*deletion.on).distinct() for deletion in deletions]
        matches = [
            self.read(deletion.table)
            .join(F.broadcast(rows), list(deletion.on), "left_semi")
            .select(F.lit(index).alias("index"))
            for index, (deletion, rows) in enumerate(zip(deletions, keys, strict=True))
        ]
        matched = reduce(DataFrame.unionByName, matches).distinct().collect() if matches else []
        indexes = sorted(row["index"] for row in matched)
        for index in indexes:
            before_each()
            deletion = deletions[index]
            self.edit(deletion.table, keys[index].withColumn("is_gone", F.lit(True)), deletion.on)
        return sorted({deletions[index].table for index in indexes})

    def _require_fit(self, name: str, schema: StructType) -> None:
        columns = TABLES[name].columns
        missing = [c.name for c in columns if c.name not in schema.names]
        wrong = [
            f"{c.name} is {schema[c.name].dataType.simpleString()}, expected {c.dataType.simpleString()}"
            for c in columns
            if c.name in schema.names and not same_type(schema[c.name].dataType, c.dataType)
        ]
        extra = sorted(set(schema.names) - set(columns.names))
        if missing or wrong or extra:
            raise SchemaError(
                f"{name}: the rows do not fit schemas/: missing {missing}, wrong {wrong}, unknown {extra}"
            )

    def _write(self, name: str, rows: DataFrame | ArrowRows, mode: str, options: Mapping[str, str]) -> WriteResult:
        rows = rows.frame() if isinstance(rows, ArrowRows) else rows
        self._require_fit(name, rows.schema)
        writer = rows.select(*TABLES[name].columns.names).write.format("delta").mode(mode)
        for key, value in options.items():
            writer = writer.option(key, value)
        log = self.log(name)
        before = log.version()
        writer.save(self.path(name))
        version = log.version()
        if version == before:
            return WriteResult(before, 0)  # nothing to remove and nothing to add: Delta makes no commit
        return WriteResult(version, log.rows_written(version))

    def export_batch(self, name: str, batch_id: int) -> None:
        """Writes one batch as a Parquet folder `batch_id=N`, staged and then renamed; an empty batch has no folder.

        Spark's dynamic overwrite is not used, because it keeps the old rows when the new batch is empty.
        """
        target, staging = (
            f"{self._exports}/{name}/batch_id={batch_id}",
            f"{self._exports}/{name}/_staging-{batch_id}",
        )
        rows = self.read(name).where(F.col("batch_id") == batch_id).drop("batch_id")
        rows.write.mode("overwrite").parquet(staging)
        is_empty = self.spark.read.parquet(staging).isEmpty()
        files, staged = hadoop_files(self.spark, staging)
        _, target_path = hadoop_files(self.spark, target)
        files.delete(target_path, True)
        if is_empty:
            files.delete(staged, True)
        else:
            files.rename(staged, target_path)

    def exported_batches(self, name: str) -> list[int]:
        """Returns the batches of a table that are in `paths.exports` as plain Parquet."""
        files, folder = hadoop_files(self.spark, f"{self._exports}/{name}")
        names = [status.getPath().getName() for status in files.listStatus(folder)] if files.exists(folder) else []
        return sorted(
            int(folder_name.removeprefix("batch_id=")) for folder_name in names if folder_name.startswith("batch_id=")
        )
