"""Reads one range of a big file on an executor: counts its records, and cuts it into pieces."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from pyspark.sql.types import ArrayType, BooleanType, LongType, StringType, StructField, StructType

from reviewgen_spark.config import IngestSection
from reviewgen_spark.transforms.ingest.inspection import file_stamp
from reviewgen_spark.transforms.ingest.record_parsing import parser_of
from reviewgen_spark.transforms.ingest.scan import Tally, file_hash
from reviewgen_spark.transforms.ingest.source_ranges import Content, Piece, first_line, piece_hash, read_range
from reviewgen_spark.transforms.ingest.source_record import Place, UnreadableFileError


@dataclass(frozen=True)
class RangeSizes:
    """Says how finely big files are cut.

    Attributes:
        least: Bytes of a file from which it is read in ranges.
        range_bytes: Bytes of a range, which is one unit of the scan.
        piece_bytes: Bytes of a piece; at most about so many are read twice where a batch ends.
        piece_rows: Rows of a piece of Parquet.
    """

    least: int = 4 * 2**20
    range_bytes: int = 16 * 2**20
    piece_bytes: int = 4 * 2**20
    piece_rows: int = 2**16


@dataclass(frozen=True)
class RangeTask:
    """Names a range, or with `number` -1 the whole file, which is then hashed.

    Attributes:
        path: The file, below the landing folder.
        location: The file, as delivered.
        content: Its plain bytes.
        number: The place of the range among those of its file.
        attempt: How often it was read before.
        start: Its first offset.
        stop: The offset from which no record of the range begins.
        is_exact: Whether a record begins at `start`; otherwise the range begins with the next line.
    """

    path: str
    location: str
    content: Content
    number: int
    attempt: int
    start: int
    stop: int
    is_exact: bool


TASK_SCHEMA = (
    "path string, location string, plain string, kind string, encoding string, feed_code string, number bigint, "
    "attempt bigint, start bigint, stop bigint, is_exact boolean"
)
READ_SCHEMA = StructType(
    [
        StructField("path", StringType()),
        StructField("number", LongType()),
        StructField("attempt", LongType()),
        StructField("is_piece", BooleanType()),
        *(StructField(name, LongType()) for name in ("first", "last", "skip", "ordinal", "line", "row_count")),
        StructField("sha256", StringType()),
        StructField("keys", ArrayType(StringType())),
        StructField("counts", ArrayType(LongType())),
        StructField("bad_row_count", LongType()),
        StructField("reasons", ArrayType(StringType())),
        StructField("reason_counts", ArrayType(LongType())),
        StructField("reason_firsts", ArrayType(LongType())),
        StructField("error", StringType()),
        StructField("stamp", StringType()),
    ]
)


def task_row(task: RangeTask) -> tuple[Any, ...]:
    """Returns a task as a row of `TASK_SCHEMA`."""
    content = task.content
    return (
        *(task.path, task.location, content.location, content.kind, content.encoding, content.feed_code),
        *(task.number, task.attempt, task.start, task.stop, task.is_exact),
    )


def task_of(row: Mapping[str, Any]) -> RangeTask:
    """Returns the task of a row."""
    content = Content(row["plain"], row["kind"], row["encoding"], row["feed_code"])
    names = ("path", "location", "number", "attempt", "start", "stop", "is_exact")
    return RangeTask(content=content, **{name: row[name] for name in names})


def run_task(task: RangeTask, section: IngestSection, zone: ZoneInfo, sizes: RangeSizes) -> Iterator[dict[str, Any]]:
    """Yields rows of `READ_SCHEMA`: one for each piece, then one for the range."""
    shared = {"path": task.path, "number": task.number, "attempt": task.attempt}
    tally, place, first = Tally(), Place(task.start, stop=task.stop), task.start
    sha256 = stamp = error = None
    try:
        if task.number < 0:
            sha256 = file_hash(task.location)
        else:
            if not task.is_exact:
                first = place.offset = first_line(task.content, section, task.start)
            for piece, keys in _pieces(task.content, section, zone, sizes, place, tally):
                counts = {"keys": list(keys), "counts": list(keys.values())}
                yield {**shared, "is_piece": True, **asdict(piece), **counts}
        stamp = file_stamp(task.location)
    except UnreadableFileError as reason:
        error = str(reason)
    except OSError as problem:  # gone since it was listed, or not readable for this user
        error = f"it cannot be opened ({type(problem).__name__})"
    reasons = tally.reasons()
    yield {
        **shared,
        **{"is_piece": False, "first": first, "last": place.offset, "row_count": tally.rows, "line": place.line},
        **{"sha256": sha256, "error": error, "stamp": stamp, "bad_row_count": tally.bad},
        "reasons": [reason for reason, _, _ in reasons],
        "reason_counts": [count for _, count, _ in reasons],
        "reason_firsts": [ordinal for _, _, ordinal in reasons],
    }


def _pieces(
    content: Content, section: IngestSection, zone: ZoneInfo, sizes: RangeSizes, place: Place, tally: Tally
) -> Iterator[tuple[Piece, Counter[str]]]:
    """Reads a range; yields its pieces with records, and the hashes of their anonymous records."""
    keys: Counter[str] = Counter()
    parse = parser_of(content.feed_code, section.source, zone, keys)
    begun = replace(place)

    def piece() -> Piece:
        last = place.offset + (place.skip > 0)
        rows = place.ordinal - begun.ordinal
        cut = Piece(begun.offset, last, begun.skip, begun.ordinal, begun.line, rows, "")
        return replace(cut, sha256=piece_hash(content, section, cut))

    for record in read_range(content, section, place):
        tally.add(record, parse)
        rows, size = place.ordinal - begun.ordinal, place.offset - begun.offset
        if rows >= sizes.piece_rows if content.kind == "parquet" else size >= sizes.piece_bytes:
            yield piece(), keys
            begun = replace(place)
            keys.clear()
    if place.ordinal > begun.ordinal:
        yield piece(), keys
