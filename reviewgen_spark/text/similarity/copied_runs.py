"""Finds text that is copied word for word from other texts. For training texts it uses an index."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

import numpy as np

from reviewgen_spark.text.words.languages import LangCode

_HAN_OR_WORD = re.compile(r"[^\W_]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

GRAM: dict[LangCode, int] = {"zh": 12, "en": 6}
"""Units of an n-gram of the index. Shorter runs are not found."""


def units(text: str, lang_code: LangCode) -> Sequence[str]:
    """Returns the units of a run: letters and digits in Chinese, words in English. Case and punctuation are ignored.

    >>> units("很好，OK", "zh"), units("It's fine.", "en")
    ('很好ok', ("it's", 'fine'))
    """
    if lang_code == "zh":
        return "".join(_HAN_OR_WORD.findall(text)).lower()
    return tuple(_WORD.findall(text.lower()))


def longest_common_run(text: str, others: Iterable[str], lang_code: LangCode) -> int:
    """Returns the length in units of the longest run that a text shares with one of the others.

    A run of n units contains runs of all shorter lengths, so a binary search finds the longest.

    >>> longest_common_run("电池很耐用，屏幕一般", ["这个电池很耐用！"], "zh")
    5
    """
    text_units = units(text, lang_code)
    longest = 0
    for other in others:
        other_units = units(other, lang_code)
        shared = _shares_long_run if min(len(text_units), len(other_units)) > _LONG else _shares_run
        has_run = shared(text_units, other_units)
        low, high = longest, min(len(text_units), len(other_units))
        while low < high:
            middle = (low + high + 1) // 2
            if has_run(middle):
                low = middle
            else:
                high = middle - 1
        longest = low
    return longest


_LONG = 1_000  # units above which runs are numbered, because runs of a long text take quadratic memory


def _shares_run(one: Sequence[str], other: Sequence[str]) -> Callable[[int], bool]:
    return lambda size: not _grams(one, size).isdisjoint(_grams(other, size))


def _shares_long_run(one: Sequence[str], other: Sequence[str]) -> Callable[[int], bool]:
    """Returns whether two texts share a run of a length, by numbers of all runs of 1, 2, 4, ... units.

    A run of n units is the pair of its first and its last 2^k units, for the largest 2^k up to n. Equal runs have equal
    numbers, so the answer is exact.
    """
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(unit, len(numbers)) for unit in (*one, *other)], np.int64)
    levels = [codes]
    while 2 ** len(levels) <= min(len(one), len(other)):
        half, width = levels[-1], 2 ** (len(levels) - 1)
        pairs = half[:-width] * (len(codes) + 1) + half[width:]
        levels.append(np.unique(pairs, return_inverse=True)[1])

    def has_run(size: int) -> bool:
        level = levels[size.bit_length() - 1]
        width = 2 ** (size.bit_length() - 1)
        pairs = level[: len(codes) - size + 1] * (len(codes) + 1) + level[size - width : len(codes) - width + 1]
        return bool(np.intersect1d(pairs[: len(one) - size + 1], pairs[len(one) :]).size)

    return has_run


def _grams(sequence: Sequence[str], size: int) -> set[Sequence[str]]:
    return {sequence[start : start + size] for start in range(len(sequence) - size + 1)}


class CopyIndex:
    """Finds copies of training texts by hashes of their n-grams. A hash has 8 bytes, so the index stays small."""

    def __init__(self, lang_code: LangCode, hashes: Sequence[int]) -> None:
        """Holds the hashes of `build`: sorted unsigned numbers of 8 bytes."""
        self.lang_code = lang_code
        self.hashes = hashes

    @classmethod
    def build(cls, texts: Iterable[str], lang_code: LangCode) -> "CopyIndex":
        """Builds the index of texts of one language."""
        size = GRAM[lang_code]
        hashes = {_hash(gram) for text in texts for gram in _grams(units(text, lang_code), size)}
        return cls(lang_code, array("Q", sorted(hashes)))

    def __len__(self) -> int:
        return len(self.hashes)

    def longest_run(self, text: str) -> int:
        """Returns the length in units of the longest run whose n-grams are all in the index, or 0 below `GRAM`.

        Neighbouring n-grams may come from different texts, so the result is an upper bound for a run of one text.
        """
        size, text_units = GRAM[self.lang_code], units(text, self.lang_code)
        longest = current = 0
        for start in range(len(text_units) - size + 1):
            current = current + 1 if self._contains(_hash(text_units[start : start + size])) else 0
            longest = max(longest, current)
        return longest + size - 1 if longest else 0

    def _contains(self, value: int) -> bool:
        index = bisect_left(self.hashes, value)
        return index < len(self.hashes) and int(self.hashes[index]) == value


def _hash(gram: Sequence[str]) -> int:
    content = gram if isinstance(gram, str) else " ".join(gram)
    return int.from_bytes(blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
