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
    "run_id": "night",
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
    made = Warehouse(spark, config)
    made.converge([RUNS, LEASES])
    return made


def by_driver(warehouse: Warehouse, name: str) -> Records:
    found = warehouse.records(name)
    assert isinstance(found, DriverRecords)
    return found


def by_spark(warehouse: Warehouse, name: str) -> Records:
    found = records_of(at_uri(warehouse, name), TABLES[name])
    assert isinstance(found, SparkRecords)
    return found


def at_uri(warehouse: Warehouse, name: str) -> DeltaLog:
    """The same table as one in an object store is named: out of reach for this process, not for Spark."""
    return DeltaLog(warehouse.spark, f"file://{warehouse.path(name)}")


WAYS = pytest.mark.parametrize("records", [by_driver, by_spark])


@WAYS
def test_what_is_appended_is_read(records: Callable[[Warehouse, str], Records], warehouse: Warehouse) -> None:
    counts = {"silver_reviews": 3, "errors": 0}
    done = {**RUN, "sequence": 2, "batch_id": None, "state": "succeeded", "counts": counts, "seconds": 1.5}
    records(warehouse, RUNS).append([done])
    records(warehouse, RUNS).append([RUN])
    first, second = records(warehouse, RUNS).read()  # in the order of `sequence`
    assert (first.batch_id, first.counts, first.error_class, first.at) == (7, None, None, AT.replace(tzinfo=None))
    assert (second.batch_id, second.counts, second.seconds) == (None, counts, 1.5)
    assert records(warehouse, RUNS).version() == 2


def test_the_driver_reads_by_no_thread_that_calls_python(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    by_driver(warehouse, RUNS).append([RUN])
    # One that ends while the process does aborts it.
    monkeypatch.setattr("deltalake.fs.DeltaStorageHandler.from_table", None)
    assert len(by_driver(warehouse, RUNS).read()) == 1


@WAYS
def test_an_update_says_how_many_rows_it_met(
    records: Callable[[Warehouse, str], Records], warehouse: Warehouse
) -> None:
    records(warehouse, LEASES).append([LEASE])
    taken = {"owner": "it's \\ mine", "pid": 4, "pid_started": None, "heartbeat_at": AT}
    assert records(warehouse, LEASES).update(taken, {"name": "warehouse", "owner": ""}) == 1
    (row,) = records(warehouse, LEASES).read()
    assert (row.owner, row.pid, row.pid_started) == ("it's \\ mine", 4, None)
    assert row.heartbeat_at == AT.replace(tzinfo=None)
    assert records(warehouse, LEASES).update({"owner": ""}, {"name": "warehouse", "owner": "another"}) == 0
    assert records(warehouse, LEASES).update({"owner": ""}, {"name": "warehouse", "owner": taken["owner"]}) == 1


@WAYS
def test_checks_hold(records: Callable[[Warehouse, str], Records], warehouse: Warehouse) -> None:
    with pytest.raises(Exception, match=r"(?i)state"):
        records(warehouse, RUNS).append([{**RUN, "state": "perhaps"}])
    with pytest.raises(Exception, match=r"(?i)null"):
        records(warehouse, RUNS).append([{**RUN, "run_id": None}])
    assert records(warehouse, RUNS).read() == []


def test_both_read_what_the_other_wrote(warehouse: Warehouse) -> None:
    by_spark(warehouse, RUNS).append([RUN])
    by_driver(warehouse, RUNS).append([{**RUN, "sequence": 2, "counts": {"a": 1}}])
    by_spark(warehouse, RUNS).append([{**RUN, "sequence": 3}])

    def rows(found: Records) -> list[Any]:
        return sorted(found.read(), key=lambda row: row.sequence)

    assert len(rows(by_driver(warehouse, RUNS))) == 3
    assert rows(by_driver(warehouse, RUNS)) == rows(by_spark(warehouse, RUNS))
    assert warehouse.read(RUNS).where("counts['a'] = 1").count() == 1


def test_a_log_says_the_same_by_spark_and_without(warehouse: Warehouse) -> None:
    by_spark(warehouse, RUNS).append([RUN])
    here, there = warehouse.log(RUNS), at_uri(warehouse, RUNS)
    assert here.is_mounted and not there.is_mounted
    assert here.version() == there.version() == 1
    assert here.metadata() == there.metadata()
    assert here.metadata().properties["delta.constraints.state_is_known"] == TABLES[RUNS].checks["state_is_known"]
    assert here.exists() and there.exists()
    assert not warehouse.log("ops_erasures").exists() and not at_uri(warehouse, "ops_erasures").exists()


def test_of_two_that_update_at_once_one_is_refused(warehouse: Warehouse) -> None:
    by_driver(warehouse, LEASES).append([LEASE])
    first, second = by_driver(warehouse, LEASES), by_driver(warehouse, LEASES)
    assert first.update({"owner": "first"}, {"owner": ""}) == 1
    with pytest.raises(Exception, match=r"(?i)concurrent"):
        second.update({"owner": "second"}, {"owner": ""})
    (row,) = warehouse.records(LEASES).read()
    assert row.owner == "first"


def test_a_table_with_features_is_left_to_spark(spark: SparkSession, warehouse: Warehouse) -> None:
    path = warehouse.path(RUNS)
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    records = warehouse.records(RUNS)
    assert isinstance(records, SparkRecords)
    records.append([RUN])
    assert len(warehouse.records(RUNS).read()) == 1
