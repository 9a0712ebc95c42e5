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


def test_the_second_is_refused_until_the_first_gives_back(warehouse: Warehouse, config: Config) -> None:
    first = take(warehouse, config, "night-1")
    first.check()
    with pytest.raises(LeaseError, match="night-1 holds the warehouse"):
        take(warehouse, config, "night-2")
    first.release()
    second = take(warehouse, config, "night-2")
    second.check()
    second.release()


def test_a_warehouse_at_a_uri_is_leased_by_spark(spark: SparkSession, make_config: ConfigFactory) -> None:
    here = Warehouse(spark, make_config())
    here.converge(["ops_leases"])  # Delta creates none at file:///, which it takes for another place than file:/
    config = make_config(f"paths.warehouse=file://{here.path('ops_leases').removesuffix('/ops_leases')}")
    warehouse = Warehouse(spark, config)
    assert isinstance(warehouse.records("ops_leases"), SparkRecords)
    first = take(warehouse, config, "night-1")
    first.check()
    with pytest.raises(LeaseError, match="night-1 holds the warehouse"):
        take(warehouse, config, "night-2")
    first.release()
    take(warehouse, config, "night-2").release()


def hold_as(warehouse: Warehouse, **values: object) -> None:
    """Write the row of a holder, as another process would have."""
    now = datetime.now(UTC)
    row = {"name": "warehouse", "owner": "other", "host": socket.gethostname(), "pid": 1, "pid_started": "0",
           "heartbeat_at": now, "expires_at": now + timedelta(minutes=3), **values}  # fmt: skip
    warehouse.converge(["ops_leases"])
    warehouse.replace("ops_leases", warehouse.rows("ops_leases", [row]))


def test_a_dead_process_on_this_machine_is_taken_over_at_once(warehouse: Warehouse, config: Config) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    hold_as(warehouse, pid=gone.pid, pid_started="1")
    take(warehouse, config, "night-2").release()


def test_a_process_on_another_machine_is_waited_for(warehouse: Warehouse, config: Config) -> None:
    hold_as(warehouse, host="another-machine")
    with pytest.raises(LeaseError, match="other holds the warehouse"):
        take(warehouse, config, "night-2")
    hold_as(warehouse, host="another-machine", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    take(warehouse, config, "night-2").release()


def test_a_run_that_woke_up_late_may_not_write(warehouse: Warehouse, config: Config) -> None:
    lease = take(warehouse, config, "night-1")
    hold_as(warehouse, owner="night-2", pid=os.getpid())
    assert not lease._update("night-1", "night-1"), "a heartbeat renews nothing that is lost"
    with pytest.raises(LeaseError, match="lost the warehouse: run night-2"):
        lease.check()
    lease.release()
    assert warehouse.read("ops_leases").head().owner == "night-2", "a lost lease must not be given back"
    lease._expires_at = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(LeaseError, match="stopped for longer"):
        lease.check()


def test_a_stage_that_fails_once_the_warehouse_is_lost_says_so_and_logs_nothing(
    spark: SparkSession, warehouse: Warehouse, config: Config
) -> None:
    def lose(inputs: Inputs) -> dict[str, DataFrame]:
        hold_as(warehouse, owner="night-2", pid=os.getpid())
        raise RuntimeError("Delta refused the commit")

    stage = Stage(name="report", version=1, scope="table", reads=(), writes=(), run=lose)
    with (
        pytest.raises(LeaseError, match="lost the warehouse: run night-2"),
        open_run(spark, config, report=lambda line: None) as run,
    ):
        run.stage(stage)
    assert [row.state for row in warehouse.records("ops_stage_runs").read()] == ["started"]
    assert warehouse.read("ops_leases").head().owner == "night-2"
