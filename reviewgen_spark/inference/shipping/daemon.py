"""The process that Spark forks Python workers from, with torch imported before the first fork where workers will label.

A fork has at once, and shares, what every worker would import for itself. Spark keeps a process apart for each set of
environment variables that a function brings along, so only functions defined inside `preloading` get such workers:
stages of text keep plain ones. Sessions that start in local mode name this module in `spark.python.daemon.module`; on a
cluster, where it may not be importable when the process starts, Spark's own stays, and workers import for themselves.
"""

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

MODULE = "reviewgen_spark.inference.shipping.daemon"
VARIABLE = "REVIEWGEN_PRELOAD"


# Applications whose process has been started, on the driver.
_STARTED: set[str] = set()


@contextmanager
def preloading(spark: "SparkSession") -> Iterator[None]:
    """Have Python functions of DataFrames that are defined inside run in workers with torch, where the session can."""
    if not _is_named(spark):
        yield
        return
    environment = spark.sparkContext.environment
    environment[VARIABLE] = "torch"
    try:
        yield
    finally:
        del environment[VARIABLE]


def start_preloading(spark: "SparkSession") -> None:
    """Start the process now, once an application, beside what the driver does next.

    It imports while the model is shipped and rows are spread.
    """
    application = spark.sparkContext.applicationId
    if application in _STARTED or not _is_named(spark):
        return
    _STARTED.add(application)
    with preloading(spark):
        first = spark.range(0, 1, numPartitions=1).mapInArrow(_pass_on, "id long")

    def run() -> None:
        # Whatever fails here, the stage's own tasks meet too, and tell.
        with suppress(Exception):
            first.write.format("noop").mode("overwrite").save()

    Thread(target=run, name="reviewgen-preload", daemon=True).start()


def _is_named(spark: "SparkSession") -> bool:
    return spark.sparkContext.getConf().get("spark.python.daemon.module") == MODULE


def _pass_on(batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    yield from batches


def preload() -> None:
    """Import what a labeller needs, but nothing that starts a thread, as pyarrow does: a fork keeps only its locks."""
    with suppress(ImportError):  # a worker that finds it missing says so in its task
        import tokenizers  # noqa: F401

    gc.freeze()  # a worker collects garbage after each task, and would copy every page that it looks at


if __name__ == "__main__":
    from pyspark import daemon

    if VARIABLE in os.environ:
        preload()
    daemon.manager()  # type: ignore[no-untyped-call]
