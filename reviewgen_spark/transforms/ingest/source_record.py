"""One record as it stands in its file, and what the readers of all formats share."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from reviewgen_spark.transforms.ingest.encodings import decode

KEPT_BYTES = 1_000  # of a record that is too long, for the quarantine


class UnreadableFileError(Exception):
    """Reports a file that ends in the middle, is damaged, or lacks a required column.

    The message holds no value of a row.
    """


@dataclass(slots=True)
class SourceRecord:
    """Holds a record as it stands in its file.

    Attributes:
        ordinal: Its number among the file's records, from 1.
        line: For JSON its physical line, else the ordinal.
        raw: The record as delivered, for the quarantine; the beginning of one that is too long.
        values: Its values by column; None if it is refused for `reason`.
        reason: Why the record is refused.
    """

    ordinal: int
    line: int
    raw: str
    values: Mapping[str, Any] | None
    reason: str | None = None


@dataclass(slots=True)
class Place:
    """Holds how far a reader is in its file. A reader can begin at a place, and moves it on with each record.

    Attributes:
        offset: Bytes of the file before the place; for Parquet row groups.
        skip: Rows of the row group before the place; 0 for other formats.
        ordinal: Records before the place.
        line: Physical lines before the place; only for JSON.
        stop: Offset from which no record begins that the reader yields.
    """

    offset: int = 0
    skip: int = 0
    ordinal: int = 0
    line: int = 0
    stop: int = sys.maxsize


class Line(NamedTuple):
    """A physical line with its newline. Of one that is too long only the beginning is held, but `size` is of all."""

    number: int
    content: bytes
    is_cut: bool
    size: int = 0


def bounded_lines(stream: BinaryIO, max_bytes: int, number: int = 0) -> Iterator[Line]:
    """Yields the lines of a stream; no more than `max_bytes` of a line are ever in memory.

    Args:
        stream: bytes of the file, from the start of a line.
        max_bytes: of a line.
        number: of the lines before.
    """
    readline = stream.readline
    while content := readline(max_bytes + 1):
        number += 1
        size = len(content)
        if size <= max_bytes or content.endswith(b"\n"):
            yield Line(number, content, False, size)
            continue
        while rest := readline(2**20):
            size += len(rest)
            if rest.endswith(b"\n"):
                break
        yield Line(number, content[:KEPT_BYTES], True, size)


def too_long(ordinal: int, line: int, content: bytes, encoding: str) -> SourceRecord:
    """Returns the refused record of a text that is longer than `ingest.max_record_bytes`."""
    raw, _ = decode(content[:KEPT_BYTES], encoding)
    return SourceRecord(ordinal, line, raw, None, "record_too_long")
