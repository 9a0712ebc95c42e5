"""What a generator learns from: requests, each with the text that answers it.

A review answers a request that is read off its record: category, sentiment, stars, language, its length, and a few
content words of its own. Replies, copy and summaries come as a file of JSON lines, {"request": …, "text": …}.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.data.corpus import Examples
from reviewgen_spark.text.requests.request import Request, length_of
from reviewgen_spark.text.words.languages import LANG_CODES

MIN_KEYWORD_CHARACTERS = 2


@dataclass(frozen=True)
class Example:
    """A request, and a text that answers it."""

    request: Request
    text: str


def review_examples(
    reviews: Examples, content_words: Callable[[str], Sequence[str]], max_keywords: int, codes_dropped: float, seed: int
) -> list[Example]:
    """An example of each review in Chinese or English; equal reviews give equal examples, whatever stands beside them.

    Half of those that know their sentiment and name a keyword answer for a verified buyer's draft, which must have
    both, the others for augmentation.

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
        if language not in LANG_CODES or not text:
            continue
        digest = hashlib.sha256(f"{seed}|{record_id}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8]))
        words = list(dict.fromkeys(word for word in content_words(text) if len(word) >= MIN_KEYWORD_CHARACTERS))
        chosen = rng.permutation(len(words))[: int(rng.integers(0, max_keywords + 1))]
        label = {0: "negative", 1: "positive"}.get(int(reviews.labels[place]))
        rating = columns["rating"][place]
        known: dict[str, Any] = {
            "category": columns["category"][place] or None,
            "sentiment": label,
            # A few stars with much praise: the label that people gave counts, and a request holds no contradiction.
            "stars": None if rating is None or (label and (rating > 3) != (label == "positive")) else int(rating),
        }
        kept = {name: value for name, value in known.items() if rng.random() >= codes_dropped}
        is_draft = digest[8] % 2 == 1 and len(chosen) > 0 and (kept.get("sentiment") or kept.get("stars"))
        request = Request(
            purpose="draft_for_verified_buyer" if is_draft else "augmentation",
            product_id="-",  # no code names it
            lang_code=language,
            keywords=tuple(words[word] for word in chosen),
            length=length_of(text, language),
            **kept,
        )
        yield Example(request, text)


def read_examples(file: Path) -> list[Example]:
    """Examples of any purpose: JSON lines of {"request": {...}, "text": "..."}.

    Raises:
        ConfigError: the file is missing or not UTF-8, or a line is no such pair.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"finetune_generator.examples: {file} cannot be read ({type(error).__name__}); expected JSON lines in UTF-8"
        ) from error
    found: list[Example] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            request, text = Request.from_json(json.dumps(row["request"])), row["text"]
            if not isinstance(text, str) or not text.strip():
                raise ConfigError("text: expected one that is not empty")
        except ConfigError as error:
            raise ConfigError(f"{file.name}: line {number}: {error}") from None
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                f'{file.name}: line {number}: expected {{"request": {{...}}, "text": "..."}}, got something else'
            ) from None
        found.append(Example(request, text.strip()))
    return found


def split_examples(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Training and validation; the hash of the text decides, so that copies stay together."""
    parts: tuple[list[Example], list[Example]] = ([], [])
    for example in examples:
        digest = hashlib.sha256(f"{seed}|{example.text}".encode()).digest()
        parts[int.from_bytes(digest[:4]) < share * 2**32].append(example)
    return parts
