"""Gives labelling Python workers that have imported the modules of a labeller when they start."""

from collections.abc import Iterable, Iterator, Sequence
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
def preloading(spark: "SparkSession", modules: Sequence[str]) -> Iterator[None]:
    """Runs the Python functions of DataFrames defined inside this context in workers with imported modules.

    It has no effect where the session does not use `daemon`.
    """
    if not _is_named(spark):
        yield
        return
    environment = spark.sparkContext.environment
    environment[VARIABLE] = ",".join(modules)
    try:
        yield
    finally:
        del environment[VARIABLE]


def start_preloading(spark: "SparkSession", modules: Sequence[str]) -> None:
    """Starts the process now, once an application, while the driver continues.

    It imports while the model is shipped and rows are repartitioned.
    """
    application = spark.sparkContext.applicationId
    if application in _STARTED or not _is_named(spark):
        return
    _STARTED.add(application)
    with preloading(spark, modules):
        first = spark.range(0, 1, numPartitions=1).mapInArrow(_pass_on, "id long")

    def run() -> None:
        # A failure here is ignored, because the stage's own tasks fail in the same way and report it.
        with suppress(Exception):
            first.write.format("noop").mode("overwrite").save()

    Thread(target=run, name="reviewgen-preload", daemon=True).start()


def _is_named(spark: "SparkSession") -> bool:
    return spark.sparkContext.getConf().get("spark.python.daemon.module") == MODULE


def _pass_on(batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    yield from batches
