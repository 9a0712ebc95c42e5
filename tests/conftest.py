"""Shares fixtures with all tests: one lazy Spark session for a test run, and a configuration in a temporary folder."""

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from reviewgen_spark.config import Config, load_config

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("REVIEWGEN_USER_KEY", "a key for tests, not a secret")
# A test run is too short for optimised machine code: its compilation used more of the two cores than Spark.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
# Local folders of its own, because an erasure also searches those that other sessions of Spark have left behind.
LOCAL_FOLDERS = tempfile.mkdtemp(prefix="reviewgen-tests-")
atexit.register(shutil.rmtree, LOCAL_FOLDERS, ignore_errors=True)
os.environ["SPARK_LOCAL_DIRS"] = LOCAL_FOLDERS
os.environ["SPARK_SUBMIT_OPTS"] += f" -Djava.io.tmpdir={LOCAL_FOLDERS}"
# Spark generates Java for each query and compiles it. For a few hundred rows this is most of the work. The processes
# of test_kill, test_privacy and test_cluster compile as in production, and must write the same rows as this session.
INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
# One partition and one plan for a query: with tables this small, splitting and re-planning take a third of the time.
ONE_TASK = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.lightweightPlanChangeValidation": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1",
}

# Deadlines measure the machine, which may be busy; the cases are the same.
settings.register_profile("shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-machine")

ConfigFactory = Callable[..., Config]


@pytest.fixture
def make_config(tmp_path: Path) -> ConfigFactory:
    """Returns a function that loads a configuration in the folder of the test; `section.key=value` strings override."""

    def make(*overrides: str) -> Config:
        return load_config("local", [f"paths.root={tmp_path}", *overrides])

    return make


@pytest.fixture
def config(make_config: ConfigFactory) -> Config:
    return make_config()


@pytest.fixture(scope="session")
def spark() -> Iterator["SparkSession"]:
    """Starts one session for all tests, because a start costs seconds. Unit tests alone start none."""
    from reviewgen_spark.orchestration.session import start_session

    settings = (
        "spark.master=local[2,2]",
        "spark.driver_memory=2g",
        "spark.shuffle_partitions=1",
        f"spark.extra={json.dumps(INTERPRETED | ONE_TASK)}",
    )
    session = start_session(load_config("local", settings), "reviewgen-tests")
    yield session
    session.stop()


@pytest.fixture(autouse=True)
def _clear_cache(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "spark" in request.fixturenames:
        request.getfixturevalue("spark").catalog.clearCache()
