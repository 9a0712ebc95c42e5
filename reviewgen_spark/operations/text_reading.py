"""Shows what the product reads of single texts, for `reviewgen text`, without Spark.

The same functions run in the stages `clean`, `tokens`, `weak_labels` and `summarise`.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from reviewgen_spark.config import Config
from reviewgen_spark.config.untrusted_json import MAX_LINE_CHARS, parse_json
from reviewgen_spark.text.cleaning.cleaner import Cleaner
from reviewgen_spark.text.opinions.aspects import OpinionReader, is_negative, is_positive
from reviewgen_spark.text.opinions.labelling_functions import NEGATIVE, POSITIVE
from reviewgen_spark.text.requests.prompt_injection import is_injection
from reviewgen_spark.text.words.sentences import cut_sentences
from reviewgen_spark.transforms.dictionaries import driver_dictionaries


class AspectReading(NamedTuple):
    """Holds the summed score of an aspect, and its label; None below the least score."""

    score: float
    label: str | None


class TextReading(NamedTuple):
    """Holds what is read of one text. The fields are the keys of the JSON object, in this order.

    Attributes:
        sentiment_score: From -1 to 1 by the word lists; 0 if no word is in them.
        sentiment_label: None if the score is below `weak_labels.lexicon_min_score`.
        aspects: By code; the label has the threshold of summaries.
        rules: The rules of cleaning that changed the text, with their counts; `boilerplate` for a default text.
    """

    text_clean: str | None
    lang_code: str
    pii_counts: dict[str, int]
    tokens: list[str]
    content_words: list[str]
    sentences: list[str]
    sentiment_score: float
    sentiment_label: str | None
    aspects: dict[str, AspectReading]
    is_injection: bool
    rules: dict[str, int]
    text_hash: str | None

    def to_json(self) -> str:
        """Returns the reading as a JSON object on one line."""
        aspects = {code: aspect._asdict() for code, aspect in self.aspects.items()}
        return json.dumps({**self._asdict(), "aspects": aspects}, ensure_ascii=False)


class TextReader:
    """Reads texts by the sections `clean`, `tokens` and `weak_labels`.

    Raises:
        ConfigError: A word list is missing or malformed.
    """

    def __init__(self, config: Config) -> None:
        self._cleaner = Cleaner(config.clean)
        self._opinions = OpinionReader(config.tokens, driver_dictionaries())
        self._least_score = config.weak_labels.lexicon_min_score

    def read(self, text: str) -> TextReading:
        """Reads a text. It never raises, for any string."""
        cleaned = self._cleaner.clean(text)
        clean_text = cleaned.text_clean or ""
        words = self._opinions.tokeniser.words(clean_text)
        score = self._opinions.lexicon.score(words.tokens)
        sentences = cut_sentences(clean_text)
        boilerplate = {"boilerplate": 1} if cleaned.is_boilerplate else {}
        return TextReading(
            cleaned.text_clean,
            cleaned.lang_code,
            cleaned.pii_counts,
            words.tokens,
            words.content_words,
            sentences,
            round(score, 3),
            _label(score, self._least_score),
            self._aspects(sentences),
            is_injection(clean_text),
            {name: count for name, count in cleaned.rule_counts.items() if count} | boilerplate,
            cleaned.text_hash,
        )

    def _aspects(self, sentences: Iterable[str]) -> dict[str, AspectReading]:
        scores: dict[str, float] = {}
        for sentence in sentences:
            for code, score in self._opinions.read(sentence).aspects.items():
                scores[code] = scores.get(code, 0.0) + score
        return {
            code: AspectReading(
                round(score, 3), POSITIVE if is_positive(score) else NEGATIVE if is_negative(score) else None
            )
            for code, score in scores.items()
        }


def _label(score: float, least: float) -> str | None:
    if not score or abs(score) < least:
        return None
    return POSITIVE if score > 0 else NEGATIVE


def texts_of(lines: Iterable[str], is_jsonl: bool) -> Iterator[str | ValueError]:
    """Yields the text of each line; or the error of a line that has none.

    Args:
        lines: Texts, or JSON objects with `text`, whose null is an empty text.
        is_jsonl: Whether the lines are JSON objects.
    """
    for line in lines:
        try:
            yield _text_of(line, is_jsonl)
        except ValueError as error:
            yield error


def _text_of(line: str, is_jsonl: bool) -> str:
    if not is_jsonl:
        if len(line) > MAX_LINE_CHARS:
            raise ValueError(f"longer than {MAX_LINE_CHARS:,} characters")
        # A byte that is not UTF-8 was read as half of a surrogate pair.
        return line.rstrip("\r\n").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    row: Any = parse_json(line)
    if not isinstance(row, dict) or not isinstance(text := row.get("text", 0), str | None):
        raise ValueError("not an object with a text in `text`")
    return text or ""
