import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.errors import LeaseError
from reviewgen_spark.orchestration.lease import Lease
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.warehouse.driver_tables import SparkRecords
from reviewgen_spark.warehouse.tables import Warehouse
from tests.conftest import ConfigFactory


@pytest.fixture
def warehouse(spark: SparkSession, config: Config) -> Warehouse:
    return Warehouse(spark, config)


def take(warehouse: Warehouse, config: Config, name: str) -> Lease:
    lease = Lease(warehouse, config, name)
    lease.acquire()
    return lease


def test_a_second_run_is_refused_until_the_first_releases_the_lease(warehouse: Warehouse, config: Config) -> None:
    first = take(warehouse, config, "run-1")
    first.check()
    with pytest.raises(LeaseError, match="run-1 holds the warehouse"):
        take(warehouse, config, "run-2")
    first.release()
    second = take(warehouse, config, "run-2")
    second.check()
    second.release()


def test_a_warehouse_at_a_uri_is_leased_by_spark(spark: SparkSession, make_config: ConfigFactory) -> None:
    here = Warehouse(spark, make_config())
    # Delta cannot create the table at file:///, because it treats file:/// and file:/ as different paths.
    here.converge(["ops_leases"])
    config = make_config(f"paths.warehouse=file://{here.path('ops_leases').removesuffix('/ops_leases')}")
    warehouse = Warehouse(spark, config)
    assert isinstance(warehouse.records("ops_leases"), SparkRecords)
    first = take(warehouse, config, "run-1")
    first.check()
    with pytest.raises(LeaseError, match="run-1 holds the warehouse"):
        take(warehouse, config, "run-2")
    first.release()
    take(warehouse, config, "run-2").release()


def hold_as(warehouse: Warehouse, **values: object) -> None:
    """Writes the row of a lease that another process holds."""
    now = datetime.now(UTC)
    row = {"name": "warehouse", "owner": "other", "host": socket.gethostname(), "pid": 1, "pid_started": "0",
           "heartbeat_at": now, "expires_at": now + timedelta(minutes=3), **values}  # fmt: skip
    warehouse.converge(["ops_leases"])
    warehouse.replace("ops_leases", warehouse.rows("ops_leases", [row]))


def test_the_lease_of_a_dead_local_process_is_taken_over(warehouse: Warehouse, config: Config) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    hold_as(warehouse, pid=ended.pid, pid_started="1")
    take(warehouse, config, "run-2").release()


def test_the_lease_of_another_machine_is_respected_until_it_expires(warehouse: Warehouse, config: Config) -> None:
    hold_as(warehouse, host="another-machine")
    with pytest.raises(LeaseError, match="other holds the warehouse"):
        take(warehouse, config, "run-2")
    hold_as(warehouse, host="another-machine", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    take(warehouse, config, "run-2").release()


def test_a_run_that_lost_its_lease_may_not_write(warehouse: Warehouse, config: Config) -> None:
    lease = take(warehouse, config, "run-1")
    hold_as(warehouse, owner="run-2", pid=os.getpid())
    assert not lease._update("run-1", "run-1"), "a heartbeat does not renew a lost lease"
    with pytest.raises(LeaseError, match="lost the warehouse: run run-2"):
        lease.check()
    lease.release()
    assert warehouse.read("ops_leases").head().owner == "run-2", "a lost lease must not be released"
    lease._expires_at = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(LeaseError, match="stopped for longer"):
        lease.check()


def test_a_stage_that_fails_after_losing_the_lease_logs_nothing(
    spark: SparkSession, warehouse: Warehouse, config: Config
) -> None:
    def lose(inputs: Inputs) -> dict[str, DataFrame]:
        hold_as(warehouse, owner="run-2", pid=os.getpid())
        raise RuntimeError("Delta refused the commit")

    stage = Stage(name="report", version=1, scope="table", reads=(), writes=(), run=lose)
    with (
        pytest.raises(LeaseError, match="lost the warehouse: run run-2"),
        open_run(spark, config, report=lambda line: None) as run,
    ):
        run.stage(stage)
    assert [row.state for row in warehouse.records("ops_stage_runs").read()] == ["started"]
    assert warehouse.read("ops_leases").head().owner == "run-2"
