"""Finds forbidden phrases in texts, but not in harmless contexts: 第一 is a claim, 第一次 is not."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.words.word_lists import read_lines

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


class PhraseMatch(NamedTuple):
    """Holds a phrase of the list that a text contains, and its kind. It holds no words of the text."""

    phrase: str
    kind: str


class PhraseList:
    """Finds the phrases of a list. A line is `phrase<TAB>kind[<TAB>harmless context|harmless context…]`.

    A Chinese phrase matches anywhere, a phrase in Latin letters only as whole words. Case and width are ignored. A
    phrase does not count if it overlaps a harmless context of any line.
    """

    def __init__(self, entries: Iterable[tuple[str, str, tuple[str, ...]]]) -> None:
        rows = [(_plain(phrase), kind, contexts) for phrase, kind, contexts in entries]
        self._kinds = {phrase: kind for phrase, kind, _ in rows}
        self._phrases = _compile(self._kinds)
        contexts = {_plain(context) for _, _, contexts in rows for context in contexts}
        self._contexts = _compile(contexts) if contexts else None

    @classmethod
    def read(cls, path: Path) -> "PhraseList":
        """Reads a list from a file.

        Raises:
            ConfigError: The file is missing or is not UTF-8, or a line has no kind or too many fields.
        """
        entries = []
        for number, line in enumerate(read_lines(path), start=1):
            phrase, *rest = (part.strip() for part in line.split("\t"))
            if not rest or not rest[0] or len(rest) > 2:
                raise ConfigError(f"{path.name}: entry {number}: expected 'phrase<TAB>kind[<TAB>context|context…]'")
            entries.append((phrase, rest[0], tuple(filter(None, rest[1].split("|"))) if len(rest) > 1 else ()))
        return cls(entries)

    @property
    def kinds(self) -> frozenset[str]:
        """Returns all kinds of the list."""
        return frozenset(self._kinds.values())

    def find(self, text: str) -> list[PhraseMatch]:
        """Returns the phrases that a text contains, in order. A phrase that occurs twice is returned twice.

        >>> claims = PhraseList([("第一", "rank", ("第一次",)), ("no. 1", "rank", ())])
        >>> claims.find("第一次买，全网第一，No. 1 quality")
        [PhraseMatch(phrase='第一', kind='rank'), PhraseMatch(phrase='no. 1', kind='rank')]
        """
        text = _plain(text)
        matches = list(self._phrases.finditer(text))
        if matches and self._contexts is not None:
            harmless = [context.span() for context in self._contexts.finditer(text)]
            matches = [
                match
                for match in matches
                if not any(start < match.end() and match.start() < end for start, end in harmless)
            ]
        return [PhraseMatch(match[0], self._kinds[match[0]]) for match in matches]


def _plain(text: str) -> str:
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).lower()


def _compile(phrases: Iterable[str]) -> re.Pattern[str]:
    """Compiles phrases, the longest first, so that 国家级 does not match as 国家."""
    parts = []
    for phrase in sorted(phrases, key=len, reverse=True):
        before = "(?<![a-z])" if phrase[0].isascii() and phrase[0].isalpha() else ""
        after = "(?![a-z])" if phrase[-1].isascii() and phrase[-1].isalpha() else ""
        parts.append(before + re.escape(phrase) + after)
    return re.compile("|".join(parts) or "(?!)")
