"""Makes the training examples of a generator: requests, each with its text.

The request of a review comes from its record: category, sentiment, stars, language, length, and a few of its content
words. Replies, copy and summaries come from a file of JSON lines, {"request": …, "text": …}.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reviewgen_spark.config.untrusted_json import parse_json
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.data.corpus import Examples
from reviewgen_spark.text.requests.request import TextRequest, length_of
from reviewgen_spark.text.words.languages import LANG_CODES

MIN_KEYWORD_CHARACTERS = 2


@dataclass(frozen=True)
class Example:
    """Holds a request and its text."""

    request: TextRequest
    text: str


def review_examples(
    reviews: Examples, content_words: Callable[[str], Sequence[str]], max_keywords: int, codes_dropped: float, seed: int
) -> list[Example]:
    """Returns an example of each review in Chinese or English. Equal reviews give equal examples.

    Half of the examples with a sentiment and a keyword have the purpose of a verified buyer's draft. This
    purpose needs both. All others have the purpose augmentation.

    Args:
        reviews: reviews of one split.
        content_words: splits a text and returns its content words.
        max_keywords: largest number of keywords; each number is random and may be 0.
        codes_dropped: share of the codes that are left out.
        seed: seed of the random choices.
    """
    return list(_read(reviews, content_words, max_keywords, codes_dropped, seed))


def _read(
    reviews: Examples, content_words: Callable[[str], Sequence[str]], max_keywords: int, codes_dropped: float, seed: int
) -> Iterator[Example]:
    columns = reviews.columns
    for index, (record_id, text) in enumerate(zip(reviews.record_ids, reviews.texts, strict=True)):
        language = str(columns["lang_code"][index] or "")[:2]  # zh-hant is Chinese too
        if language not in LANG_CODES or not text:
            continue
        digest = hashlib.sha256(f"{seed}|{record_id}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8]))
        words = list(dict.fromkeys(word for word in content_words(text) if len(word) >= MIN_KEYWORD_CHARACTERS))
        chosen = rng.permutation(len(words))[: int(rng.integers(0, max_keywords + 1))]
        label = {0: "negative", 1: "positive"}.get(int(reviews.labels[index]))
        rating = columns["rating"][index]
        fields: dict[str, Any] = {
            "category": columns["category"][index] or None,
            "sentiment": label,
            # If stars contradict the label, the label is kept and the stars are left out.
            "stars": None if rating is None or (label and (rating > 3) != (label == "positive")) else int(rating),
        }
        kept_fields = {name: value for name, value in fields.items() if rng.random() >= codes_dropped}
        is_draft = digest[8] % 2 == 1 and len(chosen) > 0 and (kept_fields.get("sentiment") or kept_fields.get("stars"))
        request = TextRequest(
            purpose="draft_for_verified_buyer" if is_draft else "augmentation",
            product_id="-",  # no control code contains it
            lang_code=language,
            keywords=tuple(words[word] for word in chosen),
            length=length_of(text, language),
            **kept_fields,
        )
        yield Example(request, text)


def read_examples(file: Path) -> list[Example]:
    """Reads examples of any purpose: JSON lines of {"request": {...}, "text": "..."}.

    Raises:
        ConfigError: the file is missing or not UTF-8, or a line is not such a pair.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"finetune_generator.examples: {file} cannot be read ({type(error).__name__}); expected JSON lines in UTF-8"
        ) from error
    examples: list[Example] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = parse_json(line)
            request, text = TextRequest.from_json(json.dumps(row["request"])), row["text"]
            if not isinstance(text, str) or not text.strip():
                raise ConfigError("text: expected a text that is not empty")
        except ConfigError as error:
            raise ConfigError(*(f"{file.name}: line {number}: {fault}" for fault in error.args)) from None
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                f'{file.name}: line {number}: expected {{"request": {{...}}, "text": "..."}}, got something else'
            ) from None
        examples.append(Example(request, text.strip()))
    return examples


def split_examples(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Splits into training and validation by the hash of the text, because copies must get the same split."""
    parts: tuple[list[Example], list[Example]] = ([], [])
    for example in examples:
        digest = hashlib.sha256(f"{seed}|{example.text}".encode()).digest()
        parts[int.from_bytes(digest[:4]) < share * 2**32].append(example)
    return parts
