"""Cleans one review: one call runs all steps of the `clean` stage.

The order matters. First a text is cut to `max_chars` and normalised. Then its language is detected. This comes before
simplification, because zh-hant cannot be detected in a simplified text. Then the text is simplified, its personal data
is masked, and it is hashed.
"""

import re
from hashlib import blake2b
from typing import NamedTuple

from reviewgen_spark.config import CleanSection
from reviewgen_spark.text.cleaning import boilerplate, language, normalise, traditional
from reviewgen_spark.text.privacy import pii

# Letters and digits (twice as fast as [^\W_]+), and a sign between two digits: 1.5 is not 15. A comma between groups of
# three digits is dropped, because 1,000 is 1000.
_KEY_PARTS = re.compile(r"\w+(?:[.,:/~*×+–-](?<=[0-9].)(?=[0-9])(?!(?<=,)[0-9]{3}(?![0-9])))?")
_NO_COUNTS: dict[str, int] = {}


class CleanText(NamedTuple):
    """Holds a clean review. An empty one has no `text_clean`, no `text_hash`, and the language `other`."""

    text_clean: str | None
    text_hash: str | None
    lang_code: str
    lang_score: float
    pii_counts: dict[str, int]
    rule_counts: dict[str, int]
    is_boilerplate: bool


_EMPTY = CleanText(None, None, "other", 0.0, _NO_COUNTS, _NO_COUNTS, False)


def key_of(text: str) -> str:
    """Returns the key of a clean text: lower case, letters and digits only. Equal keys mean duplicates.

    Spaces, punctuation and symbols are removed. A text of only these is its own key. Digits, names of emoji and masks
    are kept. A mask [PHONE] becomes `phone`, so two advertisements with different numbers are copies. A sign between
    two digits is kept, because it changes the number.

    >>> key_of("很好，推荐！ iPhone"), key_of("!!!")
    ('很好推荐iphone', '!!!')
    >>> key_of("1.5 米"), key_of("15米。"), key_of("1,000元")
    ('1.5米', '15米', '1000元')
    """
    key = "".join(_KEY_PARTS.findall(text)).casefold()
    return (key.replace("_", "") if "_" in key else key) or text.replace("\n", " ")


def hash_of(key: str) -> str:
    """Returns 128 bits of blake2b in hex. Among 10^9 texts the probability of a collision is about 10^-21."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def is_boilerplate(text: str) -> bool:
    """Checks whether a review is only a default text of the shop.

    >>> is_boilerplate("此用户没有填写评价。"), is_boilerplate("系统默认好评!"), is_boilerplate("好评,下次再来")
    (True, True, False)
    """
    return boilerplate.is_boilerplate_key(key_of(text))


class Cleaner:
    """Cleans reviews by the `clean` section. A worker creates it once, and calls `clean` once a row.

    >>> row = Cleaner(CleanSection()).clean("<b>很滿意</b>！！！！！電話13800000000")
    >>> row.text_clean, row.lang_code, row.pii_counts
    ('很满意！！！电话[PHONE]', 'zh-hant', {'PHONE': 1})
    """

    def __init__(self, section: CleanSection) -> None:
        self.section = section
        self._normaliser = normalise.Normaliser(section)

    def clean(self, text: str | None) -> CleanText:
        """Cleans a review. It never raises, for any string. A null, empty or blank text gives no clean text."""
        if not text:
            return _EMPTY
        section = self.section
        truncated = len(text) > section.max_chars
        if truncated:
            text = text[: section.max_chars]
        text, rules = self._normaliser.surface(text)
        surface = text
        detected = language.detect(surface)
        if section.simplify_chinese and detected is not language.SIMPLIFIED and traditional.has_traditional(text):
            text, more_rules = self._normaliser.normalise(text)
            rules = {name: rules.get(name, 0) + more_rules.get(name, 0) for name in rules | more_rules}
            if "garbled" in rules:
                rules["garbled"] = 1  # a flag, not a number of changes
        if truncated:
            rules = {**rules, "truncated": 1}
        if not text:
            return _EMPTY._replace(rule_counts=rules)
        pii_counts = _NO_COUNTS
        if section.mask_pii:
            text, pii_counts = pii.mask(text)
            if pii_counts:
                text, pii_counts = self._clean_masked(text, pii_counts)
                # The letters of an e-mail address or a chat name do not show a language.
                masked = language.detect(pii.mask(surface).text)
                detected = masked if masked.score else detected
        key = key_of(text)
        return CleanText(text, hash_of(key), *detected, pii_counts, rules, boilerplate.is_boilerplate_key(key))

    def _clean_masked(self, text: str, pii_counts: dict[str, int]) -> tuple[str, dict[str, int]]:
        """Normalises and masks a masked text until nothing changes, because a mask can make another rule apply."""
        for _ in range(4):
            normal = self._normaliser.normalise(text).text
            masked, more_counts = pii.mask(normal)
            if masked == text:
                break
            text = masked
            pii_counts = {name: pii_counts.get(name, 0) + more_counts.get(name, 0) for name in pii_counts | more_counts}
        return text, pii_counts
