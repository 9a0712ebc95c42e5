"""What a generator learns from: requests, each with the text that answers it.

A review answers a request that is read off its record: category, sentiment, stars, language, its length, and a few
content words of its own. Replies, copy and summaries come as a file of JSON lines, {"request": …, "text": …}.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reviewgen_spark.models.corpus import Examples
from reviewgen_spark.text.requests import Request

# A review is what both of these ask for; which of the two a review answers, its record_id decides.
REVIEW_PURPOSES = ("augmentation", "draft_for_verified_buyer")
# Shorter than the first is short, longer than the second is long, in characters.
LENGTHS = {"zh": (30, 80), "en": (100, 300)}
MIN_KEYWORD_CHARACTERS = 2


@dataclass(frozen=True)
class Example:
    """A request, and a text that answers it."""

    request: Request
    text: str


def name_length(text: str, language: str) -> str:
    """short, medium or long.

    >>> name_length("房间很好", "zh")
    'short'
    """
    low, high = LENGTHS[language]
    return "short" if len(text) <= low else "medium" if len(text) <= high else "long"


def review_examples(
    reviews: Examples, content_words: Callable[[str], Sequence[str]], max_keywords: int, codes_dropped: float, seed: int
) -> list[Example]:
    """An example of each review in Chinese or English; equal reviews give equal examples, whatever stands beside them.

    Args:
        reviews: of one split.
        content_words: cuts a text, and keeps the words that say something.
        max_keywords: named at most; how many is drawn, none among them.
        codes_dropped: share of the codes that a request leaves out.
        seed: of what is drawn.
    """
    return list(_read(reviews, content_words, max_keywords, codes_dropped, seed))


def _read(
    reviews: Examples, content_words: Callable[[str], Sequence[str]], max_keywords: int, codes_dropped: float, seed: int
) -> Iterator[Example]:
    columns = reviews.columns
    for place, (record_id, text) in enumerate(zip(reviews.record_ids, reviews.texts, strict=True)):
        language = str(columns["lang_code"][place] or "")[:2]  # zh-hant is Chinese too
        if language not in LENGTHS or not text:
            continue
        digest = hashlib.sha256(f"{seed}|{record_id}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8]))

        def maybe(value: Any, rng: np.random.Generator = rng) -> Any:
            return None if rng.random() < codes_dropped else value

        words = list(dict.fromkeys(word for word in content_words(text) if len(word) >= MIN_KEYWORD_CHARACTERS))
        chosen = rng.permutation(len(words))[: int(rng.integers(0, max_keywords + 1))]
        rating, label = columns["rating"][place], columns["sentiment"][place]
        if label is None and reviews.labels[place] >= 0:
            label = ("negative", "positive")[reviews.labels[place]]
        request = Request(
            purpose=REVIEW_PURPOSES[digest[8] % 2],
            product_id="",
            language=language,
            category=maybe(columns["category"][place]),
            sentiment=maybe(label),
            stars=maybe(None if rating is None else int(rating)),
            keywords=tuple(words[word] for word in chosen),
            length=maybe(name_length(text, language)),
        )
        yield Example(request, text)
