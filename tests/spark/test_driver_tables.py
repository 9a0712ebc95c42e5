from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.delta_log import DeltaLog
from reviewgen_spark.warehouse.driver_tables import DriverRecords, Records, SparkRecords, records_of
from reviewgen_spark.warehouse.tables import Warehouse

RUNS, LEASES = "ops_stage_runs", "ops_leases"
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
RUN = {
    "sequence": 1,
    "run_id": "run-1",
    "stage": "clean",
    "batch_id": 7,
    "state": "started",
    "fingerprint": "ab",
    "at": AT,
}
LEASE = {"name": "warehouse", "owner": "", "expires_at": AT}

Open = Callable[[str], Records]


@pytest.fixture
def warehouse(spark: SparkSession, config: Config) -> Warehouse:
    opened = Warehouse(spark, config)
    opened.converge([RUNS, LEASES])
    return opened


def by_driver(warehouse: Warehouse, name: str) -> Records:
    records = warehouse.records(name)
    assert isinstance(records, DriverRecords)
    return records


def by_spark(warehouse: Warehouse, name: str) -> Records:
    records = records_of(at_uri(warehouse, name), TABLES[name])
    assert isinstance(records, SparkRecords)
    return records


def at_uri(warehouse: Warehouse, name: str) -> DeltaLog:
    """Returns the log of a table by its URI, as in an object store; only Spark reads it."""
    return DeltaLog(warehouse.spark, f"file://{warehouse.path(name)}")


BOTH_READERS = pytest.mark.parametrize("records", [by_driver, by_spark])


@BOTH_READERS
def test_appended_rows_are_read(records: Callable[[Warehouse, str], Records], warehouse: Warehouse) -> None:
    counts = {"silver_reviews": 3, "errors": 0}
    done = {**RUN, "sequence": 2, "batch_id": None, "state": "succeeded", "counts": counts, "seconds": 1.5}
    records(warehouse, RUNS).append([done])
    records(warehouse, RUNS).append([RUN])
    first, second = records(warehouse, RUNS).read()  # in the order of `sequence`
    assert (first.batch_id, first.counts, first.error_class, first.at) == (7, None, None, AT.replace(tzinfo=None))
    assert (second.batch_id, second.counts, second.seconds) == (None, counts, 1.5)
    assert records(warehouse, RUNS).version() == 2


def test_the_driver_reads_without_threads_that_call_python(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_driver(warehouse, RUNS).append([RUN])
    # Such a thread can abort the process when both end at once.
    monkeypatch.setattr("deltalake.fs.DeltaStorageHandler.from_table", None)
    assert len(by_driver(warehouse, RUNS).read()) == 1


@BOTH_READERS
def test_an_update_returns_its_number_of_rows(
    records: Callable[[Warehouse, str], Records], warehouse: Warehouse
) -> None:
    records(warehouse, LEASES).append([LEASE])
    lease = {"owner": "it's \\ mine", "pid": 4, "pid_started": None, "heartbeat_at": AT}
    assert records(warehouse, LEASES).update(lease, {"name": "warehouse", "owner": ""}) == 1
    (row,) = records(warehouse, LEASES).read()
    assert (row.owner, row.pid, row.pid_started) == ("it's \\ mine", 4, None)
    assert row.heartbeat_at == AT.replace(tzinfo=None)
    assert records(warehouse, LEASES).update({"owner": ""}, {"name": "warehouse", "owner": "another"}) == 0
    assert records(warehouse, LEASES).update({"owner": ""}, {"name": "warehouse", "owner": lease["owner"]}) == 1


@BOTH_READERS
def test_constraints_are_enforced(records: Callable[[Warehouse, str], Records], warehouse: Warehouse) -> None:
    with pytest.raises(Exception, match=r"(?i)state"):
        records(warehouse, RUNS).append([{**RUN, "state": "perhaps"}])
    with pytest.raises(Exception, match=r"(?i)null"):
        records(warehouse, RUNS).append([{**RUN, "run_id": None}])
    assert records(warehouse, RUNS).read() == []


def test_driver_and_spark_read_rows_of_each_other(warehouse: Warehouse) -> None:
    by_spark(warehouse, RUNS).append([RUN])
    by_driver(warehouse, RUNS).append([{**RUN, "sequence": 2, "counts": {"a": 1}}])
    by_spark(warehouse, RUNS).append([{**RUN, "sequence": 3}])

    def rows(records: Records) -> list[Any]:
        return sorted(records.read(), key=lambda row: row.sequence)

    assert len(rows(by_driver(warehouse, RUNS))) == 3
    assert rows(by_driver(warehouse, RUNS)) == rows(by_spark(warehouse, RUNS))
    assert warehouse.read(RUNS).where("counts['a'] = 1").count() == 1


def test_a_log_is_equal_with_and_without_spark(warehouse: Warehouse) -> None:
    by_spark(warehouse, RUNS).append([RUN])
    here, there = warehouse.log(RUNS), at_uri(warehouse, RUNS)
    assert here.is_mounted and not there.is_mounted
    assert here.version() == there.version() == 1
    assert here.metadata() == there.metadata()
    assert here.metadata().properties["delta.constraints.state_is_known"] == TABLES[RUNS].checks["state_is_known"]
    assert here.exists() and there.exists()
    assert not warehouse.log("ops_erasures").exists() and not at_uri(warehouse, "ops_erasures").exists()


def test_one_of_two_concurrent_updates_is_refused(warehouse: Warehouse) -> None:
    by_driver(warehouse, LEASES).append([LEASE])
    first, second = by_driver(warehouse, LEASES), by_driver(warehouse, LEASES)
    assert first.update({"owner": "first"}, {"owner": ""}) == 1
    with pytest.raises(Exception, match=r"(?i)concurrent"):
        second.update({"owner": "second"}, {"owner": ""})
    (row,) = warehouse.records(LEASES).read()
    assert row.owner == "first"


def test_a_table_with_deletion_vectors_is_read_by_spark(spark: SparkSession, warehouse: Warehouse) -> None:
    path = warehouse.path(RUNS)
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    records = warehouse.records(RUNS)
    assert isinstance(records, SparkRecords)
    records.append([RUN])
    assert len(warehouse.records(RUNS).read()) == 1
