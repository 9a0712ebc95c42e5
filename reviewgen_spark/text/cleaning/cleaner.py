"""Clean one review: everything that the `clean` stage does to a text, in one call a row.

The order matters: a text is cut to `max_chars`, normalised but not yet simplified, its language detected (simplified
text would hide zh-hant), then simplified, its personal data masked, and hashed.
"""

import re
from hashlib import blake2b
from typing import NamedTuple

from reviewgen_spark.config import CleanSection
from reviewgen_spark.text.cleaning import boilerplate, language, normalise
from reviewgen_spark.text.privacy import pii

_KEY_PARTS = re.compile(r"\w+")  # twice as fast as [^\W_]+
_NO_COUNTS: dict[str, int] = {}


class CleanText(NamedTuple):
    """A clean review. A null or empty text has no `text_clean` and no `text_hash`, and its language is `other`."""

    text_clean: str | None
    text_hash: str | None
    lang_code: str
    lang_score: float
    pii_counts: dict[str, int]
    rule_counts: dict[str, int]
    is_boilerplate: bool


_EMPTY = CleanText(None, None, "other", 0.0, _NO_COUNTS, _NO_COUNTS, False)


def key_of(text: str) -> str:
    """The normal form in which two clean texts count as the same: lower case, letters and digits only.

    It ignores case, spaces, punctuation and symbols; a text of nothing else is its own key. It keeps digits, the
    names of emoji and masks ([PHONE] is `phone`), so two advertisements with different numbers are copies.

    >>> key_of("很好，推荐！ iPhone"), key_of("!!!")
    ('很好推荐iphone', '!!!')
    """
    key = "".join(_KEY_PARTS.findall(text)).casefold()
    return (key.replace("_", "") if "_" in key else key) or text


def hash_of(key: str) -> str:
    """128 bits of blake2b in hex: among 10^9 texts two different ones meet with a chance of 10^-21."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def is_boilerplate(text: str) -> bool:
    """Whether a review is only a shop's default text.

    >>> is_boilerplate("此用户没有填写评价。"), is_boilerplate("系统默认好评!"), is_boilerplate("好评,下次再来")
    (True, True, False)
    """
    return boilerplate.is_boilerplate_key(key_of(text))


class Cleaner:
    """The `clean` section ready to run: build it once a worker, call `clean` a row.

    >>> row = Cleaner(CleanSection()).clean("<b>很滿意</b>！！！！！電話13800000000")
    >>> row.text_clean, row.lang_code, row.pii_counts
    ('很满意！！！电话[PHONE]', 'zh-hant', {'PHONE': 1})
    """

    def __init__(self, section: CleanSection) -> None:
        self.section = section
        self._normaliser = normalise.Normaliser(section)

    def clean(self, text: str | None) -> CleanText:
        """Clean a review; never raises, whatever the string holds. Null, empty and blank give no text."""
        if not text:
            return _EMPTY
        section = self.section
        truncated = len(text) > section.max_chars
        if truncated:
            text = text[: section.max_chars]
        text, rules = self._normaliser.surface(text)
        surface = text
        detected = language.detect(surface)
        if section.simplify_chinese and detected is not language.SIMPLIFIED and normalise.has_traditional(text):
            text, more = self._normaliser.normalise(text)
            rules = {name: rules.get(name, 0) + more.get(name, 0) for name in rules | more}
        if truncated:
            rules = {**rules, "truncated": 1}
        if not text:
            return _EMPTY._replace(rule_counts=rules)
        found = _NO_COUNTS
        if section.mask_pii:
            text, found = pii.mask(text)
            if found:
                text, found = self._settled(text, found)
                # The letters of an e-mail address or a chat name are of no language.
                masked = language.detect(pii.mask(surface).text)
                detected = masked if masked.score else detected
        key = key_of(text)
        return CleanText(text, hash_of(key), *detected, found, rules, boilerplate.is_boilerplate_key(key))

    def _settled(self, text: str, found: dict[str, int]) -> tuple[str, dict[str, int]]:
        """Normalise and mask a masked text until it stays: a mask can end what kept a rule from firing."""
        for _ in range(4):
            normal = self._normaliser.normalise(text).text
            masked, more = pii.mask(normal)
            if masked == text:
                break
            text = masked
            found = {name: found.get(name, 0) + more.get(name, 0) for name in found | more}
        return text, found
