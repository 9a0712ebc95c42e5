"""Reads CSV with a header, of any common separator. A quote that is not closed costs one record, not those after it."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from reviewgen_spark.transforms.ingest.columns import ColumnNames, Feed
from reviewgen_spark.transforms.ingest.encodings import decode
from reviewgen_spark.transforms.ingest.source_record import (
    KEPT_BYTES,
    Line,
    Place,
    SourceRecord,
    UnreadableFileError,
    bounded_lines,
    too_long,
)

SEPARATORS = (",", "\t", ";", "|")

IsRecord = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True)
class CsvRow:
    """Holds the fields of a record, why it is refused, and its lines as they stand in the file."""

    fields: list[str]
    reason: str | None
    lines: Sequence[Line]
    is_blank: bool = False

    @property
    def size(self) -> int:
        """Returns the bytes of its lines."""
        return sum(line.size for line in self.lines)


class CsvFile:
    """Cuts a CSV stream into its header and the rows of its records.

    A record goes over several lines if a quoted field has a newline. If a further line of such a field is a whole
    record by itself, and does not close the quote of one, the quote was never closed: the first line is refused as
    `unclosed_quote`, and reading continues with the second. A blank line is no record.
    """

    def __init__(
        self, stream: BinaryIO, feed: Feed, encoding: str, separator: str, max_bytes: int, is_record: IsRecord
    ) -> None:
        """Reads the header.

        Args:
            stream: bytes of the file.
            feed: its columns.
            encoding: of the file; a newline must be one byte.
            separator: of the fields; `auto` takes the one with which the header has most of the known columns.
            max_bytes: of a record.
            is_record: whether values by column can be a whole record.
        """
        csv.field_size_limit(2**31 - 1)  # the default refuses a field of 131,072 characters
        self.encoding = encoding
        self.header: list[str] = []
        self.header_lines: list[Line] = []  # with the blank ones before it
        self._max_bytes = max_bytes
        self._is_record = is_record
        self._lines = bounded_lines(stream, max_bytes)
        self._again: list[Line] = []  # lines to read again, the next one last
        self._taken: list[Line] = []  # lines of the current record
        self._size = 0
        self._is_damaged = False
        text = ""
        for line in self._lines:
            self.header_lines.append(line)
            text, _ = decode(line.content.removeprefix(b"\xef\xbb\xbf"), encoding)
            if text.strip():
                break
        self.separator = find_separator(text, feed) if separator == "auto" else separator
        if text.strip():
            self.header = _header_fields(text, self.separator)
        self.columns = [feed.canonical(name) for name in self.header]

    @property
    def header_size(self) -> int:
        """Returns the bytes of the header and of the blank lines before it."""
        return sum(line.size for line in self.header_lines)

    def continue_in(self, stream: BinaryIO) -> None:
        """Reads the rows of another stream, which begins with a row of the same file."""
        self._lines = bounded_lines(stream, self._max_bytes)

    def __iter__(self) -> Iterator[CsvRow]:
        """Yields the rows, blank ones too."""
        reader = self._reader()
        while True:
            self._taken, self._size, self._is_damaged = [], 0, False
            try:
                fields = next(reader, None)
            except (_UnclosedQuoteError, csv.Error) as error:
                yield self._recover(error)
                reader = self._reader()
                continue
            if fields is None:
                return
            if not fields or (len(fields) == 1 < len(self.columns) and not fields[0].strip()):
                yield CsvRow([], None, self._taken, is_blank=True)
                continue
            reason = "wrong_field_count" if len(fields) != len(self.columns) else None
            yield CsvRow(fields, "not_decodable" if self._is_damaged else reason, self._taken)

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._texts(), delimiter=self.separator, strict=True)

    def _texts(self) -> Iterator[str]:
        while (line := self._again.pop() if self._again else next(self._lines, None)) is not None:
            self._taken.append(line)
            self._size += len(line.content)
            if line.is_cut:
                raise _UnclosedQuoteError
            text, is_damaged = decode(line.content, self.encoding)
            self._is_damaged = self._is_damaged or is_damaged
            is_further = len(self._taken) > 1
            if is_further and (self._size > self._max_bytes or (self._is_whole(text) and not self._closes(text))):
                raise _UnclosedQuoteError
            yield text

    def _recover(self, error: Exception) -> CsvRow:
        """Returns the first line of a record that could not be parsed as a row; the others are read again."""
        first, *rest = self._taken
        self._again.extend(reversed(rest))
        if first.is_cut:
            return CsvRow([], "record_too_long", [first])
        text, is_damaged = decode(first.content, self.encoding)
        fields = next(csv.reader([text.rstrip("\r\n")], delimiter=self.separator), [])
        is_open = bool(rest) or "unexpected end" in str(error)
        if not is_open and len(fields) == len(self.columns):  # a quote inside a field, read as spreadsheets read it
            return CsvRow(fields, "not_decodable" if is_damaged else None, [first])
        return CsvRow(fields, "unclosed_quote", [first])

    def _closes(self, text: str) -> bool:
        """Returns whether a line closes the open quote, so that all lines taken make one whole record.

        The last line of a text over several lines can look like a record, if it has as many separators.
        """
        if text.count('"') % 2 == 0:
            return False
        return self._is_whole("".join(decode(line.content, self.encoding)[0] for line in self._taken))

    def _is_whole(self, text: str) -> bool:
        if text.count(self.separator) < len(self.columns) - 1:
            return False
        try:
            fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=self.separator, strict=True), [])
        except csv.Error:
            return False
        return len(fields) == len(self.columns) and self._is_record(dict(zip(self.columns, fields, strict=True)))


class _UnclosedQuoteError(Exception):
    """Ends a row whose further line is a record by itself, or that is too long."""


def read_csv(file: CsvFile, feed: Feed, place: Place) -> Iterator[SourceRecord]:
    """Yields the records of a CSV file from a place, where its stream begins.

    Raises:
        UnreadableFileError: required columns are missing.
    """
    if not file.header:
        return
    require_columns(file.header, feed)
    names = ColumnNames(feed)
    is_plain = len(set(file.columns)) == len(file.columns)
    for row in file if place.offset < place.stop else ():
        place.offset += row.size
        if not row.is_blank:
            place.ordinal += 1
            yield _record(row, file, place.ordinal, None if is_plain else names)
        if place.offset >= place.stop:
            return


def _record(row: CsvRow, file: CsvFile, ordinal: int, names: ColumnNames | None) -> SourceRecord:
    """Returns the record of a row; `names` merges columns that come twice."""
    if row.reason == "record_too_long":
        return too_long(ordinal, ordinal, row.lines[0].content[:KEPT_BYTES], file.encoding)
    raw = _csv_line(row.fields, file.separator)
    if row.reason:
        return SourceRecord(ordinal, ordinal, raw, None, row.reason)
    pairs = zip(file.columns, row.fields, strict=True)
    values, reason = (dict(pairs), None) if names is None else names.merge(pairs)
    values = {name: value for name, value in values.items() if value != "" or name == "text"}
    return SourceRecord(ordinal, ordinal, raw, None if reason else values, reason)


def find_separator(header: str, feed: Feed) -> str:
    """Returns the separator with which a header has most of the known columns; a comma if none has more.

    Raises:
        UnreadableFileError: lines end with carriage returns alone.

    >>> from reviewgen_spark.transforms.ingest.columns import FEEDS
    >>> find_separator("review_id;product_id;text", FEEDS["reviews"])
    ';'
    """
    return max(SEPARATORS, key=lambda separator: len(feed.present(_header_fields(header, separator))))


def require_columns(names: Sequence[str], feed: Feed) -> None:
    """Refuses a header without the required columns. Only known names are quoted, because the line may be a record.

    Raises:
        UnreadableFileError: columns are missing.
    """
    missing = feed.missing(names)
    if missing:
        present = ", ".join(feed.present(names)) or "none"
        raise UnreadableFileError(
            f"required columns missing: {', '.join(missing)}; known columns found: {present}, of {len(names):,} in "
            "all. Check that the file has a header, its separator (ingest.csv_separator) and its encoding "
            "(ingest.encoding)"
        )


def _header_fields(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=separator), [])
    except csv.Error:
        raise UnreadableFileError(
            "its lines end with carriage returns alone; convert them to line feeds, and deliver the file again"
        ) from None


def _csv_line(fields: Sequence[str], separator: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="", delimiter=separator).writerow(fields)
    return line.getvalue()
