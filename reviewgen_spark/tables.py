"""Logical table names and the Delta folders behind them: the only code that reads or writes tables."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from reviewgen_spark.config import Config
from reviewgen_spark.errors import SchemaError
from reviewgen_spark.schemas import TABLES, Table


@dataclass(frozen=True)
class Written:
    """A commit: the table's version after it, and the rows that it wrote."""

    version: int
    row_count: int


@dataclass(frozen=True)
class Size:
    """What a table takes on disk, the files of earlier versions and Delta's log included."""

    files: int
    bytes: int

    @property
    def megabytes(self) -> float:
        """Decimal megabytes."""
        return self.bytes / 1e6


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
        self._retention = f"interval {config.tables.retention_days} days"

    def path(self, name: str) -> str:
        """Folder or URI of a table."""
        if name not in TABLES:
            raise SchemaError(f"{name}: no such table; known: {', '.join(sorted(TABLES))}")
        return f"{self._root}/{name}"

    def read(self, name: str, version: int | None = None) -> DataFrame:
        """A table as it stands, or as it stood at `version`."""
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(name))

    def exists(self, name: str) -> bool:
        """Whether the table has been created."""
        return bool(DeltaTable.isDeltaTable(self.spark, self.path(name)))

    def was_written(self, name: str) -> bool:
        """Whether the table has been created and written to since; asks no Spark job."""
        return self.exists(name) and self.version(name) > 0

    def version(self, name: str) -> int:
        """The newest version. Asks Delta's log directly: 20 ms, where DESCRIBE DETAIL takes 600."""
        return int(self._snapshot(name).version())

    def replace_batch(self, name: str, rows: DataFrame, batch_id: int) -> Written:
        """Replace one batch of a review-level table whole; no rows clear it."""
        return self._write(name, rows, "overwrite", {"replaceWhere": f"batch_id = {batch_id}"})

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
        columns = TABLES[name].columns
        records = [tuple(_utc_naive(value.get(column.name)) for column in columns) for value in values]
        return self.spark.createDataFrame(records, columns, verifySchema=False)

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
            if c.name in rows.columns and not _same_type(rows.schema[c.name].dataType, c.dataType)
        ]
        extra = sorted(set(rows.columns) - set(columns.names))
        if missing or wrong or extra:
            raise SchemaError(
                f"{name}: the rows do not fit schemas/: missing {missing}, wrong {wrong}, unknown {extra}"
            )
        writer = rows.select(*columns.names).write.format("delta").mode(mode)
        for key, value in options.items():
            writer = writer.option(key, value)
        before = self.version(name)
        writer.save(self.path(name))
        version = self.version(name)
        if version == before:
            return Written(before, 0)  # nothing to remove and nothing to add: Delta makes no commit
        return Written(version, self._rows_written(name, version))

    def _rows_written(self, name: str, version: int) -> int:
        """What a commit says of itself. From the file of Delta's log: `history` runs a Spark job for it."""
        jvm: Any = self.spark._jvm
        files, path = self._files(f"{self.path(name)}/_delta_log/{version:020}.json")
        lines = jvm.java.io.BufferedReader(jvm.java.io.InputStreamReader(files.open(path), "UTF-8"))
        try:
            while (line := lines.readLine()) is not None:
                if line.startswith('{"commitInfo"'):
                    return int(json.loads(line)["commitInfo"].get("operationMetrics", {}).get("numOutputRows", 0))
        finally:
            lines.close()
        return 0

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
        files, staged = self._files(staging)
        _, target_path = self._files(target)
        files.delete(target_path, True)
        if is_empty:
            files.delete(staged, True)
        else:
            files.rename(staged, target_path)

    def exported_batches(self, name: str) -> list[int]:
        """The batches of a table that lie in `paths.exports` as plain Parquet."""
        files, folder = self._files(f"{self._exports}/{name}")
        names = [status.getPath().getName() for status in files.listStatus(folder)] if files.exists(folder) else []
        return sorted(int(found.removeprefix("batch_id=")) for found in names if found.startswith("batch_id="))

    # -- keeping house ---------------------------------------------------------------------------------------

    def size(self, name: str) -> Size:
        """Its files as they lie there."""
        files, folder = self._files(self.path(name))
        found = files.getContentSummary(folder)
        return Size(int(found.getFileCount()), int(found.getLength()))

    def compact(self, name: str, order_by: Sequence[str]) -> None:
        """Pack small files into large ones, rows with near values of `order_by` together.

        A partitioned table is ordered inside its batches, by Z-order; Delta has clustering, which stays with the
        table, for the others alone. What is packed and in order is left as it is.
        """
        identifier, table = f"delta.`{self.path(name)}`", TABLES[name]
        if order_by and not table.partition_by:
            self.spark.sql(f"ALTER TABLE {identifier} CLUSTER BY ({', '.join(order_by)})")
        is_ordered = order_by and table.partition_by
        self.spark.sql(f"OPTIMIZE {identifier}" + (f" ZORDER BY ({', '.join(order_by)})" if is_ordered else ""))

    def vacuum(self, name: str) -> None:
        """Remove files that no version within `tables.retention_days` needs."""
        self.spark.sql(f"VACUUM delta.`{self.path(name)}`")

    def forget_history(self, name: str) -> bool:
        """Remove for good what a table does not hold any more; whether there was anything.

        Deleted rows live on in three places: in files of earlier versions, in files that a deletion vector hides rows
        of, and in Delta's own log, whose statistics keep the smallest and largest value of each column of each file,
        removed ones too. Afterwards the table has one version. A query that started before may fail, and can be run
        again.
        """
        log = f"{self.path(name)}/_delta_log"
        version = self.version(name)
        if self._log_files(log, below=version) == []:
            return False
        identifier = f"delta.`{self.path(name)}`"
        if _java_map(self._snapshot(name).metadata().configuration()).get("delta.enableDeletionVectors") == "true":
            self.spark.sql(f"REORG TABLE {identifier} APPLY (PURGE)")
        with self._retention_unchecked():
            self.spark.sql(f"VACUUM {identifier} RETAIN 0 HOURS")
        # The last commit may be the deletion itself, with statistics of what it removed: one more that holds nothing.
        now = datetime.now(UTC).isoformat()
        self.spark.sql(f"ALTER TABLE {identifier} SET TBLPROPERTIES ('reviewgen.history_from' = '{now}')")
        snapshot = self._snapshot(name)
        snapshot.deltaLog().checkpoint(snapshot, self._scala_none())
        files, _ = self._files(log)
        for path in self._log_files(log, below=int(snapshot.version())):
            files.delete(path, False)
        # What this session knows of the table is made of files that are gone now.
        jvm: Any = self.spark._jvm
        _, table = self._files(self.path(name))
        jvm.org.apache.spark.sql.delta.DeltaLog.invalidateCache(self.spark._jsparkSession, table)
        return True

    def _log_files(self, log: str, below: int) -> list[Any]:
        """Commits, checksums and checkpoints of versions below one."""
        files, folder = self._files(log)
        paths = [status.getPath() for status in files.listStatus(folder)]
        versions = ((path, path.getName().split(".")[0]) for path in paths)
        return [path for path, version in versions if version.isdigit() and int(version) < below]

    @contextmanager
    def _retention_unchecked(self) -> Iterator[None]:
        key = "spark.databricks.delta.retentionDurationCheck.enabled"
        before = self.spark.conf.get(key, None)
        self.spark.conf.set(key, "false")
        try:
            yield
        finally:
            if before is None:
                self.spark.conf.unset(key)
            else:
                self.spark.conf.set(key, before)

    def _files(self, folder: str) -> tuple[Any, Any]:
        """Hadoop's file system of a folder or URI, and its path."""
        jvm: Any = self.spark._jvm
        path = jvm.org.apache.hadoop.fs.Path(folder)
        return path.getFileSystem(self.spark._jsc.hadoopConfiguration()), path

    # -- converging to schemas/ ------------------------------------------------------------------------------

    def converge(self, names: Iterable[str] = tuple(TABLES)) -> None:
        """Create what is missing and add new columns, comments and checks; refuse anything else.

        Raises:
            SchemaError: When a table on disk differs in a way that only its owner can decide about.
        """
        for name in names:
            table = TABLES[name]
            if self.exists(name):
                self._converge_existing(table)
            else:
                self._create(table)

    def _create(self, table: Table) -> None:
        builder = (
            DeltaTable.createIfNotExists(self.spark)
            .location(self.path(table.name))
            .comment(table.comment)
            .addColumns(table.columns)
        )
        if table.partition_by:
            builder = builder.partitionedBy(*table.partition_by)
        for key, value in self._properties(table).items():
            builder = builder.property(key, value)
        builder.execute()

    def _properties(self, table: Table) -> dict[str, str]:
        retention = {
            "delta.logRetentionDuration": self._retention,
            "delta.deletedFileRetentionDuration": self._retention,
        }
        return retention | {f"delta.constraints.{check}": condition for check, condition in table.checks.items()}

    def differences(self, name: str) -> tuple[list[str], list[str]]:
        """How a table on disk differs from schemas/: what its owner must decide about, and what `converge` adds."""
        table = TABLES[name]
        stored, properties, partitions = self._stored(table)
        known = {key.lower() for key in properties}
        additions = [f"column {c.name}" for c in table.columns if c.name not in stored.names]
        additions += [f"check {c}" for c in table.checks if f"delta.constraints.{c.lower()}" not in known]
        return self._faults(table, stored, properties, partitions), additions

    def _stored(self, table: Table) -> tuple[StructType, dict[str, str], tuple[str, ...]]:
        """Columns, properties and partition columns of a table as they stand."""
        metadata = self._snapshot(table.name).metadata()
        partitions = metadata.partitionColumns()
        return (
            StructType.fromJson(json.loads(metadata.schemaString())),
            _java_map(metadata.configuration()),
            tuple(partitions.apply(i) for i in range(partitions.size())),
        )

    def _converge_existing(self, table: Table) -> None:
        stored, properties, partitions = self._stored(table)
        self._refuse(table, self._faults(table, stored, properties, partitions))
        identifier = f"delta.`{self.path(table.name)}`"
        known = {c.name: c for c in stored}
        for column in table.columns:
            comment = (column.metadata or {}).get("comment", "").replace("'", "\\'")
            if column.name not in known:
                kind = column.dataType.simpleString()
                self.spark.sql(f"ALTER TABLE {identifier} ADD COLUMNS ({column.name} {kind} COMMENT '{comment}')")
            elif (known[column.name].metadata or {}).get("comment", "") != (column.metadata or {}).get("comment", ""):
                self.spark.sql(f"ALTER TABLE {identifier} ALTER COLUMN {column.name} COMMENT '{comment}'")
        for check, condition in table.checks.items():
            if f"delta.constraints.{check.lower()}" not in {key.lower() for key in properties}:
                self.spark.sql(f"ALTER TABLE {identifier} ADD CONSTRAINT {check} CHECK ({condition})")
        retention = {k: v for k, v in self._properties(table).items() if not k.startswith("delta.constraints.")}
        if changed := {k: v for k, v in retention.items() if properties.get(k) != v}:
            pairs = ", ".join(f"'{k}' = '{v}'" for k, v in changed.items())
            self.spark.sql(f"ALTER TABLE {identifier} SET TBLPROPERTIES ({pairs})")

    def _faults(
        self, table: Table, stored: StructType, properties: Mapping[str, str], partitions: tuple[str, ...]
    ) -> list[str]:
        wanted = {c.name: c for c in table.columns}
        faults = [f"column {c.name} is not in schemas/" for c in stored if c.name not in wanted]
        for column in stored:
            want = wanted.get(column.name)
            if want is not None and not _same_type(column.dataType, want.dataType):
                got, expected = column.dataType.simpleString(), want.dataType.simpleString()
                faults.append(f"column {column.name} is {got}, expected {expected}")
            elif want is not None and column.nullable != want.nullable:
                faults.append(
                    f"column {column.name} {'may' if column.nullable else 'must not'} be null on disk, not here"
                )
        faults += [
            f"new column {c.name} is NOT NULL, but the table has rows without it: make it nullable"
            for c in table.columns
            if c.name not in stored.names and not c.nullable
        ]
        if partitions != table.partition_by:
            faults.append(f"partitioned by {list(partitions)}, expected {list(table.partition_by)}")
        stored_checks = {k.lower(): v for k, v in properties.items() if k.startswith("delta.constraints.")}
        wanted_checks = {f"delta.constraints.{k}".lower(): v for k, v in table.checks.items()}
        for key, condition in stored_checks.items():
            if _condition(wanted_checks.get(key, "")) != _condition(condition):
                faults.append(f"check {key.removeprefix('delta.constraints.')} differs from schemas/")
        return faults

    def _refuse(self, table: Table, faults: Sequence[str]) -> None:
        if faults:
            raise SchemaError(
                f"{self.path(table.name)}: {'; '.join(faults)}. Only new nullable columns and new checks are added by "
                "themselves: migrate the table by hand (ALTER TABLE, or move the folder away and run the pipeline "
                f"with --force {table.stage}), then start again"
            )

    def _snapshot(self, name: str) -> Any:
        jvm: Any = self.spark._jvm
        none = self._scala_none()
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, self.path(name))
        return log.update(False, none, none)

    def _scala_none(self) -> Any:
        jvm: Any = self.spark._jvm
        return jvm.scala.Option.apply(None)


def _same_type(one: Any, other: Any) -> bool:
    """Equal types; whether elements or values may be null does not count."""
    return bool(one.simpleString() == other.simpleString())


def _condition(text: str) -> str:
    return "".join(text.split()).casefold().strip("()")


def _utc_naive(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _java_map(scala_map: Any) -> dict[str, str]:
    entries = {}
    iterator = scala_map.iterator()
    while iterator.hasNext():
        pair = iterator.next()
        entries[pair._1()] = pair._2()
    return entries
