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
from reviewgen_spark.transforms.ingest.source_record import KEPT_BYTES, SourceRecord, UnreadableFileError

_CHUNK = 4096


class _Undecodable(str):
    """A text of which too much failed to decode."""


def read_parquet(source: Any, feed: Feed, max_bytes: int) -> Iterator[SourceRecord]:
    """Yields the records of an open Parquet file.

    Raises:
        UnreadableFileError: required columns are missing, or an encrypted or unknown column cannot be read.
    """
    file = pq.ParquetFile(source)
    require_columns(file.schema_arrow.names, feed)
    names = ColumnNames(feed)
    ordinal = 0
    for batch in file.iter_batches(batch_size=_CHUNK):
        columns = [_values(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            ordinal += 1
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
