"""Checks that the sources support each sentence of a text, and drops sentences without support.

This approximates entailment without a model. A sentence is supported under three conditions:

- The sources, and one of their sentences, contain enough of its content words.
- The nearest sources do not have the opposite opinion on the product, or on one of its aspects.
- Each of its numbers is in a source or was counted.

With sentence vectors, a sentence whose vector is near that of a source sentence also meets the first condition.

Measurements and limits: docs/experiments.md, "faithfulness".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from reviewgen_spark.text.opinions.aspects import OpinionReader, SentenceOpinion, is_negative, is_positive
from reviewgen_spark.text.requests.request import Source
from reviewgen_spark.text.words.sentences import cut_sentences

MIN_SUPPORT = 0.35
"""The least support of a kept sentence. It was tuned on the training products of FewSum."""
MIN_COSINE = 0.9
"""The least cosine of a paraphrase. It depends on the encoder, so tune it again for another encoder."""

Reason = Literal["unsupported", "contradicted", "number"]
Vectors = npt.NDArray[np.float32]

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ENDINGS = ("ing", "ed", "es", "ly", "s", "e")
_SHORTEST_STEM = 3
# Words of a summary that describe its sources, not the product: 312 of 400 customers say, 大多数买家提到.
_FRAME_WORDS = (
    "review reviews reviewer reviewers customer customers buyer buyers user users people most many some say says said "
    "mention mentions find finds report reports "
    "评价 评论 顾客 客户 用户 买家 消费者 大多数 多数 部分 表示 提到 反映 认为"
)
_FRAME = frozenset(_FRAME_WORDS.split())
_NEAR = 0.34  # share of the words of a sentence that a source must contain to contradict it


class Judgement(NamedTuple):
    """Holds the result for one sentence.

    Attributes:
        text: The sentence.
        support: 0 to 1: the mean of two shares of its content words: those in all sources, and those in the nearest
            source sentence.
        reason: Why it is dropped; None if it is kept.
        record_id: The review with the nearest sentence; None if no sentence is similar.
    """

    text: str
    support: float
    reason: Reason | None
    record_id: str | None


@dataclass(frozen=True)
class Faithfulness:
    """Holds the results for the sentences of a text. `text` is the kept part, `score` its share of sentences."""

    judgements: tuple[Judgement, ...]
    text: str

    @property
    def score(self) -> float:
        """Returns the share of kept sentences, 0 to 1. It is 1 without sentences, because nothing is claimed."""
        kept = sum(judgement.reason is None for judgement in self.judgements)
        return kept / len(self.judgements) if self.judgements else 1.0


class _SourceSentence(NamedTuple):
    record_id: str
    opinion: SentenceOpinion
    stems: frozenset[str]


class Evidence:
    """Reads the sources once, and checks any number of texts against them.

    Args:
        sources: Reviews, and statements of the shop about the product, as texts.
        reader: Reads the opinions of sentences.
        counts: Numbers that were counted over the sources. A text may contain them although no source does.
        vectors: Unit vectors of `sentences`, one row each. With None, only words are compared.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        reader: OpinionReader,
        counts: Iterable[int] = (),
        vectors: Vectors | None = None,
    ) -> None:
        self._reader = reader
        self.sentences: tuple[str, ...] = ()
        self._source_sentences: list[_SourceSentence] = []
        numbers = {str(count) for count in counts}
        for source in sources:
            numbers |= _numbers(source.text)
            for sentence in cut_sentences(source.text):
                opinion = reader.read(sentence)
                self._source_sentences.append(_SourceSentence(source.record_id, opinion, _stems(opinion)))
                self.sentences += (sentence,)
        self._numbers = numbers
        self._stems = frozenset[str]().union(*(sentence.stems for sentence in self._source_sentences))
        if vectors is not None and len(vectors) != len(self.sentences):
            raise ValueError(
                f"vectors: got {len(vectors)} rows; expected one for each of {len(self.sentences)} sentences"
            )
        self._vectors = vectors

    def judge(
        self,
        text: str,
        vectors: Vectors | None = None,
        min_support: float = MIN_SUPPORT,
        min_cosine: float = MIN_COSINE,
    ) -> Faithfulness:
        """Checks each sentence of a text, and keeps the supported ones.

        Args:
            text: The generated text.
            vectors: Unit vectors of the sentences of `cut_sentences(text)`, one row each.
            min_support: Least support by words.
            min_cosine: Least cosine of support by vectors.
        """
        sentences = cut_sentences(text)
        cosines: list[Vectors | None] = [None] * len(sentences)
        if vectors is not None and self._vectors is not None and len(self._vectors):
            cosines = list(vectors @ self._vectors.T)
        judgements = [
            self._judge(sentence, cosine, min_support, min_cosine)
            for sentence, cosine in zip(sentences, cosines, strict=True)
        ]
        kept = [judgement.text for judgement in judgements if judgement.reason is None]
        separator = " " if text.isascii() or any(" " in sentence for sentence in kept) else ""
        return Faithfulness(tuple(judgements), separator.join(kept))

    def _judge(self, text: str, cosine: Vectors | None, min_support: float, min_cosine: float) -> Judgement:
        opinion = self._reader.read(text)
        stems = _stems(opinion)
        shares = [_share(stems, source.stems) for source in self._source_sentences]
        near = (
            shares
            if cosine is None
            else [max(share, float(value)) for share, value in zip(shares, cosine, strict=True)]
        )
        best = max(range(len(near)), key=near.__getitem__, default=None)
        if best is None:
            return Judgement(text, 0.0, "unsupported", None)
        support = (_share(stems, self._stems) + shares[best]) / 2
        record_id = self._source_sentences[best].record_id if near[best] else None
        is_near = cosine is not None and float(cosine.max()) >= min_cosine
        reason: Reason | None = None
        if not _numbers(text) <= self._numbers:
            reason = "number"
        elif support < min_support and not is_near:
            reason = "unsupported"
        elif self._is_contradicted(opinion, near):
            reason = "contradicted"
        return Judgement(text, round(support, 4), reason, record_id)

    def _is_contradicted(self, opinion: SentenceOpinion, near: Sequence[float]) -> bool:
        """Checks whether the nearest sources have the opposite opinion.

        Opinions on aspects are compared. If the sentence has none, opinions on the product are compared.
        """
        polar = {code: score for code, score in opinion.aspects.items() if _sign(score)}
        for code, score in polar.items():
            nearby = [
                (near[index], _sign(source.opinion.aspects.get(code, 0)))
                for index, source in enumerate(self._source_sentences)
            ]
            if _opposes(_sign(score), nearby):
                return True
        nearby = [
            (near[index], _sign(source.opinion.score))
            for index, source in enumerate(self._source_sentences)
            if near[index]
        ]
        return not polar and _opposes(_sign(opinion.score), nearby)


def _share(stems: frozenset[str], source_stems: frozenset[str]) -> float:
    """Returns the share of the stems that a source contains."""
    return len(stems & source_stems) / len(stems) if stems else 0.0


def _opposes(sign: int, nearby: Iterable[tuple[float, int]]) -> bool:
    """Checks whether a source of the opposite sign is near, and nearer than all sources of the same sign.

    Args:
        sign: Sign of the sentence. A sentence of sign 0 is never opposed.
        nearby: Nearness and sign of each source sentence.
    """
    nearest = {1: 0.0, -1: 0.0, 0: 0.0}
    for nearness, source_sign in nearby:
        nearest[source_sign] = max(nearest[source_sign], nearness)
    return sign != 0 and nearest[-sign] >= _NEAR and nearest[-sign] > nearest[sign]


def _sign(score: float) -> int:
    return is_positive(score) - is_negative(score)


def _stems(opinion: SentenceOpinion) -> frozenset[str]:
    """Returns the stems of content words without numbers, so that loves, loved and loving are equal."""
    return frozenset(
        _stem(word) for word in opinion.content_words if any(map(str.isalpha, word)) and word not in _FRAME
    )


def _stem(word: str) -> str:
    if word.isascii():
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
                return word[: -len(ending)]
    return word


def _numbers(text: str) -> set[str]:
    """Returns the numbers of a text as digits, without thousands separators.

    >>> sorted(_numbers("1,200 reviews, 3.5 of 5"))
    ['1200', '3.5', '5']
    """
    return {re.sub(r",(?=\d{3}\b)", "", number) for number in _NUMBER.findall(text)}
