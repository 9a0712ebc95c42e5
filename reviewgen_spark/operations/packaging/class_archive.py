"""Writes the archive of Spark's classes that shortens the start of later sessions.

`python -m reviewgen_spark.operations.packaging.class_archive JARS` calls it; JARS is the folder of the Delta jars.

A first session runs the kinds of queries that every command runs. Java writes the classes that it loaded when the
session ends (about 170 MB). Sessions work without the archive too, only slower.
"""

import os
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.config.messages import print_line, print_message
from reviewgen_spark.orchestration.class_archive import SILENT, class_archive
from reviewgen_spark.orchestration.session import start_session
from reviewgen_spark.warehouse.tables import Warehouse


def write_class_archive(jars: Path) -> Path | None:
    """Writes the archive; returns its path, or None if this Java cannot write one.

    The process must not have started Spark before.
    """
    target = class_archive(jars)
    part = target.with_name(target.name + ".part")
    for old in (target, part):
        old.unlink(missing_ok=True)
    options = f"-XX:ArchiveClassesAtExit={part.resolve()} {SILENT}"
    os.environ["SPARK_SUBMIT_OPTS"] = f"{os.environ.get('SPARK_SUBMIT_OPTS', '')} {options}".strip()
    with tempfile.TemporaryDirectory() as root:
        _run_queries(load_config("local", [f"paths.root={root}", f"paths.jars={jars}", "spark.shuffle_partitions=2"]))
    _end_jvm()
    if not part.is_file():
        return None
    part.rename(target)  # an archive that is there is complete
    return target


def _run_queries(config: Config) -> None:
    """Creates, fills, changes and reads a table, also through Python workers."""
    warehouse = Warehouse(start_session(config, "reviewgen-class-archive"), config)
    name = "bronze_reviews"
    row = {"record_id": "r", "review_id": "r", "product_id": "p", "batch_id": 1, "source": "shop", "text_raw": "text",
           "created_at": datetime(2026, 1, 1, tzinfo=UTC), "source_file": "f", "source_line": 1}  # fmt: skip
    warehouse.converge([name])
    warehouse.replace_batch(name, warehouse.rows(name, [row]), 1)
    warehouse.insert_missing(name, warehouse.rows(name, [row, {**row, "record_id": "s"}]), "record_id")
    stored = warehouse.read(name)
    counts = stored.groupBy("product_id").count().withColumnRenamed("count", "reviews")
    joined = stored.join(counts, "product_id").orderBy("record_id")
    joined.mapInArrow(_unchanged, joined.schema).persist().count()
    joined.limit(1).toPandas()


def _unchanged(batches: Iterable[Any]) -> Iterable[Any]:
    yield from batches


def _end_jvm() -> None:
    """Ends the JVM and waits until it has written the archive."""
    from pyspark import SparkContext

    context, gateway = SparkContext._active_spark_context, SparkContext._gateway
    assert context is not None and gateway is not None  # _run_queries has started both
    context.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


def main(arguments: list[str]) -> int:
    """Writes the archive; always returns 0, because sessions work without it."""
    jars = Path(arguments[0]).resolve()
    archive = write_class_archive(jars)
    if archive is None:
        print_message("this Java writes no archive of classes: each session starts some seconds later")
    else:
        print_line(f"{archive}: {archive.stat().st_size / 1e6:,.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
