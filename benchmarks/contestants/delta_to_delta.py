"""Runs the contestants of B3 from Delta to Delta on two local cores, including the loading of the model.

Before the time starts, the JVM has written a Delta table, but no Python worker has started.
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
    """Converts a folder of Parquet files to a Delta table and reads it."""
    if not DeltaTable.isDeltaTable(spark, str(folder)):
        DeltaTable.convertToDelta(spark, f"parquet.`{folder}`")
    return spark.read.format("delta").load(str(folder))


def write_delta(rows: DataFrame, folder: Path) -> None:
    rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(str(folder))


def race(
    options: Namespace, work: Callable[[SparkSession, DataFrame, Path], Any], master: str = "local[2]"
) -> tuple[float, Any]:
    """Returns the seconds of `work(spark, rows, out)`, and its result."""
    with tempfile.TemporaryDirectory() as root:
        spark = start_session(load_config("local", [f"paths.root={root}", f"spark.master={master}"]))
        rows = as_delta(spark, options.rows)
        write_delta(as_delta(spark, options.warm), options.out.with_name("warm-out"))
        started = time.monotonic()
        result = work(spark, rows, options.out)
        seconds = time.monotonic() - started
        spark.stop()
    return seconds, result
