"""Splits reviews into sentences, and reads the opinion of each."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from reviewgen_spark.text.opinions.aspects import OpinionReader, SentenceOpinion
from reviewgen_spark.text.words.languages import LANG_CODES, LangCode
from reviewgen_spark.text.words.sentences import cut_sentences

_BULLET = re.compile(r"^\s*(?:[（(]?\d{1,2}[）)、.．:：](?!\d)|[一二三四五六七八九十][、.．:：]|[-*·—、，,]+)\s*")
_OPEN_END = " ，,；;、:："


class ReviewText(NamedTuple):
    """Holds a review of the product: its id, clean text and language code."""

    record_id: str
    text: str
    language: str | None


class Sentence(NamedTuple):
    """Holds a sentence of a review, its opinion and its words."""

    record_id: str
    text: str
    opinion: SentenceOpinion
    words: tuple[str, ...]


def main_language(codes: Iterable[str | None]) -> LangCode | None:
    """Returns the more frequent of Chinese and English. It is Chinese for a tie, and None if neither occurs.

    >>> main_language(["en", "zh-hans", "zh-hant", "other"]), main_language(["other"])
    ('zh', None)
    """
    counts = Counter(map(language_family, codes))
    present = [language for language in LANG_CODES if counts[language]]
    return max(present, key=lambda language: counts[language], default=None)


def read_sentences(review: ReviewText, reader: OpinionReader, keywords: frozenset[str] = frozenset()) -> list[Sentence]:
    """Returns the sentences of a review with their opinions."""
    sentences = []
    for text in cut_sentences(review.text):
        opinion = reader.read(text, keywords)
        words = tuple(token for token in opinion.tokens if any(map(str.isalnum, token)))
        sentences.append(Sentence(review.record_id, _BULLET.sub("", text).rstrip(_OPEN_END), opinion, words))
    return sentences


def language_family(code: str | None) -> LangCode | None:
    """Returns zh for simplified and traditional Chinese, en for English, and None for any other language."""
    return "en" if code == "en" else "zh" if (code or "").startswith("zh") else None
