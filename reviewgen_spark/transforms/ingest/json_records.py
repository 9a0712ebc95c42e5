"""Reads JSON: one object a line, an array of objects, or objects over several lines."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import orjson

from reviewgen_spark.transforms.ingest.columns import ColumnNames, Feed
from reviewgen_spark.transforms.ingest.encodings import decode
from reviewgen_spark.transforms.ingest.source_record import (
    KEPT_BYTES,
    Place,
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

    Of a record with `is_cut`, which is too long, only the beginning is held. `size` is its number of bytes, and `lines`
    the number of physical lines up to its end.
    """

    content: bytes
    line: int
    is_record: bool
    is_cut: bool = False
    size: int = 0
    lines: int = 0


def read_json(stream: io.BufferedReader, feed: Feed, encoding: str, max_bytes: int) -> Iterator[SourceRecord]:
    """Yields the records of a stream that can `peek`.

    Raises:
        UnreadableFileError: an array or an object over several lines is not closed.
    """
    place = Place()
    yield from read_parts(split_json(stream, max_bytes), feed, encoding, place)


def read_parts(parts: Iterable[JsonPart], feed: Feed, encoding: str, place: Place) -> Iterator[SourceRecord]:
    """Yields the records of parts that begin at a place."""
    reader = JsonObjects(feed, encoding)
    if place.offset >= place.stop:
        return
    for part in parts:
        place.offset += part.size
        place.line = part.lines
        if part.is_record:
            place.ordinal += 1
            content = part.content.strip(_BLANKS).removeprefix(_BOM)
            if part.is_cut:
                yield too_long(place.ordinal, part.line, content, encoding)
            else:
                yield reader.record(place.ordinal, part.line, content)
        if place.offset >= place.stop:
            return


def split_json(stream: io.BufferedReader, max_bytes: int) -> Iterator[JsonPart]:
    """Cuts a stream into records and the bytes between them."""
    split = split_objects if is_over_lines(stream) else split_lines
    return split(stream, max_bytes, 0)


def split_lines(stream: BinaryIO, max_bytes: int, lines: int) -> Iterator[JsonPart]:
    """Cuts a stream with one object a line; `lines` is the number of lines before it."""
    for line in bounded_lines(stream, max_bytes, lines):
        is_record = bool(line.content.removeprefix(_BOM).strip(_BLANKS))
        yield JsonPart(line.content, line.number, is_record, line.is_cut, line.size, line.number)


def is_over_lines(stream: io.BufferedReader) -> bool:
    """Returns whether a stream that can `peek` has an array of objects, or objects over several lines."""
    return _is_over_lines(stream.peek(_CHUNK))


def _is_over_lines(head: bytes) -> bool:
    """Returns whether a file begins with an array of objects, or with an object over several lines."""
    text = head.removeprefix(_BOM).lstrip(_BLANKS)
    if text.startswith(b"["):
        return text[1:].lstrip(_BLANKS)[:1] in (b"{", b"")
    if not text.startswith(b"{"):
        return False
    first = next((part for part in _cut(iter([text]), len(text), 0) if part.is_record), None)
    if first is None or b"\n" not in first.content:
        return False
    try:
        orjson.loads(first.content)
    except orjson.JSONDecodeError:
        return False
    return True


def split_objects(stream: BinaryIO, max_bytes: int, lines: int) -> Iterator[JsonPart]:
    """Cuts a stream at the braces of its outermost objects, so that one malformed object is one record.

    Values between them that are no objects are malformed records too, so nothing is lost without a reason. `lines` is
    the number of lines before the stream.

    Raises:
        UnreadableFileError: the stream ends inside an object or an array.
    """
    brackets, is_inside, line = 0, False, 1
    for part in _cut(iter(lambda: stream.read(_CHUNK), b""), max_bytes, lines):
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
    last = line + value.count(b"\n")
    yield JsonPart(content[:start], part.line, is_record=False, size=start, lines=line - 1)
    yield JsonPart(value, line, is_record=True, size=len(value), lines=last - 1)
    yield JsonPart(content[end:], last, is_record=False, size=len(content) - end, lines=part.lines)


def _cut(chunks: Iterator[bytes], max_bytes: int, lines: int) -> Iterator[JsonPart]:
    """Yields each outermost object, and the bytes between two. One that is not closed is the last part."""
    depth, line, start = 0, lines + 1, lines + 1
    in_string = is_escaped = False
    held: list[bytes] = []
    size = 0
    before = origin = 0  # bytes before the chunk, and before the part

    def part(is_record: bool, end: int) -> JsonPart:
        is_cut = size > max_bytes
        content = b"".join(held)[: KEPT_BYTES if is_cut else None]
        return JsonPart(content, start, is_record, is_cut, before + end - origin, line - 1)

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
                        yield part(False, position - 1)
                        origin = before + position - 1
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
                    yield part(True, position)
                    held, size, begin, start, origin = [], 0, position, line, before + position
        rest = chunk[begin:]
        if depth:
            size += len(rest)
        if not depth or size <= max_bytes + len(rest):
            held.append(rest)
        before += len(chunk)
    if any(held):
        yield part(depth > 0, 0)


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
