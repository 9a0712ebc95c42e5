"""Lists and reads the delivered files in the landing folder."""

import hashlib
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import unquote, urlparse

import pyarrow as pa
from pyarrow import fs
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType

from reviewgen_spark.config import Config, IngestSection
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.transforms.ingest.record_parsing import (
    REQUIRED_GOLD_COLUMNS,
    REQUIRED_REVIEW_COLUMNS,
    parser_of,
)
from reviewgen_spark.transforms.ingest.source_files import (
    UnreadableFileError,
    format_of,
    open_filesystem,
    read_records,
)

REQUIRED_COLUMNS = {"reviews": REQUIRED_REVIEW_COLUMNS, "gold_labels": REQUIRED_GOLD_COLUMNS}


@dataclass(frozen=True)
class Delivery:
    """Describes a file in the landing folder; `path` is relative to that folder."""

    feed_code: str
    path: str
    format_code: str
    size: int
    modified_at: datetime


@dataclass(frozen=True)
class Scan:
    """Holds the result of the first reading of a delivery; `error` is set if it cannot be read to its end."""

    delivery: Delivery
    sha256: str
    row_count: int
    bad_row_count: int
    error: str | None

    def verdict(self, max_quarantine_pct: float) -> str | None:
        """Returns why the whole file must be rejected, or None."""
        if self.error:
            return self.error
        if self.row_count and 100 * self.bad_row_count / self.row_count > max_quarantine_pct:
            return (
                f"{self.bad_row_count:,} of {self.row_count:,} records are malformed, more than "
                f"ingest.max_quarantine_pct = {max_quarantine_pct:g}"
            )
        return None


def list_deliveries(spark: SparkSession, landing: str, section: IngestSection) -> list[Delivery]:
    """Lists every file of a known format below the two feeds, by path. Of a Delta table, it lists the active files."""
    filesystem, root = open_filesystem(landing)
    deliveries: list[Delivery] = []
    for feed_code, folder in (("reviews", section.reviews), ("gold_labels", section.gold_labels)):
        selector = fs.FileSelector(posixpath.join(root, folder), allow_not_found=True, recursive=True)
        infos = filesystem.get_file_info(selector)
        delta_folders = tuple(info.path.removesuffix("_delta_log") for info in infos if info.base_name == "_delta_log")
        active: set[str] = set()
        for delta_folder in delta_folders:
            inside = delta_folder.removeprefix(root).strip("/")
            table = spark.read.format("delta").load(posixpath.join(landing, inside))
            active |= {relative_path(file, landing) for file in table.inputFiles()}
        for info in infos:
            path = info.path.removeprefix(root).lstrip("/")
            format_code = format_of(path)
            if info.type != fs.FileType.File or format_code is None:
                continue
            if delta_folders and info.path.startswith(delta_folders):
                if path not in active:
                    continue
                format_code = "delta"
            # Delta keeps microseconds; a file system may keep more.
            modified_at = info.mtime.astimezone(UTC) if info.mtime else datetime(1970, 1, 1, tzinfo=UTC)
            deliveries.append(Delivery(feed_code, path, format_code, info.size, modified_at))
    return sorted(deliveries, key=lambda delivery: delivery.path)


def relative_path(uri: str, landing: str) -> str:
    """Returns the path of a file below the landing folder, from Spark's URI of the file."""
    path = unquote(urlparse(uri).path)
    base = urlparse(landing).path if "://" in landing else landing
    return path.removeprefix(base.rstrip("/")).lstrip("/")


_SCAN_SCHEMA = StructType(
    [
        StructField("path", StringType()),
        StructField("sha256", StringType()),
        StructField("row_count", LongType()),
        StructField("bad_row_count", LongType()),
        StructField("error", StringType()),
    ]
)


def scan_deliveries(spark: SparkSession, config: Config, deliveries: Sequence[Delivery]) -> list[Scan]:
    """Reads each delivery once, one task a file; returns its hash, its records and how many of them are malformed."""
    if not deliveries:
        return []
    landing, section = config.paths.landing, config.ingest
    zone = config.timezone
    listed = spark.createDataFrame(
        [(d.feed_code, d.path, d.format_code) for d in deliveries],
        "feed_code string, path string, format_code string",
    )

    out = arrow_schema(_SCAN_SCHEMA)

    def scan_files(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                location = posixpath.join(landing, row["path"])
                parse = parser_of(row["feed_code"], section.source, zone)
                rows = bad = 0
                error = None
                try:
                    for record in read_records(location, row["format_code"], REQUIRED_COLUMNS[row["feed_code"]]):
                        rows += 1
                        bad += record.values is None or bool(parse(record.values).reasons)
                except UnreadableFileError as reason:
                    error = str(reason)
                result = {
                    "path": row["path"],
                    "sha256": file_hash(location),
                    "row_count": rows,
                    "bad_row_count": bad,
                    "error": error,
                }
                yield pa.RecordBatch.from_pylist([result], out)

    tasks = listed.coalesce(1).repartition(len(deliveries))
    results = {row.path: row for row in tasks.mapInArrow(scan_files, _SCAN_SCHEMA).collect()}
    delta_rows = _delta_row_counts(spark, landing, [d.path for d in deliveries if d.format_code == "delta"])
    scans = []
    for delivery in deliveries:
        row = results[delivery.path]
        scan = Scan(delivery, row.sha256, row.row_count, row.bad_row_count, row.error)
        if delivery.format_code == "delta":
            scan = replace(scan, row_count=delta_rows.get(delivery.path, 0))
        scans.append(scan)
    return scans


def _delta_row_counts(spark: SparkSession, landing: str, paths: Sequence[str]) -> Mapping[str, int]:
    """Counts the rows of each file as Delta does, because a deletion vector hides rows of the Parquet file."""
    counts: dict[str, int] = {}
    for folder in delta_folders(landing, paths):
        table = spark.read.format("delta").load(folder)
        for row in table.groupBy(F.col("_metadata.file_path").alias("file")).agg(F.count("*").alias("n")).collect():
            counts[relative_path(row.file, landing)] = row.n
    return counts


def delta_folders(landing: str, paths: Iterable[str]) -> list[str]:
    """Returns the folders of the Delta tables that hold these active files."""
    filesystem, root = open_filesystem(landing)
    folders = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while folder and not _is_directory(filesystem, posixpath.join(root, folder, "_delta_log")):
            folder = posixpath.dirname(folder)
        folders.add(posixpath.join(landing, folder))
    return sorted(folders)


def _is_directory(filesystem: fs.FileSystem, path: str) -> bool:
    return bool(filesystem.get_file_info(path).type == fs.FileType.Directory)


def file_hash(location: str) -> str:
    """Returns the sha256 of a file's bytes, in hex."""
    filesystem, path = open_filesystem(location)
    digest = hashlib.sha256()
    with filesystem.open_input_stream(path, compression=None) as stream:
        while chunk := stream.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
