"""Reads JSON: one object a line, an array of objects, or objects over several lines."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from reviewgen_spark.transforms.ingest.columns import ColumnNames, Feed
from reviewgen_spark.transforms.ingest.encodings import decode
from reviewgen_spark.transforms.ingest.source_record import SourceRecord, UnreadableFileError, bounded_lines, too_long

_CHUNK = 2**16
_EXACT = 2**53  # a float from here on may stand for several integers
_LINES_OF_ONE_OBJECT = re.compile(rb"\s*(\[\s*(\{.*)?|\{\s*)$", re.DOTALL)


def read_json(stream: BinaryIO, feed: Feed, encoding: str, max_bytes: int) -> Iterator[SourceRecord]:
    """Yields the records of a stream of one object a line, or of any other JSON whose objects follow each other."""
    lines = bounded_lines(stream, max_bytes)
    first = next((line for line in lines if line.content.strip()), None)
    if first is None:
        return
    reader = JsonObjects(feed, encoding)
    if _LINES_OF_ONE_OBJECT.match(first.content.removeprefix(b"\xef\xbb\xbf").rstrip()) and not reader.is_whole(
        first.content
    ):
        yield from _stream_records(_chain(first.content, stream), reader, encoding, max_bytes)
        return
    ordinal = 0
    line: Any = first
    while line is not None:
        content = line.content.strip(b"\r\n \t")
        if line.number == 1:
            content = content.removeprefix(b"\xef\xbb\xbf")
        if line.is_cut:
            ordinal += 1
            yield too_long(ordinal, line.number, content, encoding)
        elif content:
            ordinal += 1
            yield reader.record(ordinal, line.number, content)
        line = next(lines, None)


class JsonObjects:
    """Parses the objects of one file."""

    def __init__(self, feed: Feed, encoding: str) -> None:
        """Takes the columns of the feed and the file's encoding."""
        self._names = ColumnNames(feed)
        self._encoding = encoding
        self._keys = tuple(f'"{name}"'.encode() for name in feed.known)

    def is_whole(self, content: bytes) -> bool:
        """Returns whether a line is valid JSON by itself."""
        try:
            orjson.loads(content.strip().removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError:
            return False
        return True

    def record(self, ordinal: int, line: int, content: bytes) -> SourceRecord:
        """Parses one object, given as bytes of the file's encoding."""
        raw, is_damaged = decode(content, self._encoding)
        if self._encoding != "utf-8":
            content = raw.encode("utf-8", errors="replace")
        if is_damaged:
            return SourceRecord(ordinal, line, raw, None, "not_decodable")
        try:
            values = orjson.loads(content)
        except orjson.JSONDecodeError:
            return SourceRecord(ordinal, line, raw, None, "malformed_json")
        if not isinstance(values, dict):
            return SourceRecord(ordinal, line, raw, None, "not_an_object")
        reason = None
        if any(content.count(key) > 1 for key in self._keys) or _may_be_inexact(values):
            renamed, reason = self._reread(content, values)
        else:
            renamed, reason = self._names.rename(values)
        return SourceRecord(ordinal, line, raw, None if reason else renamed, reason)

    def _reread(self, content: bytes, values: Mapping[str, Any]) -> tuple[Mapping[str, Any], str | None]:
        """Parses again what orjson changes: of equal keys it keeps the last, and integers beyond 64 bits become floats."""
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
    return any(isinstance(value, float) and abs(value) >= _EXACT for value in values.values())


def _chain(first: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield first
    while chunk := stream.read(_CHUNK):
        yield chunk


def _stream_records(
    chunks: Iterator[bytes], reader: JsonObjects, encoding: str, max_bytes: int
) -> Iterator[SourceRecord]:
    """Cuts a stream into objects at the braces, without a parser, so that one malformed object is one record."""
    ordinal, line = 0, 1
    for start, content, is_cut in _objects(chunks, max_bytes):
        ordinal, line = ordinal + 1, start
        if is_cut:
            yield too_long(ordinal, line, content, encoding)
        else:
            yield reader.record(ordinal, line, content)


def _objects(chunks: Iterator[bytes], max_bytes: int) -> Iterator[tuple[int, bytes, bool]]:
    """Yields (line, bytes, whether it was cut) of each outermost object.

    Raises:
        UnreadableFileError: the stream ends inside an object or an array, or something else stands between objects.
    """
    token = re.compile(rb'["\\{}\n]')
    depth, line, start = 0, 1, 1
    in_string = is_escaped = is_cut = False
    parts: list[bytes] = []
    size = 0
    brackets = 0
    for chunk in chunks:
        begin = 0
        position = 0
        while position < len(chunk):
            if is_escaped:
                is_escaped, position = False, position + 1
                continue
            if depth == 0:
                byte = chunk[position : position + 1]
                position += 1
                if byte == b"{":
                    depth, start, begin, parts, size, is_cut = 1, line, position - 1, [], 0, False
                elif byte == b"\n":
                    line += 1
                elif byte in b"[]":
                    brackets += 1 if byte == b"[" else -1
                elif byte not in b" \t\r,\xef\xbb\xbf":
                    raise UnreadableFileError(f"no JSON object begins on line {line:,}")
                continue
            found = token.search(chunk, position)
            if found is None:
                break
            position = found.end()
            byte = found.group()
            if byte == b"\n":
                line += 1
            elif byte == b"\\":
                is_escaped = in_string
            elif byte == b'"':
                in_string = not in_string
            elif not in_string:
                depth += 1 if byte == b"{" else -1
                if depth == 0:
                    parts.append(chunk[begin:position])
                    yield start, b"".join(parts), is_cut
                    parts, size, begin = [], 0, position
        if depth:
            if size <= max_bytes:
                parts.append(chunk[begin:])
                size += len(chunk) - begin
            is_cut = is_cut or size > max_bytes
    if depth or brackets:
        raise UnreadableFileError(f"the JSON ends inside the object that begins on line {start:,}")
