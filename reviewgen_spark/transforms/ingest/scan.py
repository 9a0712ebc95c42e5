"""Scans delivered files: hashes them, counts their records, and finds out why records are refused."""

import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import LongType, StringType, StructField, StructType

from reviewgen_spark.config import Config
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.transforms.ingest.columns import FEEDS
from reviewgen_spark.transforms.ingest.delta_records import delta_records, folders_of, read_delta
from reviewgen_spark.transforms.ingest.listing import Delivery
from reviewgen_spark.transforms.ingest.record_parsing import parser_of
from reviewgen_spark.transforms.ingest.source_files import open_filesystem, read_records
from reviewgen_spark.transforms.ingest.source_record import SourceRecord, UnreadableFileError

_TASKS_PER_CORE = 4  # more tasks than this cost more to start than they balance


@dataclass(frozen=True)
class Scan:
    """Holds the result of the first reading of a delivery; `error` if it cannot be read to its end.

    `common_reason` is the most frequent reason of its bad records, `common_count` their number and `common_line` the
    line of the first.
    """

    delivery: Delivery
    sha256: str
    row_count: int
    bad_row_count: int
    error: str | None
    common_reason: str | None = None
    common_count: int = 0
    common_line: int = 0

    def verdict(self, max_quarantine_pct: float) -> str | None:
        """Returns why the whole file must be rejected, or None."""
        if self.error:
            return self.error
        if self.row_count and 100 * self.bad_row_count / self.row_count > max_quarantine_pct:
            most = (
                f": most often {self.common_reason} ({self.common_count:,}, the first is record {self.common_line:,})"
                if self.common_reason
                else ""
            )
            return (
                f"{self.bad_row_count:,} of {self.row_count:,} records are malformed{most}; at most "
                f"ingest.max_quarantine_pct = {max_quarantine_pct:g} % may be"
            )
        return None


_SCAN_SCHEMA = StructType(
    [
        StructField("path", StringType()),
        StructField("sha256", StringType()),
        StructField("row_count", LongType()),
        StructField("bad_row_count", LongType()),
        StructField("error", StringType()),
        StructField("common_reason", StringType()),
        StructField("common_count", LongType()),
        StructField("common_line", LongType()),
    ]
)


class Tally:
    """Counts the records of one file by their reasons."""

    def __init__(self) -> None:
        """Starts with nothing counted."""
        self.rows = self.bad = 0
        self._reasons: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def add(self, record: SourceRecord, parse: Any) -> None:
        """Counts a record; `parse` returns the reasons against its values."""
        self.rows += 1
        reasons = (record.reason or "malformed",) if record.values is None else parse(record.values).reasons
        self.bad += bool(reasons)
        for reason in reasons:
            self._reasons[reason] += 1
            self._first.setdefault(reason, record.ordinal)

    def reasons(self) -> list[tuple[str, int, int]]:
        """Returns each reason with its number of records, and the first of them."""
        return [(reason, count, self._first[reason]) for reason, count in self._reasons.items()]

    def include(self, rows: int, bad: int, reasons: Iterable[tuple[str, int, int]]) -> None:
        """Adds the counts of the records that follow."""
        for reason, count, first in reasons:
            self._reasons[reason] += count
            self._first.setdefault(reason, self.rows + first)
        self.rows += rows
        self.bad += bad

    def figures(self) -> dict[str, Any]:
        """Returns the counts as columns of a scan."""
        reason, count = next(iter(self._reasons.most_common(1)), (None, 0))
        return {
            "row_count": self.rows,
            "bad_row_count": self.bad,
            "common_reason": reason,
            "common_count": count,
            "common_line": self._first.get(reason, 0) if reason else 0,
        }


def scan_whole_files(spark: SparkSession, config: Config, deliveries: Sequence[Delivery]) -> list[Scan]:
    """Reads each delivery by one task: its hash, its records, and how many of them are malformed. Order is kept."""
    readable = [delivery for delivery in deliveries if not delivery.fault]
    rows: dict[str, dict[str, Any]] = {
        delivery.path: {"sha256": "", "row_count": 0, "bad_row_count": 0, "error": delivery.fault}
        for delivery in deliveries
        if delivery.fault
    }
    rows |= _scan_files(spark, config, readable)
    rows |= _scan_delta(spark, config, [one for one in readable if one.format_code == "delta"], rows)
    return [Scan(delivery, **{k: v for k, v in rows[delivery.path].items() if k != "path"}) for delivery in deliveries]


def _scan_files(spark: SparkSession, config: Config, deliveries: Sequence[Delivery]) -> dict[str, dict[str, Any]]:
    """Scans files on the executors; of a file of a Delta table only the hash."""
    if not deliveries:
        return {}
    landing, section, zone = config.paths.landing, config.ingest, config.timezone
    out = arrow_schema(_SCAN_SCHEMA)

    def scan_files(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                location, tally, error = posixpath.join(landing, row["path"]), Tally(), None
                parse = parser_of(row["feed_code"], section.source, zone)
                sha256 = ""
                try:
                    sha256 = file_hash(location)
                    if row["format_code"] != "delta":
                        for record in read_records(location, row["format_code"], row["feed_code"], section):
                            tally.add(record, parse)
                except UnreadableFileError as reason:
                    error = str(reason)
                except OSError as problem:  # gone since it was listed, or not readable for this user
                    error = f"it cannot be opened ({type(problem).__name__})"
                scan = {"path": row["path"], "sha256": sha256, "error": error, **tally.figures()}
                yield pa.RecordBatch.from_pylist([scan], out)

    tasks = spread(
        spark,
        [(one.feed_code, one.path, one.format_code) for one in sorted(deliveries, key=lambda one: -one.size)],
        "feed_code string, path string, format_code string",
    )
    return {row.path: row.asDict() for row in tasks.mapInArrow(scan_files, _SCAN_SCHEMA).collect()}


def _scan_delta(
    spark: SparkSession, config: Config, deliveries: Sequence[Delivery], rows: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Counts the records of Delta tables' files as Delta shows them; `rows` holds their hashes."""
    landing, source, zone = config.paths.landing, config.ingest.source, config.timezone
    feeds = {delivery.path: delivery.feed_code for delivery in deliveries}
    scans: dict[str, dict[str, Any]] = {}
    out = arrow_schema(_SCAN_SCHEMA)
    for folder, paths in folders_of(list(feeds), spark, landing).items():
        feed_code = feeds[paths[0]]
        feed = FEEDS[feed_code]
        location = posixpath.join(landing, folder)
        missing = feed.missing(spark.read.format("delta").load(location).columns)
        if missing:
            error = f"required columns missing: {', '.join(missing)}"
            scans |= {path: rows[path] | {"error": error} for path in paths}
            continue

        def count(batches: Iterable[pa.RecordBatch], feed_code: str = feed_code) -> Iterator[pa.RecordBatch]:
            tallies: dict[str, Tally] = {}
            parsers: dict[str, Any] = {}
            for records in delta_records(batches, landing, FEEDS[feed_code]):
                for path, record in records:
                    parse = parsers.setdefault(path, parser_of(feed_code, source, zone))
                    tallies.setdefault(path, Tally()).add(record, parse)
            scan = [{"path": path, **tally.figures()} for path, tally in tallies.items()]
            yield pa.RecordBatch.from_pylist(scan, out)

        counted = read_delta(spark, location, landing, paths).mapInArrow(count, _SCAN_SCHEMA).collect()
        figures = {row.path: row.asDict() for row in counted}
        for path in paths:
            scans[path] = Tally().figures() | figures.get(path, {}) | {"sha256": rows[path]["sha256"]}
            scans[path]["error"] = rows[path]["error"]
    return scans


def spread(spark: SparkSession, files: Sequence[tuple[Any, ...]], schema: str) -> DataFrame:
    """Returns files as rows, spread over a few tasks for each core. A task for each file costs more than a small file.

    Args:
        spark: the session.
        files: a row for each file, the largest first, so that each task gets large and small ones.
        schema: of the rows.
    """
    tasks = min(len(files), _TASKS_PER_CORE * spark.sparkContext.defaultParallelism)
    return spark.createDataFrame(list(files), schema).coalesce(1).repartition(max(1, tasks))


def hash_files(spark: SparkSession, landing: str, paths: Sequence[str]) -> dict[str, str | None]:
    """Returns the sha256 of files by path; None for one that cannot be read."""
    out = arrow_schema(_SCAN_SCHEMA)

    def hash_them(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                try:
                    sha256 = file_hash(posixpath.join(landing, row["path"]))
                except OSError:
                    sha256 = None
                yield pa.RecordBatch.from_pylist([{"path": row["path"], "sha256": sha256}], out)

    tasks = spread(spark, [(path,) for path in paths], "path string")
    return {row.path: row.sha256 for row in tasks.mapInArrow(hash_them, _SCAN_SCHEMA).collect()}


def file_hash(location: str) -> str:
    """Returns the sha256 of a file's bytes, in hex.

    Raises:
        OSError: it cannot be read.
    """
    filesystem, path = open_filesystem(location)
    digest = hashlib.sha256()
    with filesystem.open_input_stream(path, compression=None) as stream:
        while chunk := stream.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
