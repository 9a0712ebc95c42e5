"""Reads the records of Delta tables by Spark, so that deletion vectors, column mapping and partitions count."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.transforms.ingest.columns import Feed
from reviewgen_spark.transforms.ingest.json_records import JsonObjects
from reviewgen_spark.transforms.ingest.listing import decoded_path, delta_files, relative_path
from reviewgen_spark.transforms.ingest.source_record import SourceRecord


def read_delta(spark: SparkSession, folder: str, landing: str, paths: Iterable[str]) -> DataFrame:
    """Returns the rows (file, raw) of some files of a table: an encoded URI, and the row as JSON. Order is kept.

    Args:
        spark: reads the table.
        folder: of the table.
        landing: the landing folder.
        paths: files to read, relative to the landing folder.
    """
    wanted = set(paths)
    hadoop = spark._jvm.org.apache.hadoop.fs  # type: ignore[union-attr]
    uris = [
        hadoop.Path(name).toUri().toString()  # as `_metadata.file_path` has it
        for name in delta_files(spark, folder)
        if relative_path(name, landing) in wanted
    ]
    table = spark.read.format("delta").load(folder)
    columns = [F.col(f"`{name.replace('`', '``')}`") for name in table.columns]
    return (
        table.select(
            F.col("_metadata.file_path").alias("file"),
            # Delta shows no row index. One task reads a block in order, so these two order a file's records.
            F.col("_metadata.file_block_start").alias("block"),
            F.monotonically_increasing_id().alias("row_order"),
            F.to_json(F.struct(*columns), {"ignoreNullFields": "false"}).alias("raw"),
        )
        .where(F.col("file").isin(uris))
        # All records of a file in one task and in order, because occurrence numbers are counted.
        .repartition("file")
        .sortWithinPartitions("file", "block", "row_order")
        .select("file", "raw")
    )


def delta_records(
    batches: Iterable[pa.RecordBatch], landing: str, feed: Feed
) -> Iterator[list[tuple[str, SourceRecord]]]:
    """Yields the records of each Arrow batch of `read_delta`, with the paths of their files."""
    readers: dict[str, JsonObjects] = {}
    counts: dict[str, int] = {}
    for batch in batches:
        records = []
        for row in batch.to_pylist():
            path = decoded_path(row["file"], landing) or row["file"]
            number = counts[path] = counts.get(path, 0) + 1
            reader = readers.setdefault(path, JsonObjects(feed, "utf-8"))
            records.append((path, reader.record(number, number, row["raw"].encode())))
        yield records


def folders_of(paths: Sequence[str], spark: SparkSession, landing: str) -> dict[str, list[str]]:
    """Returns the Delta tables that hold these active files, as folder -> files."""
    from reviewgen_spark.transforms.ingest.source_files import open_filesystem

    filesystem, root = open_filesystem(landing)
    folders: dict[str, list[str]] = {}
    known: dict[str, str] = {}
    for path in paths:
        parent = path.rpartition("/")[0]
        if parent not in known:
            known[parent] = _table_of(parent, filesystem, root)
        folders.setdefault(known[parent], []).append(path)
    return folders


def _table_of(folder: str, filesystem: Any, root: str) -> str:
    from pyarrow import fs

    while folder:
        log = f"{root.rstrip('/')}/{folder}/_delta_log"
        if filesystem.get_file_info(log).type == fs.FileType.Directory:
            break
        folder = folder.rpartition("/")[0]
    return folder
