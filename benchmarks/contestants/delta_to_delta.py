"""How the contestants of B3 meet their rows: Delta in, Delta out, two local cores, loading the model included.

The JVM has written a Delta table before the clock starts; no Python worker has.
"""

import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from reviewgen_spark.config import load_config
from reviewgen_spark.orchestration.session import start_session


def as_delta(spark: SparkSession, folder: Path) -> DataFrame:
    """A folder of Parquet files as a Delta table, which it stays."""
    if not DeltaTable.isDeltaTable(spark, str(folder)):
        DeltaTable.convertToDelta(spark, f"parquet.`{folder}`")
    return spark.read.format("delta").load(str(folder))


def write_delta(rows: DataFrame, folder: Path) -> None:
    rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(str(folder))


def race(
    options: Namespace, work: Callable[[SparkSession, DataFrame, Path], Any], master: str = "local[2]"
) -> tuple[float, Any]:
    """Seconds of `work(spark, rows, out)`, and what it returned."""
    with tempfile.TemporaryDirectory() as root:
        spark = start_session(load_config("local", [f"paths.root={root}", f"spark.master={master}"]))
        rows = as_delta(spark, options.rows)
        write_delta(as_delta(spark, options.warm), options.out.with_name("warm-out"))
        started = time.monotonic()
        found = work(spark, rows, options.out)
        seconds = time.monotonic() - started
        spark.stop()
    return seconds, found
