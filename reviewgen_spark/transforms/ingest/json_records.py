"""Reads JSON: one object a line, an array of objects, or objects over several lines."""

import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import orjson

from reviewgen_spark.transforms.ingest.columns import ColumnNames, Feed
from reviewgen_spark.transforms.ingest.encodings import decode
from reviewgen_spark.transforms.ingest.source_record import (
    KEPT_BYTES,
    SourceRecord,
    UnreadableFileError,
    bounded_lines,
    too_long,
)

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_BETWEEN = b" \t\r\n,[]"  # bytes between the objects of an array
_CHUNK = 2**16
_EXACT = 2**53  # a float from here on may stand for several integers
_TOKEN = re.compile(rb'["\\{}\n]')


class JsonPart(NamedTuple):
    """A part of a file: a record, or the bytes between two. The parts together are the file.

    Of a record with `is_cut`, which is too long, only the beginning is held.
    """

    content: bytes
    line: int
    is_record: bool
    is_cut: bool = False


def read_json(stream: io.BufferedReader, feed: Feed, encoding: str, max_bytes: int) -> Iterator[SourceRecord]:
    """Yields the records of a stream that can `peek`.

    Raises:
        UnreadableFileError: an array or an object over several lines is not closed.
    """
    reader = JsonObjects(feed, encoding)
    ordinal = 0
    for part in split_json(stream, max_bytes):
        if not part.is_record:
            continue
        ordinal += 1
        content = part.content.strip(_BLANKS).removeprefix(_BOM)
        if part.is_cut:
            yield too_long(ordinal, part.line, content, encoding)
        else:
            yield reader.record(ordinal, part.line, content)


def split_json(stream: io.BufferedReader, max_bytes: int) -> Iterator[JsonPart]:
    """Cuts a stream into records and the bytes between them."""
    head = stream.peek(_CHUNK)
    if _is_over_lines(head):
        yield from _split_objects(stream, max_bytes)
        return
    for line in bounded_lines(stream, max_bytes):
        is_record = bool(line.content.removeprefix(_BOM).strip(_BLANKS))
        yield JsonPart(line.content, line.number, is_record, line.is_cut)


def _is_over_lines(head: bytes) -> bool:
    """Returns whether a file begins with an array of objects, or with an object over several lines."""
    text = head.removeprefix(_BOM).lstrip(_BLANKS)
    if text.startswith(b"["):
        return text[1:].lstrip(_BLANKS)[:1] in (b"{", b"")
    if not text.startswith(b"{"):
        return False
    first = next((part for part in _cut(iter([text]), len(text)) if part.is_record), None)
    if first is None or b"\n" not in first.content:
        return False
    try:
        orjson.loads(first.content)
    except orjson.JSONDecodeError:
        return False
    return True


def _split_objects(stream: BinaryIO, max_bytes: int) -> Iterator[JsonPart]:
    """Cuts a stream at the braces of its outermost objects, so that one malformed object is one record.

    Values between them that are no objects are malformed records too, so nothing is lost without a reason.

    Raises:
        UnreadableFileError: the stream ends inside an object or an array.
    """
    brackets, is_inside, line = 0, False, 1
    for part in _cut(iter(lambda: stream.read(_CHUNK), b""), max_bytes):
        if part.is_record:
            is_inside, line = part.content[-1:] != b"}" and not part.is_cut, part.line
        else:
            brackets += part.content.count(b"[") - part.content.count(b"]")
        yield from [part] if part.is_record or part.is_cut else _split_between(part)
    if is_inside or brackets:
        raise UnreadableFileError(f"the JSON ends inside an array or object; the last record begins on line {line:,}")


def _split_between(part: JsonPart) -> Iterator[JsonPart]:
    """Cuts the bytes between two objects, so that a value that is no object is a malformed record without brackets."""
    content = part.content
    value = content.removeprefix(_BOM).strip(_BETWEEN)
    if not value:
        yield part
        return
    start = content.index(value)
    end = start + len(value)
    line = part.line + content.count(b"\n", 0, start)
    yield JsonPart(content[:start], part.line, is_record=False)
    yield JsonPart(value, line, is_record=True)
    yield JsonPart(content[end:], line + value.count(b"\n"), is_record=False)


def _cut(chunks: Iterator[bytes], max_bytes: int) -> Iterator[JsonPart]:
    """Yields each outermost object, and the bytes between two. One that is not closed is the last part."""
    depth, line, start = 0, 1, 1
    in_string = is_escaped = False
    held: list[bytes] = []
    size = 0

    def part(is_record: bool) -> JsonPart:
        return JsonPart(b"".join(held)[: KEPT_BYTES if size > max_bytes else None], start, is_record, size > max_bytes)

    for chunk in chunks:
        begin = position = 0
        while True:
            if is_escaped:
                is_escaped, position = False, position + 1
            token = _TOKEN.search(chunk, position)
            if token is None:
                break
            position, byte = token.end(), token.group()
            if byte == b"\n":
                line += 1
            elif depth == 0:
                if byte == b"{":
                    held.append(chunk[begin : position - 1])
                    if any(held):
                        yield part(False)
                    held, size, begin, depth, start = [], 0, position - 1, 1, line
            elif byte == b"\\":
                is_escaped = in_string
                if is_escaped and position == len(chunk):
                    break
            elif byte == b'"':
                in_string = not in_string
            elif not in_string:
                depth += 1 if byte == b"{" else -1
                if depth == 0:
                    held.append(chunk[begin:position])
                    size += position - begin
                    yield part(True)
                    held, size, begin, start = [], 0, position, line
        rest = chunk[begin:]
        if depth:
            size += len(rest)
        if not depth or size <= max_bytes + len(rest):
            held.append(rest)
    if any(held):
        yield part(depth > 0)


class JsonObjects:
    """Parses the objects of one file."""

    def __init__(self, feed: Feed, encoding: str) -> None:
        """Takes the columns of the feed and the file's encoding."""
        self._names = ColumnNames(feed)
        self._encoding = encoding
        self._is_utf8 = encoding == "utf-8"
        self._keys = tuple(f'"{name}"'.encode() for name in feed.known)

    def record(self, ordinal: int, line: int, content: bytes) -> SourceRecord:
        """Parses one object, given as bytes of the file's encoding."""
        raw, is_damaged = decode(content, self._encoding)
        if is_damaged:
            return SourceRecord(ordinal, line, raw, None, "not_decodable")
        if not self._is_utf8:
            content = raw.encode("utf-8", errors="replace")
        try:
            values = orjson.loads(content)
        except orjson.JSONDecodeError:
            return SourceRecord(ordinal, line, raw, None, "malformed_json")
        if not isinstance(values, dict):
            return SourceRecord(ordinal, line, raw, None, "not_an_object")
        # Each key of a flat object ends in `":`. Another number of them is a nested object, a blank, or a key twice.
        is_flat = content.count(b'":') == len(values)
        if (not is_flat and any(content.count(key) > 1 for key in self._keys)) or _may_be_inexact(values):
            renamed, reason = self._reread(content, values)
        else:
            renamed, reason = self._names.rename(values)
        return SourceRecord(ordinal, line, raw, None if reason else renamed, reason)

    def _reread(self, content: bytes, values: Mapping[str, Any]) -> tuple[Mapping[str, Any], str | None]:
        """Parses again what orjson changes: it keeps the last of equal keys, and makes long integers floats."""
        try:
            pairs = json.loads(content, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            return self._names.rename(values)
        return self._names.merge([(name, _plain(value)) for name, value in pairs])


class _Pairs(list[tuple[str, Any]]):
    """The keys and values of a JSON object, in which a key may come twice."""


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {name: _plain(inner) for name, inner in value}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def _may_be_inexact(values: Mapping[str, Any]) -> bool:
    kinds = set(map(type, values.values()))
    return float in kinds and any(isinstance(value, float) and abs(value) >= _EXACT for value in values.values())
