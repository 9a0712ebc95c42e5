"""Ours: runs a pipeline like `reviewgen run`; the time starts after the session.

Progress lines are written to stderr; `by_stage` is the time up to the last line of each stage. With `--digest` it also
prints the row count and an order-independent hash of every table, outside of the time.
"""

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from reviewgen_spark.pipelines import nightly, train
from worker_memory import WorkerMemory

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.orchestration.delivery_gate import check_night
from reviewgen_spark.orchestration.job import guarded
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.orchestration.session import start_session
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.tables import Warehouse

PIPELINES = {"nightly": nightly.STAGES, "train": train.STAGES}
# Of the ops_ tables only promotions are the same each time, except for these columns. They contain the time, the
# measured latency (in the reason), and the identity of the MLflow store (in the fingerprint).
CLOCKED = {"ops_model_promotions": ("decided_at", "reason", "fingerprint")}


def digest(spark: SparkSession, config: Config) -> dict[str, str]:
    """Returns row count and hash of each existing table; a missing, repeated or changed row changes them."""
    warehouse = Warehouse(spark, config)
    names = [name for name in TABLES if name in CLOCKED or not name.startswith("ops_")]
    return {
        name: _digest(warehouse.read(name).drop(*CLOCKED.get(name, ()))) for name in names if warehouse.exists(name)
    }


def _digest(rows: DataFrame) -> str:
    hashes = rows.select(F.sha2(F.to_json(F.struct(*rows.columns)), 256).alias("hash")).collect()
    return f"{len(hashes)} {hashlib.sha256(''.join(sorted(row.hash for row in hashes)).encode()).hexdigest()[:16]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="paths.root")
    parser.add_argument("--pipeline", choices=PIPELINES, default="nightly")
    parser.add_argument("--until", help="the last stage that runs")
    parser.add_argument("--set", action="append", default=[], help="as in the commands")
    parser.add_argument("--digest", action="store_true", help="print row counts and hashes of the tables")
    parser.add_argument("--out", type=Path, help="not used; the tables are below the root")
    options = parser.parse_args()
    stages = PIPELINES[options.pipeline]
    if options.until:
        stages = stages[: [stage.name for stage in stages].index(options.until) + 1]
    config = load_config("local", [f"paths.root={options.root}", *options.set])
    spark = start_session(config)
    started = time.monotonic()
    ends: dict[str, float] = {}

    def report(line: str) -> None:
        ends[line.partition("]")[0].removeprefix("[")] = time.monotonic() - started
        print(f"{time.monotonic() - started:8.2f} {line}", file=sys.stderr, flush=True)

    with WorkerMemory() as memory, open_run(spark, config, report=report) as run:
        ends["open"] = time.monotonic() - started
        run.pipeline(stages)
        if options.pipeline == "nightly" and not options.until:
            try:
                check_night(run.warehouse, config)
            except DataQualityError as error:  # the sample has a rejected file
                report(f"[check] {type(error).__name__}")
    seconds = time.monotonic() - started
    output = {
        "seconds": round(seconds, 3),
        "worker_mb": round(memory.peak_mb),
        "by_stage": {name: round(end, 2) for name, end in ends.items()},
    }
    if options.digest:
        output["digest"] = digest(spark, config)
    spark.stop()
    print(json.dumps(output))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
