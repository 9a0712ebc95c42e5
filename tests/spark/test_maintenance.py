"""Tests maintenance: compaction keeps rows, old rows of the run log are deleted, and history is removed."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.operations.maintenance import maintain
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.warehouse.table_maintenance import forget_history
from reviewgen_spark.warehouse.tables import Warehouse

SPLITS, WORDS, RUNS = "silver_review_splits", "gold_product_keywords", "ops_stage_runs"


@pytest.fixture
def warehouse(spark: SparkSession, config: Config) -> Warehouse:
    """Returns a warehouse with a partition of several files, a roll-up, and a log with old rows."""
    filled = Warehouse(spark, config)
    filled.converge([SPLITS, WORDS, RUNS])
    values = [{"record_id": f"record-{n}", "cluster_id": "c", "split": "train", "batch_id": 1} for n in range(8)]
    filled.append(SPLITS, filled.rows(SPLITS, values).repartition(4))
    word = {"method_code": "tfidf", "place": 1, "word": "w", "score": 1.0, "review_count": 3}
    filled.append(WORDS, filled.rows(WORDS, [{"product_id": f"p{n}", **word} for n in range(4)]).repartition(4))
    now, states = datetime.now(UTC), ("started", "succeeded", "started", "succeeded", "started", "failed")
    ledger = [
        {"sequence": n, "run_id": "r", "stage": "tokens", "batch_id": 1, "state": state, "fingerprint": "f", "at": at}
        for n, (state, at) in enumerate(zip(states, [now - timedelta(days=40)] * 6, strict=True), start=1)
    ]
    ledger.append({**ledger[0], "sequence": 7, "stage": "clean", "at": now})
    ledger.append({**ledger[0], "sequence": 8, "stage": "report", "batch_id": None})
    filled.append(RUNS, filled.rows(RUNS, ledger))
    return filled


def contents(warehouse: Warehouse, name: str) -> list[str]:
    return sorted(map(str, warehouse.read(name).collect()))


def file_count(warehouse: Warehouse, name: str) -> int:
    return len(warehouse.read(name).inputFiles())


def test_tables_are_compacted_and_only_the_run_log_loses_rows(
    warehouse: Warehouse, spark: SparkSession, config: Config
) -> None:
    before = {name: contents(warehouse, name) for name in (SPLITS, WORDS)}
    files = {name: file_count(warehouse, name) for name in before}
    assert min(files.values()) > 1
    with open_run(spark, config, report=lambda line: None) as run:
        assert maintain(run, is_dry=True).expired_runs == 4
        assert {name: file_count(warehouse, name) for name in before} == files
        done = maintain(run)
    assert {name: contents(warehouse, name) for name in before} == before
    assert {name: file_count(warehouse, name) for name in before} == dict.fromkeys(before, 1)
    # the last row of a stage and batch, and the last that succeeded
    assert sorted(row.sequence for row in warehouse.read(RUNS).collect()) == [4, 6, 7, 8]
    assert done.expired_runs == 4
    # a clustered table is written and converged as before
    warehouse.converge([WORDS])
    warehouse.replace(WORDS, warehouse.read(WORDS).where("product_id = 'p1'"))
    assert warehouse.read(WORDS).count() == 1


def test_a_table_without_history_has_no_deleted_values(warehouse: Warehouse) -> None:
    folder = Path(warehouse.path(SPLITS))
    deleted = warehouse.read(SPLITS).where("record_id = 'record-7'").select("record_id")
    assert warehouse.delete(SPLITS, deleted, ("record_id",))
    assert not warehouse.delete(SPLITS, deleted, ("record_id",))

    def files_with_the_value() -> list[str]:
        matching = [file for file in folder.rglob("*.json") if b"record-7" in file.read_bytes()]
        return [file.name for file in matching]

    remaining = contents(warehouse, SPLITS)
    assert files_with_the_value(), "it is in the statistics of Delta's log"
    assert forget_history(warehouse, SPLITS)
    assert files_with_the_value() == []
    assert len(list(folder.rglob("*.parquet"))) == file_count(warehouse, SPLITS) + 1, "and a checkpoint"
    assert contents(warehouse, SPLITS) == remaining
    assert not forget_history(warehouse, SPLITS), "there is no history left"
    # another process can read and write it like any table
    copy = folder.with_name("silver_tokens")
    shutil.copytree(folder, copy)
    assert warehouse.spark.read.format("delta").load(str(copy)).count() == 7
    more = warehouse.read(SPLITS).where("record_id = 'record-1'").withColumn("batch_id", F.lit(2).cast("long"))
    warehouse.replace_batch(SPLITS, more, 2)
    assert warehouse.read(SPLITS).count() == 8
