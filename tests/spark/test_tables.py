from dataclasses import replace

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StringType, StructField, StructType

from reviewgen_spark import schemas
from reviewgen_spark.config import Config
from reviewgen_spark.errors import SchemaError
from reviewgen_spark.warehouse.tables import Warehouse, WriteResult

NAME = "silver_review_splits"


@pytest.fixture
def warehouse(spark: SparkSession, config: Config) -> Warehouse:
    opened = Warehouse(spark, config)
    opened.converge([NAME])
    return opened


def declare(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Changes the declaration of the table, like an edit of schemas/."""
    table = replace(schemas.TABLES[NAME], **changes)  # type: ignore[arg-type]
    monkeypatch.setitem(schemas.TABLES, NAME, table)  # type: ignore[arg-type]


def rows(warehouse: Warehouse, batch: int, *splits: str) -> object:
    values = [{"record_id": str(i), "cluster_id": "c", "split": s, "batch_id": batch} for i, s in enumerate(splits)]
    return warehouse.rows(NAME, values)


def contents(warehouse: Warehouse) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in warehouse.read(NAME).select("batch_id", "record_id", "split").collect())


def test_a_whole_batch_is_replaced_and_no_other(warehouse: Warehouse) -> None:
    warehouse.replace_batch(NAME, rows(warehouse, 1, "train", "test"), 1)  # type: ignore[arg-type]
    warehouse.replace_batch(NAME, rows(warehouse, 2, "train"), 2)  # type: ignore[arg-type]
    written = warehouse.replace_batch(NAME, rows(warehouse, 1, "test"), 1)  # type: ignore[arg-type]
    assert written.row_count == 1
    assert contents(warehouse) == [(1, "0", "test"), (2, "0", "train")]
    warehouse.replace_batch(NAME, rows(warehouse, 1), 1)  # type: ignore[arg-type]
    assert contents(warehouse) == [(2, "0", "train")]
    assert warehouse.read(NAME, version=written.version).count() == 2


def test_clearing_a_batch_writes_only_if_the_batch_exists(warehouse: Warehouse) -> None:
    first = warehouse.replace_batch(NAME, rows(warehouse, 1, "train", "test"), 1)  # type: ignore[arg-type]
    assert warehouse.clear_batch(NAME, 2) == WriteResult(first.version, 0)
    assert warehouse.version(NAME) == first.version
    assert warehouse.clear_batch(NAME, 1).version > first.version
    assert contents(warehouse) == []


def test_rows_of_another_batch_are_refused(warehouse: Warehouse) -> None:
    with pytest.raises(PySparkException):
        warehouse.replace_batch(NAME, rows(warehouse, 2, "train"), 1)  # type: ignore[arg-type]
    assert contents(warehouse) == []


def test_rows_of_another_schema_are_refused_with_the_differences(warehouse: Warehouse) -> None:
    fitting = rows(warehouse, 1, "train")
    bad = fitting.withColumn("batch_id", F.lit("1")).withColumn("more", F.lit(1)).drop("split")  # type: ignore[attr-defined]
    with pytest.raises(SchemaError, match=r"missing \['split'\], wrong \['batch_id is string.*unknown \['more'\]"):
        warehouse.replace_batch(NAME, bad, 1)


def test_a_write_returns_its_row_count_also_for_no_rows(warehouse: Warehouse) -> None:
    first = warehouse.replace_batch(NAME, rows(warehouse, 1, "train", "test"), 1)  # type: ignore[arg-type]
    none = warehouse.replace_batch(NAME, rows(warehouse, 2), 2)  # type: ignore[arg-type]
    cleared = warehouse.replace_batch(NAME, rows(warehouse, 1), 1)  # type: ignore[arg-type]
    assert [written.row_count for written in (first, none, cleared)] == [2, 0, 0]
    assert none.version == first.version < cleared.version


def test_a_check_constraint_is_enforced(warehouse: Warehouse) -> None:
    with pytest.raises(PySparkException, match="split_is_known"):
        warehouse.replace_batch(NAME, rows(warehouse, 1, "trian"), 1)  # type: ignore[arg-type]


def test_converging_twice_changes_nothing(warehouse: Warehouse) -> None:
    before = warehouse.version(NAME)
    warehouse.converge([NAME])
    assert warehouse.version(NAME) == before


def test_a_new_column_comment_and_check_are_added(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.replace_batch(NAME, rows(warehouse, 1, "train"), 1)  # type: ignore[arg-type]
    old = schemas.TABLES[NAME].columns.fields
    described = StructField(old[0].name, old[0].dataType, old[0].nullable, {"comment": "it's new"})
    added = StructField("weight", DoubleType(), True, {"comment": "how much it counts"})
    checks = {**schemas.TABLES[NAME].checks, "weight_is_positive": "weight IS NULL OR weight > 0"}
    declare(monkeypatch, columns=StructType([described, *old[1:], added]), checks=checks)
    warehouse.converge([NAME])
    stored = warehouse.read(NAME).schema
    assert stored["weight"].metadata["comment"] == "how much it counts"
    assert stored["record_id"].metadata["comment"] == "it's new"
    assert warehouse.read(NAME).select("weight").collect()[0][0] is None
    with pytest.raises(PySparkException, match="weight_is_positive"):
        bad = rows(warehouse, 2, "train").withColumn("weight", F.lit(-1.0))  # type: ignore[attr-defined]
        warehouse.replace_batch(NAME, bad, 2)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda t: {"columns": StructType(t.columns.fields[:-2] + t.columns.fields[-1:])},
            "split is not in schemas/",
        ),
        (
            lambda t: {"columns": StructType([StructField("record_id", DoubleType(), False), *t.columns.fields[1:]])},
            "record_id is string, expected double",
        ),
        (
            lambda t: {"columns": StructType([*t.columns.fields, StructField("new", StringType(), False)])},
            "make it nullable",
        ),
        (lambda t: {"partition_by": ()}, "partitioned by"),
        (lambda t: {"checks": {"split_is_known": "split IS NOT NULL"}}, "split_is_known differs"),
    ],
)
def test_other_schema_changes_are_refused_with_the_next_step(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, change: object, expected: str
) -> None:
    declare(monkeypatch, **change(schemas.TABLES[NAME]))  # type: ignore[operator]
    with pytest.raises(SchemaError, match=expected) as error:
        warehouse.converge([NAME])
    assert "migrate the table by hand" in str(error.value)


def test_an_export_is_parquet_and_an_empty_batch_has_no_folder(
    warehouse: Warehouse, spark: SparkSession, config: Config
) -> None:
    warehouse.replace_batch(NAME, rows(warehouse, 1, "train", "test"), 1)  # type: ignore[arg-type]
    warehouse.replace_batch(NAME, rows(warehouse, 2, "train"), 2)  # type: ignore[arg-type]
    for batch in (1, 2, 1):
        warehouse.export_batch(NAME, batch)
    exported = spark.read.parquet(f"{config.paths.exports}/{NAME}")
    assert sorted(r.batch_id for r in exported.collect()) == [1, 1, 2]
    warehouse.replace_batch(NAME, rows(warehouse, 1), 1)  # type: ignore[arg-type]
    warehouse.export_batch(NAME, 1)
    assert [r.batch_id for r in spark.read.parquet(f"{config.paths.exports}/{NAME}").collect()] == [2]


def test_a_view_exists_if_one_of_its_tables_exists(spark: SparkSession, config: Config) -> None:
    from reviewgen_spark.serving.sql.catalog import register_tables

    opened = Warehouse(spark, config)
    opened.converge(["silver_reviews"])
    try:
        names = register_tables(spark, config)
        assert names == ["silver_reviews", "silver_unique_reviews", "gold_labelled_reviews"]
        assert spark.table("silver_unique_reviews").count() == 0
    finally:
        for name in names:
            spark.catalog.dropTempView(name)
        spark.sql("DROP TABLE IF EXISTS silver_reviews")
