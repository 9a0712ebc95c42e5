"""Reads a part of a delivered file: the records from a place on. Runs on executors."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from reviewgen_spark.config import IngestSection
from reviewgen_spark.transforms.ingest.columns import FEEDS
from reviewgen_spark.transforms.ingest.csv_records import CsvFile, read_csv
from reviewgen_spark.transforms.ingest.json_records import read_parts, split_lines, split_objects
from reviewgen_spark.transforms.ingest.parquet_records import open_parquet, read_parquet
from reviewgen_spark.transforms.ingest.source_files import DAMAGE_ERRORS, damaged, open_csv, open_filesystem
from reviewgen_spark.transforms.ingest.source_record import Place, SourceRecord

_BUFFER = 2**20
_FOOTER_END = 8  # bytes of a Parquet file after its metadata: their length and a mark


@dataclass(frozen=True)
class Content:
    """Names the plain bytes of a delivered file, and how they are cut into records.

    Attributes:
        location: The file, or its unpacked copy.
        kind: `lines` or `objects` (JSON), `csv` or `parquet`.
        encoding: Of the bytes, in which a newline is one byte.
        feed_code: `reviews` or `gold_labels`.
    """

    location: str
    kind: str
    encoding: str
    feed_code: str


@dataclass(frozen=True)
class Piece:
    """Describes a few megabytes of a file that are read as one unit.

    Attributes:
        first: Offset of its first byte; for Parquet the number of its first row group.
        last: Offset after its last byte; for Parquet the number after its last row group.
        skip: Rows of the first row group that belong to earlier pieces.
        ordinal: Records before it.
        line: Physical lines before it; only for JSON.
        row_count: Records in it.
        sha256: Hash of its bytes and of what is needed to read them.
    """

    first: int
    last: int
    skip: int
    ordinal: int
    line: int
    row_count: int
    sha256: str

    @property
    def place(self) -> Place:
        """Returns where it begins."""
        return Place(self.first, self.skip, self.ordinal, self.line)


def read_range(content: Content, section: IngestSection, place: Place) -> Iterator[SourceRecord]:
    """Yields the records from a place up to its stop, and moves the place on.

    Raises:
        UnreadableFileError: at the point where the file cannot be read on.
    """
    feed = FEEDS[content.feed_code]
    try:
        with ExitStack() as stack:
            source = stack.enter_context(_open(content.location))
            if content.kind == "parquet":
                yield from read_parquet(open_parquet(source), feed, section.max_record_bytes, place)
                return
            if content.kind == "csv":
                file = _header(content, section)
                file.continue_in(_stream(source, place.offset))
                yield from read_csv(file, feed, place)
                return
            split = split_lines if content.kind == "lines" else split_objects
            parts = split(_stream(source, place.offset), section.max_record_bytes, place.line)
            yield from read_parts(parts, feed, content.encoding, place)
    except DAMAGE_ERRORS as error:
        raise damaged(error) from None


def first_line(content: Content, section: IngestSection, offset: int) -> int:
    """Returns the offset of the first line that begins at or after an offset, and after the header of CSV.

    Raises:
        UnreadableFileError: the file cannot be read.
    """
    if content.kind == "parquet":
        return offset
    try:
        header_size = _header(content, section).header_size if content.kind == "csv" else 0
        end = max(offset - 1, 0)
        with _open(content.location) as source:
            stream = _stream(source, end)
            while offset and (part := stream.readline(_BUFFER)):
                end += len(part)
                if part.endswith(b"\n"):
                    break
    except DAMAGE_ERRORS as error:
        raise damaged(error) from None
    return max(end, header_size)


def piece_hash(content: Content, section: IngestSection, piece: Piece) -> str:
    """Returns the hash of the bytes that a piece has now.

    Raises:
        UnreadableFileError: they cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with _open(content.location) as source:
            if content.kind == "parquet":
                metadata = open_parquet(source).metadata
                groups = [metadata.row_group(number) for number in range(piece.first, piece.last)]
                size = source.size()
                footer = (size - metadata.serialized_size - _FOOTER_END, size)
                spans = [footer, *(span for group in groups for span in _column_spans(group))]
            else:
                if content.kind == "csv":
                    digest.update(b"".join(line.content for line in _header(content, section).header_lines))
                spans = [(piece.first, piece.last)]
            for first, last in spans:
                source.seek(first)
                while first < last and (chunk := source.read(min(_BUFFER, last - first))):
                    digest.update(chunk)
                    first += len(chunk)
    except DAMAGE_ERRORS as error:
        raise damaged(error) from None
    return digest.hexdigest()


def _column_spans(group: Any) -> list[tuple[int, int]]:
    spans = []
    for number in range(group.num_columns):
        column = group.column(number)
        first = column.data_page_offset
        if column.has_dictionary_page and column.dictionary_page_offset:
            first = min(first, column.dictionary_page_offset)
        spans.append((first, first + column.total_compressed_size))
    return spans


def _header(content: Content, section: IngestSection) -> CsvFile:
    with _open(content.location) as source:
        return open_csv(_stream(source, 0), content.feed_code, content.encoding, section)


def _open(location: str) -> Any:
    filesystem, path = open_filesystem(location)
    return filesystem.open_input_file(path)


def _stream(source: Any, offset: int) -> io.BufferedReader:
    source.seek(offset)
    return io.BufferedReader(source, _BUFFER)
