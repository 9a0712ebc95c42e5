"""Tests files that workers write and delta-rs commits (ADR 16), against the same rows written by Spark."""

import json
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import ArrowRows, arrow_schema
from reviewgen_spark.warehouse.delta_log import sql_name
from reviewgen_spark.warehouse.table_maintenance import forget_history
from reviewgen_spark.warehouse.tables import Warehouse, WriteResult

NAME = "silver_tokens"
COLUMNS = TABLES[NAME].columns
SCHEMA = arrow_schema(COLUMNS)


@pytest.fixture
def warehouse(spark: SparkSession, config: Config) -> Warehouse:
    opened = Warehouse(spark, config)
    opened.converge([NAME])
    return opened


def words(spark: SparkSession, batch: int, count: int, tasks: int = 1) -> ArrowRows:
    """Returns rows whose words are numbers: row 2 has the words "2", "a b" and "3", row 0 has none."""
    schema = SCHEMA

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for ids in batches:
            numbers = ids.column("id").to_pylist()
            lists = [[str(n), "a b", str(n + 1)] if n else [] for n in numbers]
            columns = [[f"{n:032x}" for n in numbers], lists, [one[:1] for one in lists], [len(one) for one in lists]]
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=False)]
            yield pa.RecordBatch.from_arrays([*arrays, pa.array([batch] * len(numbers), pa.int64())], schema=schema)

    return ArrowRows(spark.range(0, count, 1, tasks), convert, COLUMNS)


def spoilt(rows: ArrowRows, column: str, value: object) -> ArrowRows:
    """Returns the rows with one value in every row of a column."""
    convert, schema, index = rows.convert, SCHEMA, COLUMNS.names.index(column)

    def spoil(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in convert(batches):
            values = pa.array([value] * batch.num_rows, schema.field(index).type)
            yield pa.RecordBatch.from_arrays(
                [*batch.columns[:index], values, *batch.columns[index + 1 :]], schema=schema
            )

    return ArrowRows(rows.source, spoil, rows.schema)


def contents(warehouse: Warehouse, batch: int) -> list[tuple[object, ...]]:
    rows = warehouse.read(NAME).where(f"batch_id = {batch}").drop("batch_id").collect()
    return sorted(tuple(row) for row in rows)


def engine(warehouse: Warehouse) -> str:
    return re.split("[:/]", str(DeltaTable(warehouse.path(NAME)).history(1)[0]["engineInfo"]))[0]


def test_workers_write_the_rows_that_spark_writes(spark: SparkSession, warehouse: Warehouse) -> None:
    written = warehouse.replace_batch(NAME, words(spark, 1, 6, tasks=2), 1)
    assert (written, engine(warehouse)) == (WriteResult(warehouse.version(NAME), 6), "delta-rs")
    by_spark = warehouse.replace_batch(NAME, words(spark, 2, 6).frame(), 2)
    assert (by_spark.row_count, engine(warehouse)) == (6, "Apache-Spark")
    assert contents(warehouse, 1) == contents(warehouse, 2) != []
    again = warehouse.replace_batch(NAME, words(spark, 2, 3), 2)
    assert (again.row_count, len(contents(warehouse, 2)), len(contents(warehouse, 1))) == (3, 3, 6)
    assert warehouse.read(NAME, written.version).count() == 6
    files = list(Path(warehouse.path(NAME)).rglob("*.parquet"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert warehouse.read(NAME).schema.simpleString() == COLUMNS.simpleString()


def test_a_batch_without_rows_is_emptied_once(spark: SparkSession, warehouse: Warehouse) -> None:
    first = warehouse.replace_batch(NAME, words(spark, 1, 2), 1)
    assert warehouse.replace_batch(NAME, words(spark, 2, 0), 2) == WriteResult(first.version, 0)
    emptied = warehouse.replace_batch(NAME, words(spark, 1, 0), 1)
    assert emptied == WriteResult(first.version + 1, 0)
    assert warehouse.replace_batch(NAME, words(spark, 1, 0), 1) == emptied
    assert contents(warehouse, 1) == []


@pytest.mark.parametrize(
    ("column", "value"), [("record_id", None), ("tokens", None), ("tokens", ["a", None]), ("batch_id", 2)]
)
def test_nulls_and_rows_of_another_batch_commit_nothing(
    spark: SparkSession, warehouse: Warehouse, column: str, value: object
) -> None:
    before = warehouse.version(NAME)
    with pytest.raises(PySparkException):
        warehouse.replace_batch(NAME, spoilt(words(spark, 1, 2), column, value), 1)
    assert warehouse.version(NAME) == before


def test_files_of_a_write_that_fails_are_seen_by_nobody_and_deleted(spark: SparkSession, warehouse: Warehouse) -> None:
    kept = warehouse.replace_batch(NAME, words(spark, 1, 2), 1)
    rows = words(spark, 1, 4, tasks=2)
    convert = rows.convert

    def fail_late(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in convert(batches):
            yield batch
            if batch.column("record_id")[-1].as_py().endswith("3"):
                raise RuntimeError("the second task fails after its rows")

    with pytest.raises(PySparkException):
        warehouse.replace_batch(NAME, ArrowRows(rows.source, fail_late, rows.schema), 1)
    assert (warehouse.version(NAME), len(contents(warehouse, 1))) == (kept.version, 2)
    folder = Path(warehouse.path(NAME))
    assert len(list(folder.rglob("*.parquet"))) > 1
    assert forget_history(warehouse, NAME)
    assert len(list(folder.glob("batch_id=1/*.parquet"))) == 1
    assert len(contents(warehouse, 1)) == 2


def test_a_commit_that_came_between_stops_the_write(spark: SparkSession, warehouse: Warehouse) -> None:
    rows, folder = words(spark, 1, 2), warehouse.path(NAME)
    convert = rows.convert

    def overtake(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in convert(batches):
            write_deltalake(folder, pa.Table.from_batches([batch]), mode="append")  # another run, with the same batch
            yield batch

    with pytest.raises(CommitFailedError):
        warehouse.replace_batch(NAME, ArrowRows(rows.source, overtake, rows.schema), 1)
    assert len(contents(warehouse, 1)) == 2


def test_spark_writes_tables_that_demand_more_of_a_writer(spark: SparkSession, warehouse: Warehouse) -> None:
    table = sql_name(warehouse.path(NAME))
    spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT some_words CHECK (token_count > 0)")
    with pytest.raises(PySparkException, match="some_words"):
        warehouse.replace_batch(NAME, words(spark, 1, 2), 1)
    spark.sql(f"ALTER TABLE {table} DROP CONSTRAINT some_words")
    assert warehouse.replace_batch(NAME, words(spark, 1, 2), 1).row_count == 2
    assert engine(warehouse) == "Apache-Spark"
    assert len(contents(warehouse, 1)) == 2


def test_delta_log_quotes_no_value_of_a_row(spark: SparkSession, warehouse: Warehouse) -> None:
    version = warehouse.replace_batch(NAME, words(spark, 1, 2), 1).version
    lines = Path(warehouse.path(NAME), "_delta_log", f"{version:020}.json").read_text(encoding="utf-8").splitlines()
    [added] = [json.loads(line)["add"] for line in lines if "add" in json.loads(line)]
    assert json.loads(added["stats"]) == {"numRecords": 2}
