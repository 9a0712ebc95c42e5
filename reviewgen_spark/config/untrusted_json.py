"""Reads JSON that others wrote, within limits, because one line must not end the command that reads a whole file."""

import json
from collections.abc import Iterator
from typing import Any, TextIO

MAX_DEPTH = 64
MAX_LINE_CHARS = 16 * 2**20


def parse_json(text: str | bytes) -> Any:
    r"""Parses JSON.

    Raises:
        ValueError: It is no JSON, is longer than `MAX_LINE_CHARS`, is nested more than `MAX_DEPTH` levels deep, or has
            half a surrogate pair, which no file can hold. The message quotes nothing.

    >>> parse_json('{"a": [1]}')
    {'a': [1]}
    """
    if len(text) > MAX_LINE_CHARS:
        raise ValueError(f"longer than {MAX_LINE_CHARS:,} characters")
    try:
        parsed = json.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep") from None
    except ValueError:
        raise ValueError("not JSON") from None
    level: list[Any] = [parsed]
    for _depth in range(MAX_DEPTH + 1):
        for value in level:
            if isinstance(value, str):
                _require_unicode(value)
            elif isinstance(value, dict):
                for key in value:
                    _require_unicode(key)
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return parsed
    raise ValueError(f"nested more than {MAX_DEPTH} levels deep")


def _require_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a character that is not UTF-8, or half of a surrogate pair") from None


def read_lines(stream: TextIO) -> Iterator[str]:
    """Yields the lines of a stream. A line above `MAX_LINE_CHARS` is cut right after them, so `parse_json` refuses it.

    The rest of such a line is never held in memory.
    """
    while line := stream.readline(MAX_LINE_CHARS + 1):
        rest = line
        while len(rest) > MAX_LINE_CHARS and not rest.endswith("\n"):
            rest = stream.readline(MAX_LINE_CHARS + 1)
        yield line
