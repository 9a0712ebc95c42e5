"""ROUGE-1, -2 and -L as Google's `rouge-score` computes them with stemming, which FewSum is measured by.

Lower case, everything but a-z and 0-9 is space, words of more than three letters are stemmed by Porter's algorithm;
F1 of clipped n-gram counts, or of the longest common subsequence of the whole texts. Lin 2004. `nltk` comes with the
extra `weak`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

_OTHER = re.compile(r"[^a-z0-9]+")


class Rouge(NamedTuple):
    """Three F1 values, 0 to 1."""

    rouge1: float
    rouge2: float
    rouge_l: float


def rouge(text: str, references: Sequence[str]) -> Rouge:
    """The mean over the references, as in FewSum's evaluation (GoogleRouge with avg_rouge)."""
    scores = [_against(_words(text), _words(reference)) for reference in references]
    return mean(scores)


def mean(scores: Sequence[Rouge]) -> Rouge:
    return Rouge(*(sum(values) / len(scores) for values in zip(*scores, strict=True)))


def _against(text: list[str], reference: list[str]) -> Rouge:
    ones, twos = (_overlap(text, reference, length) for length in (1, 2))
    return Rouge(ones, twos, _f1(_common(text, reference), len(text), len(reference)))


def _overlap(text: list[str], reference: list[str], length: int) -> float:
    one, other = (
        Counter(zip(*(words[start:] for start in range(length)), strict=False)) for words in (text, reference)
    )
    return _f1(sum((one & other).values()), sum(one.values()), sum(other.values()))


def _f1(shared: int, one: int, other: int) -> float:
    return 2 * shared / (one + other) if shared else 0.0


def _common(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence."""
    before = [0] * (len(other) + 1)
    for word in one:
        row = [0]
        for place, match in enumerate(other):
            row.append(before[place] + 1 if word == match else max(row[place], before[place + 1]))
        before = row
    return before[-1]


def _words(text: str) -> list[str]:
    return [_stem(word) if len(word) > 3 else word for word in _OTHER.sub(" ", text.lower()).split()]


@cache
def _stem(word: str) -> str:
    return str(_stemmer().stem(word))


@cache
def _stemmer():  # type: ignore[no-untyped-def]
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()
