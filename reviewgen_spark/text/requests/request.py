"""Defines a request for one text: its fields, their checks, its canonical JSON and its ids."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from typing import Any, Literal, get_args

from reviewgen_spark.config.untrusted_json import parse_json
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.requests.purposes import PURPOSES, Purpose
from reviewgen_spark.text.words.languages import LANG_CODES, LangCode

Sentiment = Literal["positive", "negative"]
SENTIMENTS: tuple[Sentiment, ...] = get_args(Sentiment)
Length = Literal["short", "medium", "long"]
LENGTHS: tuple[Length, ...] = get_args(Length)

LENGTH_BOUNDS: Mapping[LangCode, Mapping[Length, tuple[int, int]]] = {
    "zh": {"short": (1, 30), "medium": (31, 100), "long": (101, 500)},
    "en": {"short": (1, 20), "medium": (21, 80), "long": (81, 300)},
}
"""The least and the largest size of each length, both inclusive.

In Chinese the size is the number of characters without spaces, in English the number of words."""

_CONTRADICTIONS = frozenset({(1, "positive"), (2, "positive"), (4, "negative"), (5, "negative")})


@dataclass(frozen=True)
class Source:
    """Holds a review that a text is generated from. Its text is data, never an instruction."""

    record_id: str
    text: str


@dataclass(frozen=True)
class Attribute:
    """Holds a property of the product as the shop states it."""

    name: str
    value: str


@dataclass(frozen=True)
class TextRequest:
    """Holds a request for one text, and checks its fields.

    Attributes:
        purpose: One of `purposes.PURPOSES`.
        product_id: The shop's product id.
        lang_code: Language of the text: zh or en.
        record_id: The review that is answered or rephrased; None if the text is about a product.
        category: Product category as the shop names it.
        sentiment: positive or negative. None allows any sentiment.
        stars: 1 to 5. None allows any number.
        aspects: Topics of the text, such as battery.
        keywords: Words that the text should contain.
        length: short, medium or long, see `LENGTH_BOUNDS`.
        attributes: Properties of the product that the text may state.
        sources: Reviews that the text is based on.
        seed: Seed of the first attempt.

    Raises:
        ConfigError: A field is wrong. The message has one line for each wrong field, and no text of a review.
    """

    purpose: Purpose
    product_id: str
    lang_code: LangCode
    record_id: str | None = None
    category: str | None = None
    sentiment: Sentiment | None = None
    stars: int | None = None
    aspects: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    length: Length = "medium"
    attributes: tuple[Attribute, ...] = ()
    sources: tuple[Source, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if faults := [*self._wrong_codes(), *self._wrong_values(), *self._missing()]:
            raise ConfigError(*(f"request: {fault}" for fault in faults))

    def _wrong_codes(self) -> list[str]:
        lists: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
            ("purpose", self.purpose, PURPOSES),
            ("lang_code", self.lang_code, LANG_CODES),
            ("length", self.length, LENGTHS),
            ("sentiment", self.sentiment, SENTIMENTS),
        )
        return [
            f"{name}: got {_shown(value)}; expected one of {', '.join(allowed)}"
            for name, value, allowed in lists
            if value not in allowed and not (name == "sentiment" and value is None)
        ]

    def _wrong_values(self) -> list[str]:
        faults = []
        if not isinstance(self.product_id, str) or not self.product_id:
            faults.append("product_id: expected the shop's product id, which is not empty")
        for name in ("record_id", "category"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                faults.append(f"{name}: expected a text that is not empty, or null")
        if self.stars is not None and (not _is_whole(self.stars) or not 1 <= self.stars <= 5):
            faults.append(f"stars: got {_shown(self.stars)}; expected 1 to 5, or null")
        elif (self.stars, str(self.sentiment)) in _CONTRADICTIONS:
            faults.append(f"stars: got {self.stars} with the sentiment {self.sentiment}; they contradict each other")
        for name in ("aspects", "keywords"):
            if not all(isinstance(word, str) and word.strip() for word in getattr(self, name)):
                faults.append(f"{name}: expected words that are not empty")
        if not all(_are_texts(pair.name, pair.value) and pair.name for pair in self.attributes):
            faults.append("attributes: expected pairs of a name and a value, both texts")
        if not all(_are_texts(source.record_id, source.text) and source.record_id for source in self.sources):
            faults.append("sources: expected pairs of a record_id and a text")
        ids = [str(source.record_id) for source in self.sources]
        if len(set(ids)) != len(ids):
            faults.append("sources: expected each record_id once")
        if not _is_whole(self.seed) or not 0 <= self.seed < 2**63:
            faults.append(f"seed: got {_shown(self.seed)}; expected a whole number from 0 to 2^63 - 1")
        return faults

    def _missing(self) -> list[str]:
        """Returns a message if fields that the purpose needs are missing."""
        if self.purpose in ("summary", "reply") and not self.sources:
            return [f"sources: expected at least one review, as the purpose is {self.purpose}"]
        if self.purpose == "product_copy" and not (self.sources or self.attributes):
            return ["attributes: expected attributes or sources, as product_copy states nothing else"]
        if self.purpose == "draft_for_verified_buyer":
            if self.stars is None and self.sentiment is None:
                return ["stars: expected the buyer's own stars or sentiment; a draft never chooses them"]
            if not (self.sources or self.keywords or self.aspects):
                return ["keywords: expected keywords, aspects or sources in the buyer's own words"]
        return []

    def to_json(self) -> str:
        """Returns the request as one line of canonical JSON: sorted keys, no spaces, ASCII only."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> "TextRequest":
        """Reads a request from a line of JSON. Missing keys have their defaults.

        Attributes are pairs or one object. Sources are objects of `record_id` and `text`.

        Raises:
            ConfigError: The line is not a JSON object, has an unknown key or a value of the wrong type.
        """
        try:
            values = parse_json(line)
        except ValueError as error:
            raise ConfigError(f"request: expected a line of JSON, got something else ({error})") from None
        if not isinstance(values, dict):
            raise ConfigError(f"request: expected a JSON object, got {type(values).__name__}")
        known = [field.name for field in fields(cls)]
        if unknown := [name for name in values if name not in known]:
            raise ConfigError(*(f"request: {_unknown(name, known)}" for name in unknown))
        if missing := [name for name in ("purpose", "product_id", "lang_code") if name not in values]:
            raise ConfigError(f"request: expected the keys {', '.join(missing)} too")
        for name in ("aspects", "keywords"):
            if name in values:
                values[name] = tuple(_list(name, values[name]))
        if "attributes" in values:
            values["attributes"] = tuple(_attributes(values["attributes"]))
        if "sources" in values:
            values["sources"] = tuple(_sources(values["sources"]))
        return cls(**values)


def prompt_fingerprint(request: TextRequest, prompt_version: str) -> str:
    """Returns a hash of the request without its seed, and of the version of the prompt.

    Args:
        request: The request to hash.
        prompt_version: `prompts.PROMPT_VERSION`, or the version of the control codes.
    """
    values = asdict(request)
    del values["seed"]
    content = json.dumps([prompt_version, values], sort_keys=True, separators=(",", ":"))
    return blake2b(content.encode(), digest_size=16, person=b"prompt").hexdigest()


def text_id(request: TextRequest, prompt_version: str, model_name: str, model_version: int) -> str:
    """Returns the id of the text of a model for a request. It does not depend on the number of attempts."""
    content = json.dumps([prompt_fingerprint(request, prompt_version), request.seed, model_name, model_version])
    return blake2b(content.encode(), digest_size=16, person=b"text").hexdigest()


def text_size(text: str, lang_code: LangCode) -> int:
    """Returns the size of a text: characters without spaces in Chinese, words in English.

    >>> text_size("很 好用。", "zh"), text_size("Works very well.", "en")
    (4, 3)
    """
    words = text.split()
    return sum(map(len, words)) if lang_code == "zh" else len(words)


def length_of(text: str, lang_code: LangCode) -> Length:
    """Returns the length of a text. A text above all bounds is long.

    >>> length_of("很好用。", "zh"), length_of("word " * 30, "en")
    ('short', 'medium')
    """
    size = text_size(text, lang_code)
    return next((name for name, (_, largest) in LENGTH_BOUNDS[lang_code].items() if size <= largest), "long")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _shown(value: object) -> str:
    """Returns a value for a message. Of a long value it returns only type and size, because it may be a review."""
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{type(value).__name__} of {len(shown)} characters"


def _unknown(name: str, known: list[str]) -> str:
    similar = difflib.get_close_matches(name, known, n=1)
    return f"{_shown(name)}: unknown key; " + (
        f"did you mean {similar[0]!r}?" if similar else f"known: {', '.join(known)}"
    )


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"request: {name}: expected a list, got {type(value).__name__}")
    return value


def _attributes(value: object) -> list[Attribute]:
    if isinstance(value, dict):
        return [Attribute(name, text) for name, text in value.items()]
    pairs = _list("attributes", value)
    if all(isinstance(pair, dict) and set(pair) == {"name", "value"} for pair in pairs):
        return [Attribute(**pair) for pair in pairs]
    if all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        return [Attribute(*pair) for pair in pairs]
    raise ConfigError("request: attributes: expected one object, or pairs of a name and a value")


def _sources(value: object) -> list[Source]:
    rows = _list("sources", value)
    if not all(isinstance(row, dict) and set(row) == {"record_id", "text"} for row in rows):
        raise ConfigError("request: sources: expected objects of record_id and text")
    return [Source(**row) for row in rows]
