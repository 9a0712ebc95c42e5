"""Tests killed and concurrent processes: the tables must be the same in the end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from reviewgen_spark.pipelines import nightly

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.operations.counts import count_records
from reviewgen_spark.operations.demo.sample import write_sample
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.tables import Warehouse

pytestmark = pytest.mark.e2e

TABLE_NAMES = ("bronze_reviews", "bronze_reviews_quarantine", "bronze_redeliveries", "bronze_gold_labels",
               "silver_reviews", "silver_review_clusters")  # fmt: skip
STAGES = nightly.STAGES[:3]


def overrides(root: Path, landing: Path) -> list[str]:
    return [f"paths.root={root}", f"paths.landing={landing}", "ingest.max_rows_per_batch=250"]


def start(root: Path, landing: Path, *arguments: str) -> subprocess.Popen[str]:
    options = [part for override in overrides(root, landing) for part in ("--set", override)]
    command = [sys.executable, "-m", "reviewgen_spark.cli", "run", "nightly", "--until", "dedup", *arguments, *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def kill_at(process: subprocess.Popen[str], line_starts: str, delay_s: float) -> None:
    """Kills the driver and its JVM shortly after a batch has started, as the kernel does without memory."""
    assert process.stderr is not None
    for line in process.stderr:
        if line_starts in line and line.rstrip().endswith("started"):
            time.sleep(delay_s)
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


def contents(spark: SparkSession, config: Config) -> dict[str, list[str]]:
    warehouse = Warehouse(spark, config)
    return {name: sorted(map(str, warehouse.read(name).collect())) for name in TABLE_NAMES}


def finish(spark: SparkSession, config: Config, stages: Sequence[object] = STAGES) -> None:
    with open_run(spark, config, report=lambda line: None) as run:
        run.pipeline(stages)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_sample(folder, 300)
    return folder


@dataclass(frozen=True)
class TwoRuns:
    """Holds the results of two runs that were started at once on one warehouse."""

    root: Path
    codes: list[int]
    errors: list[str]


@pytest.fixture(scope="module")
def two_runs(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> TwoRuns:
    root = tmp_path_factory.mktemp("two")
    processes = [start(root, landing) for _ in range(2)]
    errors = [process.communicate(timeout=600)[1] for process in processes]
    return TwoRuns(root, [process.returncode for process in processes], errors)


def test_one_of_two_concurrent_runs_is_refused(two_runs: TwoRuns, landing: Path, spark: SparkSession) -> None:
    codes, errors = two_runs.codes, two_runs.errors
    # the accepted run ends with 3, because the sample has a rejected file
    assert sorted(codes) == [3, 5], errors
    assert "warehouse" in errors[codes.index(5)]
    config = load_config("local", overrides(two_runs.root, landing))
    rows = Warehouse(spark, config).read("bronze_reviews")
    assert rows.count() == rows.select("record_id").distinct().count() > 200
    assert count_missing_records(spark, config) == 0


def count_missing_records(spark: SparkSession, config: Config) -> int:
    """Returns the number of delivered records that are in no table."""
    warehouse = Warehouse(spark, config)
    warehouse.converge()
    counts = count_records(warehouse)
    return counts.delivered - counts.bronze - counts.quarantined - counts.redelivered - counts.gold_labels


def test_a_driver_killed_in_two_stages_writes_the_same_tables(
    spark: SparkSession, two_runs: TwoRuns, landing: Path, tmp_path: Path
) -> None:
    killed = load_config("local", overrides(tmp_path, landing))
    kill_at(start(tmp_path, landing), "[ingest] batch 2", 1.0)
    kill_at(start(tmp_path, landing), "[clean] batch 1", 1.0)
    finish(spark, killed)  # takes over the lease of a dead process

    whole = contents(spark, load_config("local", overrides(two_runs.root, landing)))  # that run was not killed
    assert all(whole[name] for name in TABLE_NAMES)
    assert contents(spark, killed) == whole
    runs = Warehouse(spark, killed).read("ops_stage_runs").collect()
    for stage, batch in (("ingest", 2), ("clean", 1)):
        states = [r.state for r in sorted(runs, key=lambda r: r.sequence) if (r.stage, r.batch_id) == (stage, batch)]
        assert states[0] == "started" and states.count("succeeded") == 1 and len(states) > 2, (stage, states)
    assert len(TABLES) > len(TABLE_NAMES)
