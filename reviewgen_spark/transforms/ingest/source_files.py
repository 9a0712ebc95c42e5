"""Reads the records of one delivered file, in order: JSON, CSV or Parquet, plain or gzipped. Runs on executors."""

import csv
import gzip
import io
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import fs

from reviewgen_spark.config import IngestSection
from reviewgen_spark.transforms.ingest.columns import FEEDS
from reviewgen_spark.transforms.ingest.csv_records import CsvFile, read_csv
from reviewgen_spark.transforms.ingest.encodings import Transcoded, detect_encoding
from reviewgen_spark.transforms.ingest.json_records import read_json
from reviewgen_spark.transforms.ingest.parquet_records import open_parquet, read_parquet
from reviewgen_spark.transforms.ingest.record_parsing import is_whole_record
from reviewgen_spark.transforms.ingest.source_record import Place, SourceRecord, UnreadableFileError

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
_BUFFER = 2**20
_SMALL = 64 * 2**20  # bytes that any packed file may unpack to
DAMAGE_ERRORS = (OSError, EOFError, zlib.error, pa.ArrowException, csv.Error, UnicodeError)
WIDE_ENCODINGS = ("utf-16", "utf-32")  # a newline is not one byte


def format_of(path: str) -> str | None:
    """Returns `jsonl`, `csv` or `parquet` by the file's name; None for another file.

    >>> format_of("2026-01-05.jsonl.gz"), format_of("a.parquet"), format_of("_SUCCESS")
    ('jsonl', 'parquet', None)
    """
    name = path.rpartition("/")[2].lower().removesuffix(".gz")
    if name.startswith(("_", ".")):
        return None
    return next((kind for suffix, kind in FORMATS.items() if name.endswith(suffix)), None)


def open_filesystem(location: str) -> tuple[fs.FileSystem, str]:
    """Returns Arrow's file system of a folder or URI, and the path inside it."""
    if "://" in location:
        filesystem, path = fs.FileSystem.from_uri(location)
        return filesystem, path
    return fs.LocalFileSystem(), location


def read_records(
    location: str, format_code: str, feed_code: str, section: IngestSection, is_strict: bool = True
) -> Iterator[SourceRecord]:
    """Yields a file's records.

    Args:
        location: absolute path or URI.
        format_code: `jsonl`, `csv` or `parquet`.
        feed_code: `reviews` or `gold_labels`.
        section: the section `ingest`: encoding, separator, limits.
        is_strict: whether a file without the required columns is refused.

    Raises:
        UnreadableFileError: at the point where the file cannot be read on.
    """
    feed = FEEDS[feed_code] if is_strict else replace(FEEDS[feed_code], required=())
    try:
        if format_code == "parquet":
            with open_seekable(location, section) as source:
                yield from read_parquet(open_parquet(source), feed, section.max_record_bytes, Place())
            return
        encoding = find_encoding(location, section)
        with open_text(location, encoding, section) as stream:
            encoding = "utf-8" if encoding in WIDE_ENCODINGS else encoding
            if format_code == "csv":
                file = open_csv(stream, feed_code, encoding, section)
                yield from read_csv(file, feed, Place(offset=file.header_size))
            else:
                yield from read_json(stream, feed, encoding, section.max_record_bytes)
    except DAMAGE_ERRORS as error:
        raise damaged(error) from None


def damaged(error: Exception) -> UnreadableFileError:
    """Returns the error of a file that cannot be read on. The library's own message may quote bytes of the file."""
    return UnreadableFileError(f"damaged or cut off ({type(error).__name__})")


def open_csv(stream: BinaryIO, feed_code: str, encoding: str, section: IngestSection) -> CsvFile:
    """Opens a CSV stream by the settings of the section."""
    feed = FEEDS[feed_code]
    separator = {"tab": "\t"}.get(section.csv_separator, section.csv_separator)
    is_record: Callable[[Any], bool] = lambda values: is_whole_record(values, feed, section.zone)  # noqa: E731
    return CsvFile(stream, feed, encoding, separator, section.max_record_bytes, is_record)


def find_encoding(location: str, section: IngestSection) -> str:
    """Returns the configured encoding, or the one that the file seems to have."""
    if section.encoding != "auto":
        return section.encoding
    with open_bytes(location, section) as stream:
        return detect_encoding(stream)


@contextmanager
def open_text(location: str, encoding: str, section: IngestSection) -> Iterator[io.BufferedReader]:
    """Opens a file of lines, unpacked. One in UTF-16 or UTF-32 is read as UTF-8."""
    with open_bytes(location, section) as stream:
        if encoding in WIDE_ENCODINGS:
            stream = io.BufferedReader(Transcoded(stream, encoding), _BUFFER)
        yield stream


@contextmanager
def open_bytes(location: str, section: IngestSection) -> Iterator[io.BufferedReader]:
    """Opens a file's bytes, unpacked if its name ends in .gz.

    Raises:
        UnreadableFileError: while reading, when it unpacks to more than the section allows.
    """
    filesystem, path = open_filesystem(location)
    with ExitStack() as stack:
        source = stack.enter_context(filesystem.open_input_stream(path, compression=None, buffer_size=_BUFFER))
        if path.lower().endswith(".gz"):
            size = filesystem.get_file_info(path).size or 0
            limit = min(section.max_unpacked_bytes, max(_SMALL, int(size * section.max_unpacked_ratio)))
            # Python's own gzip reader gives all that a cut file still holds; Arrow's drops the last megabyte.
            raw: Any = _Unpacked(gzip.GzipFile(fileobj=source), limit)
        else:
            raw = source
        yield stack.enter_context(io.BufferedReader(raw, _BUFFER))


@contextmanager
def open_seekable(location: str, section: IngestSection) -> Iterator[Any]:
    """Opens a file for random access; a packed one is unpacked into a temporary file."""
    filesystem, path = open_filesystem(location)
    if not path.lower().endswith(".gz"):
        with filesystem.open_input_file(path) as source:
            yield source
        return
    with open_bytes(location, section) as packed, tempfile.TemporaryFile() as unpacked:
        while chunk := packed.read(_BUFFER):
            unpacked.write(chunk)
        unpacked.seek(0)
        yield unpacked


class _Unpacked(io.RawIOBase):
    """Reads an unpacked stream up to a limit."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream, self._left, self._limit = stream, limit, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # read1 returns what is left of a file that was cut; readinto raises before
        content = self._stream.read1(len(buffer))
        count = len(content)
        buffer[:count] = content
        self._left -= count
        if self._left < 0:
            raise UnreadableFileError(
                f"it unpacks to more than {self._limit:,} bytes, see ingest.max_unpacked_bytes and "
                "ingest.max_unpacked_ratio"
            )
        return count
