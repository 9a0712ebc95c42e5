"""Detects the language of a review of any length: zh-hans, zh-hant, en, mixed or other.

General language identifiers (fastText, langdetect, CLD3) need a sentence and do not distinguish the Chinese scripts.
Reviews are often only three characters long. So characters are counted by script. The Chinese scripts are distinguished
by characters that only one of them has, from OpenCC's dictionaries. English is distinguished from other languages in
Latin letters by its most common words, then by its letter pairs.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from reviewgen_spark.text.cleaning import characters, english_words, traditional

_MARKER = re.compile(r"\[(?:[A-Z_]{2,9}|[\u4e00-\u9fff]{1,4})\]")
_LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff\u0300-\u036f"  # with Vietnamese, also as separate accents
_LATIN_WORD = re.compile(rf"[{_LATIN}]+(?:['’&+.\-][A-Za-z]+)*")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]")
_HAN = re.compile(f"[{characters.HAN}\U00020000-\U0003ffff]+")
_FOREIGN = re.compile(r"[^\W\d_]")  # any other letter, after Latin, Han and kana are removed
_LATIN_KANA_OR_HAN = re.compile(
    f"[{_LATIN}\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d{characters.HAN}\U00020000-\U0003ffff]+"
)
# Matches anything but ASCII, common marks, accented Latin letters and Han. Without a match there are no other scripts.
_OTHER_SCRIPT = re.compile(
    f"[^\x00-\x7f\u00b7\u00c0-\u024f\u0300-\u036f\u1e00-\u1eff\u2010-\u2027\u3000-\u3020\uff01-\uff20{characters.HAN}]"
)
_ACCENT = re.compile(r"[\u00c0-\u024f\u0300-\u036f\u1e00-\u1eff]")

_CHINESE_SHARE = 0.6  # least share of Han in a Chinese text; below it the text may be mixed
_CHINESE_SHARE_OF_NAMES = 0.2  # the same if no Latin word is an English word: iPhone 11 很好
_LATIN_SHARE = 0.85


class Language(NamedTuple):
    """Holds a language code and its score: the share of the evidence that supports it, 0 to 1."""

    code: str
    score: float


def detect(text: str) -> Language:
    """Detects the language of a text before it is simplified. A text without letters is `other` with score 0.

    A Han character counts as much as a Latin word: "iPhone 很好" is Chinese, "nice phone 很好" is mixed.

    >>> detect("很好用"), detect("很滿意"), detect("good")[0], detect("très bon")[0], detect("nice phone 很好")[0]
    (Language(code='zh-hans', score=1.0), Language(code='zh-hant', score=1.0), 'en', 'other', 'mixed')
    """
    if not _beyond_simplified().search(text):
        # Only Han, marks and digits. The result for 7 of 10 Chinese reviews is known here.
        return SIMPLIFIED if _HAN.search(text) else _NOTHING
    if "[" in text:
        text = _MARKER.sub(" ", text)
    is_ascii = text.isascii()
    han = 0 if is_ascii else sum(map(len, _HAN.findall(text)))
    words = _LATIN_WORD.findall(text)
    kana = foreign = 0
    if not is_ascii and _OTHER_SCRIPT.search(text):
        kana = len(_KANA.findall(text))
        foreign = len(_FOREIGN.findall(_LATIN_KANA_OR_HAN.sub("", text)))
    total = han + len(words) + kana + foreign
    if not total:
        return _NOTHING
    if kana and traditional.is_japanese(text):
        return Language("other", round((kana + han) / total, 4))
    if foreign * 2 > total:
        return Language("other", round(foreign / total, 4))
    # Names of brands and models are not English words, so they do not make a Chinese text mixed.
    least_share = (
        _CHINESE_SHARE
        if any(len(word) > 1 and word.lower() in english_words.ENGLISH for word in words)
        else _CHINESE_SHARE_OF_NAMES
    )
    if han / total >= least_share:
        return _chinese(text, han / total)
    if len(words) / total >= _LATIN_SHARE:
        return _latin(words, text, len(words) / total)
    return Language("mixed", round(1 - abs(2 * han / total - 1), 4))


SIMPLIFIED = Language("zh-hans", 1.0)
"""The object that `detect` returns for texts without traditional characters and Latin letters."""
_NOTHING = Language("other", 0.0)


@lru_cache(maxsize=1)
def _beyond_simplified() -> re.Pattern[str]:
    """Matches anything but simplified or common Han, Chinese marks, digits and ASCII marks without brackets."""
    han = characters.character_class(characters.plain_han())
    return re.compile(f"[^\n -@\\\\-`{{-~\u00b7—…‘’“”、。《》〈〉「」【】！（），：；？～{han}]")


@lru_cache(maxsize=1)
def _simplified_only() -> re.Pattern[str]:
    return re.compile(f"[{characters.character_class(characters.simplified_only())}]")


def _chinese(text: str, share: float) -> Language:
    marks = traditional.script_marks(text)
    if not marks:
        return Language("zh-hans", round(share, 4))
    if traditional.is_japanese(text):
        return Language("other", round(share, 4))
    evidence = sum(mark in characters.traditional_only() for mark in marks) + traditional.shared_traditional(text)
    if not evidence:
        return Language("zh-hans", round(share, 4))
    simplified = len(_simplified_only().findall(text))
    code = "zh-hant" if evidence > simplified else "zh-hans"
    return Language(code, round(share * max(evidence, simplified) / (evidence + simplified), 4))


def _latin(words: list[str], text: str, share: float) -> Language:
    """Detects English or another language in Latin letters, by words, then by letter pairs."""
    lowered = [word.lower().replace("’", "'") for word in words]
    english = sum(map(english_words.ENGLISH.__contains__, lowered))
    others = sum(map(english_words.OTHER_LATIN.__contains__, lowered))
    if not text.isascii():
        others += sum(_ACCENT.search(word) is not None for word in words)
    if english > others:
        return Language("en", round(share * english / (english + others), 4))
    if others:
        return Language("other", round(share * others / (english + others), 4))
    pairs = [word[i : i + 2] for word in lowered for i in range(len(word) - 1)]
    english_share = sum(pair in english_words.english_pairs() for pair in pairs) / len(pairs) if pairs else 0.0
    # The score is at most half of the share, because no word is in a list.
    return Language(
        "en" if english_share >= 0.75 else "other",
        round(share * (english_share if english_share >= 0.75 else 1 - english_share) / 2, 4),
    )
