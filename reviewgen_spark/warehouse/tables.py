"""Logical table names and the Delta folders behind them: the only code that reads or writes tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.errors import SchemaError
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.delta_log import DeltaLog, hadoop_files
from reviewgen_spark.warehouse.driver_tables import Records, records_of
from reviewgen_spark.warehouse.schema_evolution import converge, same_type


@dataclass(frozen=True)
class Written:
    """A commit: the table's version after it, and the rows that it wrote."""

    version: int
    row_count: int


@dataclass(frozen=True)
class Deletion:
    """What is to go from a table: the rows that share the columns `on` with `rows`."""

    table: str
    rows: DataFrame
    on: tuple[str, ...]


class Warehouse:
    """The tables of one `paths.warehouse`.

    Files are the truth: nothing is registered in a metastore, so any session that knows the folder reads the tables,
    also while a run writes them.
    """

    def __init__(self, spark: SparkSession, config: Config) -> None:
        self.spark = spark
        self._root = config.paths.warehouse.rstrip("/")
        self._exports = config.paths.exports.rstrip("/")
        self._retention_days = config.tables.retention_days

    def path(self, name: str) -> str:
        """Folder or URI of a table."""
        if name not in TABLES:
            raise SchemaError(f"{name}: no such table; known: {', '.join(sorted(TABLES))}")
        return f"{self._root}/{name}"

    def log(self, name: str) -> DeltaLog:
        """What Delta's log says of a table."""
        return DeltaLog(self.spark, self.path(name))

    def converge(self, names: Iterable[str] = tuple(TABLES)) -> None:
        """Create what is missing and add new columns, comments and checks; refuse anything else.

        Raises:
            SchemaError: When a table on disk differs in a way that only its owner can decide about.
        """
        for name in names:
            converge(self.log(name), TABLES[name], self._retention_days)

    def read(self, name: str, version: int | None = None) -> DataFrame:
        """A table as it stands, or as it stood at `version`."""
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(name))

    def exists(self, name: str) -> bool:
        """Whether the table has been created."""
        return self.log(name).exists()

    def version(self, name: str) -> int:
        """The newest version. Asks Delta's log directly: DESCRIBE DETAIL takes 600 ms."""
        return self.log(name).version()

    def replace_batch(self, name: str, rows: DataFrame, batch_id: int) -> Written:
        """Replace one batch of a review-level table whole; no rows clear it."""
        return self._write(name, rows, "overwrite", {"replaceWhere": f"batch_id = {batch_id}"})

    def clear_batch(self, name: str, batch_id: int) -> Written:
        """Leave one batch of a table without rows; where it has none, nothing is written."""
        log = self.log(name)
        if log.is_mounted:
            stored = log.stored()
            if not stored.file_uris(file_pruning_predicate=f"batch_id = {batch_id}"):
                return Written(int(stored.version()), 0)
        return self.replace_batch(name, self.rows(name, []), batch_id)

    def replace(self, name: str, rows: DataFrame) -> Written:
        """Replace a table whole."""
        return self._write(name, rows, "overwrite", {})

    def replace_fingerprint(self, name: str, rows: DataFrame, fingerprint: str) -> Written:
        """Replace the rows that a run with this fingerprint wrote; the others stay."""
        return self._write(name, rows, "overwrite", {"replaceWhere": f"fingerprint = '{fingerprint}'"})

    def append(self, name: str, rows: DataFrame) -> Written:
        """Add rows to a table."""
        return self._write(name, rows, "append", {})

    def rows(self, name: str, values: Sequence[Mapping[str, Any]]) -> DataFrame:
        """A small DataFrame of a table's shape from driver-side values; absent columns are null."""
        return TABLES[name].frame(self.spark, values)

    def records(self, name: str) -> Records:
        """The rows of a small table as it stands now, for the driver; without a Spark job where it can be."""
        return records_of(self.log(name), TABLES[name])

    def insert_missing(self, name: str, rows: DataFrame, key: str) -> None:
        """Inserts the rows whose key the table does not have, in one commit."""
        table = DeltaTable.forPath(self.spark, self.path(name))
        table.alias("t").merge(rows.alias("s"), f"t.{key} = s.{key}").whenNotMatchedInsertAll().execute()

    def edit(self, name: str, rows: DataFrame, on: Sequence[str], *, updates: Sequence[str] = ()) -> None:
        """Change single rows of a table in one commit; done twice it changes nothing more.

        Args:
            name: The table.
            rows: `is_gone` and the columns `on`, each row once: rows that are gone are deleted. The others are updated
                in the columns of `updates`; with none, they are added where they are not there yet.
            on: What a row is known by.
            updates: Columns.
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
        """Delete the rows that share the columns `on` with `rows`; whether there were any. They stay in history."""
        return bool(self.delete_all([Deletion(name, rows, tuple(on))]))

    def delete_all(self, deletions: Sequence[Deletion], before_each: Callable[[], None] = lambda: None) -> list[str]:
        """Delete from several tables, a commit each where there is a row to delete; returns the tables that had one.

        Which these are is asked in one query, not in one a table.

        Args:
            deletions: In their order.
            before_each: Called before each commit.
        """
        keys = [one.rows.select(*one.on).distinct() for one in deletions]
        met = [
            self.read(one.table).join(F.broadcast(rows), list(one.on), "left_semi").select(F.lit(place).alias("place"))
            for place, (one, rows) in enumerate(zip(deletions, keys, strict=True))
        ]
        found = reduce(DataFrame.unionByName, met).distinct().collect() if met else []
        for place in sorted(row.place for row in found):
            before_each()
            one = deletions[place]
            self.edit(one.table, keys[place].withColumn("is_gone", F.lit(True)), one.on)
        return sorted({deletions[row.place].table for row in found})

    def _write(self, name: str, rows: DataFrame, mode: str, options: Mapping[str, str]) -> Written:
        columns = TABLES[name].columns
        missing = [c.name for c in columns if c.name not in rows.columns]
        wrong = [
            f"{c.name} is {rows.schema[c.name].dataType.simpleString()}, expected {c.dataType.simpleString()}"
            for c in columns
            if c.name in rows.columns and not same_type(rows.schema[c.name].dataType, c.dataType)
        ]
        extra = sorted(set(rows.columns) - set(columns.names))
        if missing or wrong or extra:
            raise SchemaError(
                f"{name}: the rows do not fit schemas/: missing {missing}, wrong {wrong}, unknown {extra}"
            )
        writer = rows.select(*columns.names).write.format("delta").mode(mode)
        for key, value in options.items():
            writer = writer.option(key, value)
        log = self.log(name)
        before = log.version()
        writer.save(self.path(name))
        version = log.version()
        if version == before:
            return Written(before, 0)  # nothing to remove and nothing to add: Delta makes no commit
        return Written(version, log.rows_written(version))

    def export_batch(self, name: str, batch_id: int) -> None:
        """Write one batch as a plain Parquet folder `batch_id=N`: staged, then renamed; an empty batch has none.

        Spark's own dynamic overwrite keeps the old rows when the new batch is empty.
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
        """The batches of a table that lie in `paths.exports` as plain Parquet."""
        files, folder = hadoop_files(self.spark, f"{self._exports}/{name}")
        names = [status.getPath().getName() for status in files.listStatus(folder)] if files.exists(folder) else []
        return sorted(int(found.removeprefix("batch_id=")) for found in names if found.startswith("batch_id="))
