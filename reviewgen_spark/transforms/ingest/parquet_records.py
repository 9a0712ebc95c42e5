"""Reads Parquet. A value that Python cannot hold, such as a date in the year 20000, costs its record alone."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reviewgen_spark.transforms.ingest.columns import ColumnNames, Feed
from reviewgen_spark.transforms.ingest.csv_records import require_columns
from reviewgen_spark.transforms.ingest.encodings import MAX_DAMAGE, damage
from reviewgen_spark.transforms.ingest.json_text import write_json
from reviewgen_spark.transforms.ingest.source_record import KEPT_BYTES, Place, SourceRecord, UnreadableFileError

_CHUNK = 4096  # rows that are Python values at once
_CHUNK_BYTES = 16 * 2**20  # of such rows, by the average of their row group
_BUFFER = 2**20  # of each column


class _Undecodable(str):
    """A text of which too much failed to decode."""


def open_parquet(source: Any) -> pq.ParquetFile:
    """Opens a Parquet file. Its columns are read in small buffers, because a row group may be larger than memory."""
    return pq.ParquetFile(source, buffer_size=_BUFFER)


def read_parquet(file: pq.ParquetFile, feed: Feed, max_bytes: int, place: Place) -> Iterator[SourceRecord]:
    """Yields the records of an open Parquet file from a place, whose offset is a row group.

    Raises:
        UnreadableFileError: required columns are missing, or an encrypted or unknown column cannot be read.
    """
    require_columns(file.schema_arrow.names, feed)
    names = ColumnNames(feed)
    for batch in _batches(file, place):
        columns = [_values(column) for column in batch.columns]
        group_rows = file.metadata.row_group(place.offset).num_rows
        for row in zip(*columns, strict=True):
            place.ordinal += 1
            place.skip += 1
            if place.skip == group_rows:
                place.offset, place.skip = place.offset + 1, 0
            ordinal = place.ordinal
            values, reason = names.merge(zip(batch.schema.names, row, strict=True))
            try:
                raw = write_json(values)
            except ValueError:
                yield SourceRecord(ordinal, ordinal, "", None, "too_deep")
                continue
            if len(raw) > max_bytes:
                yield SourceRecord(ordinal, ordinal, raw[:KEPT_BYTES], None, "record_too_long")
                continue
            if any(isinstance(value, _Undecodable) for value in row):
                reason = "not_decodable"
            yield SourceRecord(ordinal, ordinal, raw, None if reason else values, reason)


def _batches(file: pq.ParquetFile, place: Place) -> Iterator[pa.RecordBatch]:
    """Yields the rows from a place to its stop."""
    before = place.skip
    for number in range(place.offset, min(place.stop, file.num_row_groups)):
        place.offset, place.skip = number, before
        group = file.metadata.row_group(number)
        rows = max(1, min(_CHUNK, _CHUNK_BYTES * group.num_rows // max(1, group.total_byte_size)))
        for batch in file.iter_batches(batch_size=rows, row_groups=[number]):
            if before < batch.num_rows:
                yield batch.slice(before)
            before = max(0, before - batch.num_rows)
        place.offset, place.skip = number + 1, 0


def _values(column: pa.Array) -> list[Any]:
    """Returns a column as Python values.

    A timestamp of a zone is its instant in UTC, because the name of the zone may be unknown here. A value without a
    Python value becomes its text, which the parser of its column refuses. Parquet does not check its strings: broken
    characters become U+FFFD, as in the other formats.
    """
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = pc.cast(column, pa.timestamp("us", column.type.tz), safe=False)  # Python has no nanoseconds
    try:
        values: list[Any] = column.to_pylist()
        return values
    except UnicodeDecodeError:
        return _decoded(column)
    except (ValueError, OverflowError, pa.ArrowException, KeyError):
        return [_value(column[row : row + 1]) for row in range(len(column))]


def _value(one: pa.Array) -> Any:
    """Returns the value of an array of one row, or its text."""
    try:
        return one[0].as_py()
    except (ValueError, OverflowError, pa.ArrowException, KeyError):
        pass
    for kind in (pa.string(), pa.int64(), pa.int32()):
        try:
            return str(one.cast(kind)[0].as_py())
        except (ValueError, OverflowError, pa.ArrowException, NotImplementedError):
            continue
    return f"unreadable {one.type}"


def _decoded(column: pa.Array) -> list[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise UnreadableFileError("a nested column holds text that is no UTF-8")
    return [None if value is None else _text(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _text(encoded: bytes) -> str:
    text = encoded.decode("utf-8", errors="replace")
    return _Undecodable(text) if damage(text, encoded) > MAX_DAMAGE else text
