"""One record as it stands in its file, and what the readers of all formats share."""

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


class Line(NamedTuple):
    """A physical line with its newline. Of one that is too long only the beginning is held."""

    number: int
    content: bytes
    is_cut: bool


def bounded_lines(stream: BinaryIO, max_bytes: int) -> Iterator[Line]:
    """Yields the lines of a stream; no more than `max_bytes` of a line are ever in memory."""
    number, readline = 0, stream.readline
    while content := readline(max_bytes + 1):
        number += 1
        if len(content) <= max_bytes or content.endswith(b"\n"):
            yield Line(number, content, False)
            continue
        while (rest := readline(2**20)) and not rest.endswith(b"\n"):
            pass
        yield Line(number, content[:KEPT_BYTES], True)


def too_long(ordinal: int, line: int, content: bytes, encoding: str) -> SourceRecord:
    """Returns the refused record of a text that is longer than `ingest.max_record_bytes`."""
    raw, _ = decode(content[:KEPT_BYTES], encoding)
    return SourceRecord(ordinal, line, raw, None, "record_too_long")
