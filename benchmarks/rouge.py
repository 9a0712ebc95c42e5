"""Computes ROUGE-1, -2 and -L F1 with Google's `rouge-score` and stemming, as in FewSum. Lin 2004."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer


class Rouge(NamedTuple):
    """Three F1 values, 0 to 1."""

    rouge1: float
    rouge2: float
    rouge_l: float


def rouge(text: str, references: Sequence[str]) -> Rouge:
    """Returns the mean over the references, as in FewSum's evaluation (GoogleRouge with avg_rouge)."""
    scores = [_scorer().score(reference, text) for reference in references]
    return mean([Rouge(*(score[kind].fmeasure for kind in _KINDS)) for score in scores])


def mean(scores: Sequence[Rouge]) -> Rouge:
    return Rouge(*(sum(values) / len(scores) for values in zip(*scores, strict=True)))


_KINDS = ("rouge1", "rouge2", "rougeL")


@cache
def _scorer() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(_KINDS, use_stemmer=True)
