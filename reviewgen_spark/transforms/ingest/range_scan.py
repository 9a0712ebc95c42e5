"""Scans deliveries: small files whole, big ones in ranges, from which it makes their index."""

import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.transforms.ingest.file_index import (
    FileIndex,
    counts_folder,
    index_folder,
    index_name,
    save_index,
    settings_hash,
)
from reviewgen_spark.transforms.ingest.inspection import inspect_files
from reviewgen_spark.transforms.ingest.listing import Delivery
from reviewgen_spark.transforms.ingest.range_chain import Chain, settle
from reviewgen_spark.transforms.ingest.range_reading import (
    READ_SCHEMA,
    TASK_SCHEMA,
    RangeSizes,
    RangeTask,
    run_task,
    task_of,
    task_row,
)
from reviewgen_spark.transforms.ingest.scan import Scan, scan_whole_files, spread

SIZES = RangeSizes()


def scan_deliveries(spark: SparkSession, config: Config, deliveries: Sequence[Delivery]) -> list[Scan]:
    """Reads each delivery once: its hash, its records, and how many of them are malformed. Order is kept."""
    big = [one for one in deliveries if not one.fault and one.format_code != "delta" and one.size >= SIZES.least]
    scans = {scan.delivery.path: scan for scan in scan_in_ranges(spark, config, big)} if big else {}
    others = [one for one in deliveries if one.path not in scans]
    scans |= {scan.delivery.path: scan for scan in scan_whole_files(spark, config, others)}
    return [scans[delivery.path] for delivery in deliveries]


def scan_in_ranges(spark: SparkSession, config: Config, deliveries: Sequence[Delivery]) -> list[Scan]:
    """Scans files in ranges, and saves their indexes. Files that cannot be read so are left out.

    Raises:
        StageError: there is no space to unpack a file.
    """
    inspected = inspect_files(spark, config, deliveries)
    read: list[DataFrame] = []
    try:
        chains = settle(inspected, config.paths.landing, SIZES, lambda tasks: _read(spark, config, tasks, read))
        scans = {path: chain.scan() for path, chain in chains.items()}
        _save(spark, config, scans, {path: chains[path] for path in chains if not scans[path].error}, read)
    finally:
        for rows in read:
            rows.unpersist()
    return list(scans.values())


def _read(spark: SparkSession, config: Config, tasks: Sequence[RangeTask], read: list[DataFrame]) -> list[Row]:
    """Runs tasks on the executors. Returns the rows without hashes of records, which stay in the last of `read`."""
    section, zone, sizes, out = config.ingest, config.timezone, SIZES, arrow_schema(READ_SCHEMA)

    def read_ranges(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                for result in run_task(task_of(row), section, zone, sizes):
                    yield pa.RecordBatch.from_pylist([result], out)

    rows = spread(spark, [task_row(task) for task in tasks], TASK_SCHEMA).mapInArrow(read_ranges, READ_SCHEMA)
    read.append(rows.persist(StorageLevel.DISK_ONLY))
    return rows.withColumn("has_keys", F.size("keys") > 0).drop("keys", "counts").collect()


def _save(
    spark: SparkSession,
    config: Config,
    scans: Mapping[str, Scan],
    chains: Mapping[str, Chain],
    read: Sequence[DataFrame],
) -> None:
    """Saves the indexes of the files of `chains`, which were read to their end."""
    settings, folder = settings_hash(config), index_folder(config)
    names: dict[str, str] = {}
    for path in chains:
        delivery = scans[path].delivery
        names[path] = index_name(settings, delivery.feed_code, path, delivery.format_code, scans[path].sha256)
    ranges = [
        (path, row.number, row.attempt, names[path])
        for path, chain in chains.items()
        if sum(piece.has_keys for piece, _ in chain.in_order()) > 1
        for row in chain.ranges.values()
    ]
    if ranges:
        _save_counts(spark, folder, ranges, read)
    for path, chain in chains.items():
        one, pieces = chain.inspected, tuple(piece for _, piece in chain.in_order())
        has_counts = counts_folder(folder, names[path]).is_dir()
        save_index(folder, FileIndex(names[path], one.content, pieces, has_counts, one.size if one.sha256 else None))


def _save_counts(
    spark: SparkSession, folder: Path, ranges: Sequence[tuple[object, ...]], read: Sequence[DataFrame]
) -> None:
    """Saves, for each piece, its anonymous records that came in an earlier piece of the file, with their number."""
    chosen = spark.createDataFrame(list(ranges), "path string, number bigint, attempt bigint, name string")
    earlier = Window.partitionBy("name", "key").orderBy("number", "ordinal").rowsBetween(Window.unboundedPreceding, -1)
    counts = (
        reduce(DataFrame.unionByName, read)
        .where("is_piece AND size(keys) > 0")
        .join(F.broadcast(chosen), ["path", "number", "attempt"])
        .withColumn("entry", F.explode(F.arrays_zip("keys", "counts")))
        .withColumn("key", F.col("entry.keys"))
        .withColumn("before", F.sum("entry.counts").over(earlier))
        .where("before IS NOT NULL")
        .select("name", F.concat_ws("-", "first", "skip").alias("piece"), "key", "before")
    )
    written = folder / f"counts-{uuid.uuid4().hex}"
    try:
        counts.repartition("name", "piece").write.partitionBy("name", "piece").parquet(f"file:{written}")
        for part in written.glob("name=*"):
            target = counts_folder(folder, part.name.removeprefix("name="))
            shutil.rmtree(target, ignore_errors=True)
            part.rename(target)
    finally:
        shutil.rmtree(written, ignore_errors=True)
