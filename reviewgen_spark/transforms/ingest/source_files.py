"""Reads the records of one delivered file in order, on executors: JSON lines, CSV or Parquet, plain or gzipped."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_CHUNK = 4096


class UnreadableFileError(Exception):
    """Reports a file that is cut off or damaged, or lacks a required column. The message holds no value of a row."""


@dataclass(frozen=True)
class SourceRecord:
    """Holds one record of a file, as delivered.

    Attributes:
        ordinal: Its number among the file's records, from 1.
        line: Its physical line in a JSON lines file, else the ordinal.
        raw: The record as delivered, for the quarantine.
        values: Its values by column. None if it cannot be parsed; `reason` says why.
    """

    ordinal: int
    line: int
    raw: str
    values: Mapping[str, Any] | None
    reason: str | None = None


def format_of(path: str) -> str | None:
    """Returns `jsonl`, `csv` or `parquet` by the file's name; None for any other file.

    >>> format_of("2026-01-05.jsonl.gz"), format_of("a.parquet"), format_of("_SUCCESS")
    ('jsonl', 'parquet', None)
    """
    name = path.rpartition("/")[2].lower().removesuffix(".gz")
    if name.startswith(("_", ".")):
        return None
    return next((kind for suffix, kind in FORMATS.items() if name.endswith(suffix)), None)


def open_filesystem(location: str) -> tuple[fs.FileSystem, str]:
    """Returns Arrow's file system for a folder or URI, and the path inside it."""
    if "://" in location:
        filesystem, path = fs.FileSystem.from_uri(location)
        return filesystem, path
    return fs.LocalFileSystem(), location


def read_records(location: str, format_code: str, required: tuple[str, ...]) -> Iterator[SourceRecord]:
    """Yields a file's records.

    Args:
        location: Absolute path or URI.
        format_code: `jsonl`, `csv`, `parquet` or `delta`.
        required: Columns that the header of a CSV or Parquet file must have.

    Raises:
        UnreadableFileError: At the point where reading cannot continue.
    """
    filesystem, path = open_filesystem(location)
    try:
        if format_code in ("parquet", "delta"):  # a file of a Delta table is a Parquet file
            yield from _parquet(filesystem, path, required)
            return
        with filesystem.open_input_stream(path, compression=None, buffer_size=2**20) as source:
            # Python's own gzip reader returns everything that a truncated file holds. Arrow's drops the last megabyte.
            is_gzipped = path.lower().endswith(".gz")
            stream = gzip.GzipFile(fileobj=source) if is_gzipped else io.BufferedReader(source, 2**20)
            if format_code == "csv":
                yield from _csv(stream, required)
            else:
                yield from _json_lines(stream)
    except (OSError, EOFError, zlib.error, pa.ArrowException, csv.Error) as error:
        # The library's own message may quote bytes of the file.
        raise UnreadableFileError(f"damaged or cut off ({type(error).__name__})") from None


def _json_lines(stream: Iterable[bytes]) -> Iterator[SourceRecord]:
    ordinal = 0
    for line, content in enumerate(stream, start=1):
        content = content.strip(b"\r\n \t")
        if line == 1:
            content = content.removeprefix(b"\xef\xbb\xbf")
        if not content:
            continue
        ordinal += 1
        raw = content.decode("utf-8", errors="replace")
        try:
            values = orjson.loads(content)
        except orjson.JSONDecodeError:
            yield SourceRecord(ordinal, line, raw, None, "malformed_json")
            continue
        if isinstance(values, dict):
            yield SourceRecord(ordinal, line, raw, values)
        else:
            yield SourceRecord(ordinal, line, raw, None, "not_an_object")


def _csv(stream: Any, required: tuple[str, ...]) -> Iterator[SourceRecord]:
    csv.field_size_limit(2**31 - 1)  # the default limit is 131,072 characters a field
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    rows = csv.reader(text)
    header = next(rows, None)
    if header is None:
        return
    _require(header, required)
    for ordinal, row in enumerate(rows, start=1):
        if len(row) == len(header):
            values = {name: value for name, value in zip(header, row, strict=True) if value != "" or name == "text"}
            yield SourceRecord(ordinal, ordinal, _csv_line(row), values)
        else:
            yield SourceRecord(ordinal, ordinal, _csv_line(row), None, "wrong_field_count")


def _csv_line(row: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(row)
    return line.getvalue()


def _parquet(filesystem: fs.FileSystem, path: str, required: tuple[str, ...]) -> Iterator[SourceRecord]:
    with filesystem.open_input_file(path) as source:
        table = pq.ParquetFile(source)
        _require(table.schema_arrow.names, required)
        ordinal = 0
        for batch in table.iter_batches(batch_size=_CHUNK):
            for values in _parquet_rows(batch):
                ordinal += 1
                raw = orjson.dumps(values, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
                yield SourceRecord(ordinal, ordinal, raw, values)


def _parquet_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Returns a batch's rows. Parquet does not check strings, so invalid UTF-8 becomes U+FFFD, as in other formats."""
    columns = [_readable(column) for column in batch.columns]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _readable(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
        return values
    except UnicodeDecodeError:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise pa.ArrowInvalid("a nested column holds text that is not UTF-8") from None
        encoded = column.cast(pa.large_binary()).to_pylist()
        return [value if value is None else value.decode("utf-8", errors="replace") for value in encoded]


def _require(columns: list[str], required: tuple[str, ...]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        raise UnreadableFileError(f"required columns missing: {', '.join(missing)}; found: {', '.join(columns)[:300]}")
