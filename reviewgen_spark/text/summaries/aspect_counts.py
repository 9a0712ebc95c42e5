"""Counts the positive and negative reviews of each aspect, and writes the counts as a sentence."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reviewgen_spark.config import SummariseSection
from reviewgen_spark.text.opinions.aspects import OpinionReader, is_negative, is_positive
from reviewgen_spark.text.summaries.sentences import Sentence
from reviewgen_spark.text.words.languages import LangCode


class AspectCount(NamedTuple):
    """Holds the reviews that mention an aspect, and how many praise and criticise it."""

    code: str
    record_ids: tuple[str, ...]
    praise: int
    blame: int


def count_aspects(reviews: Mapping[str, Sequence[Sentence]], section: SummariseSection) -> list[AspectCount]:
    """Counts the aspects that most reviews mention, the most frequent first.

    Args:
        reviews: The sentences of each review, by record id.
        section: Most aspects, and least mentions of an aspect.
    """
    named: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for record_id, sentences in reviews.items():
        for sentence in sentences:
            for code, score in sentence.said.aspects.items():
                named[code][record_id] = named[code].get(record_id, 0.0) + score
    frequent = [code for code in named if len(named[code]) >= section.min_mentions]
    frequent.sort(key=lambda code: (-len(named[code]), code))
    return [
        AspectCount(
            code,
            tuple(sorted(named[code])),
            sum(map(is_positive, named[code].values())),
            sum(map(is_negative, named[code].values())),
        )
        for code in frequent[: section.max_counts]
    ]


Read = tuple[int, int]
"""Number of reviews that were read, and number of reviews of the product."""


def say_counts(counts: Sequence[AspectCount], read: Read, reader: OpinionReader, language: LangCode) -> str:
    """Writes counts as a sentence: `Of 400 reviews, 312 mention battery life (71 % positively, 9 % negatively).`."""
    parts = []
    for place, (code, record_ids, praise, blame) in enumerate(counts):
        good, bad = (round(100 * part / len(record_ids)) for part in (praise, blame))
        name = reader.name(code, language) if code in reader.aspects else f"“{code}”"
        if language == "en":
            verb = "" if place else "mentions " if len(record_ids) == 1 else "mention "
            parts.append(f"{len(record_ids):,} {verb}{name} ({good} % positively, {bad} % negatively)")
        else:
            parts.append(f"{len(record_ids)}条{'' if place else '提到'}{name}（{good}%肯定，{bad}%否定）")
    few, many = read
    if language == "en":
        told = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
        reviews = f"{few:,} reviews" if few == many else f"the {few:,} reviews that were read, of {many:,}"
        return f"Of {reviews}, {told}."
    reviews = f"{few}条评价" if few == many else f"{many}条评价中抽取的{few}条"
    return f"{reviews}中，{'，'.join(parts)}。"
