"""Counts the positive and negative reviews of each aspect, and writes the counts as a sentence."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reviewgen_spark.config import SummariseSection
from reviewgen_spark.text.opinions.aspects import OpinionReader, is_negative, is_positive
from reviewgen_spark.text.summaries.sentences import Sentence
from reviewgen_spark.text.words.languages import LangCode


class AspectCount(NamedTuple):
    """Holds the reviews that mention an aspect, and how many of them praise it and criticise it."""

    code: str
    record_ids: tuple[str, ...]
    praise: int
    blame: int


def count_aspects(reviews: Mapping[str, Sequence[Sentence]], section: SummariseSection) -> list[AspectCount]:
    """Counts the reviews that mention each aspect. The most frequent aspect comes first.

    Args:
        reviews: The sentences of each review, by record id.
        section: Sets the largest number of aspects, and the least number of reviews that mention one.
    """
    scores: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for record_id, sentences in reviews.items():
        for sentence in sentences:
            for code, sentence_score in sentence.opinion.aspects.items():
                scores[code][record_id] = scores[code].get(record_id, 0.0) + sentence_score
    frequent = [code for code in scores if len(scores[code]) >= section.min_mentions]
    frequent.sort(key=lambda code: (-len(scores[code]), code))
    return [
        AspectCount(
            code,
            tuple(sorted(scores[code])),
            sum(map(is_positive, scores[code].values())),
            sum(map(is_negative, scores[code].values())),
        )
        for code in frequent[: section.max_counts]
    ]


ReadCounts = tuple[int, int]
"""Number of reviews that were read, and number of reviews of the product."""


def write_counts(counts: Sequence[AspectCount], read: ReadCounts, reader: OpinionReader, language: LangCode) -> str:
    """Writes counts as a sentence: `Of 400 reviews, 312 mention battery life (71 % positively, 9 % negatively).`."""
    parts = []
    for index, (code, record_ids, praise, blame) in enumerate(counts):
        good, bad = (round(100 * part / len(record_ids)) for part in (praise, blame))
        name = reader.name(code, language) if code in reader.aspects else f"“{code}”"
        if language == "en":
            verb = "" if index else "mentions " if len(record_ids) == 1 else "mention "
            parts.append(f"{len(record_ids):,} {verb}{name} ({good} % positively, {bad} % negatively)")
        else:
            parts.append(f"{len(record_ids)}条{'' if index else '提到'}{name}（{good}%肯定，{bad}%否定）")
    read_count, review_count = read
    if language == "en":
        mentions = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
        reviews = (
            f"{read_count:,} reviews"
            if read_count == review_count
            else f"the {read_count:,} reviews that were read, of {review_count:,}"
        )
        return f"Of {reviews}, {mentions}."
    reviews = f"{read_count}条评价" if read_count == review_count else f"{review_count}条评价中抽取的{read_count}条"
    return f"{reviews}中，{'，'.join(parts)}。"
