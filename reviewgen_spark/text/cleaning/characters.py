"""Returns sets of Chinese characters: those of only one script, and those that need no normalising.

The dictionaries of OpenCC define which characters differ between the scripts. Two old national character sets define
which of these are also ordinary characters of the other script. 后, 里 and 干 are simplified forms *and* traditional
characters, so they do not show the script of a text.
"""

from functools import lru_cache

_BLOCKS = ((0x3400, 0x4DC0), (0x4E00, 0xA000))  # CJK extension A; CJK unified ideographs

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3007"
"""Han characters of the basic plane, for use inside a character class of a regular expression."""

SHARED = "後於乾夥徵摺菸麽瞭藉覆著"
"""Traditional characters that GB 2312 has too, for a name or a rare word. Their words decide on the script."""


def _unified() -> list[str]:
    return [chr(code) for low, high in _BLOCKS for code in range(low, high)]


def _converted(config: str) -> dict[str, str]:
    """Returns each unified character that a configuration of OpenCC changes, with its replacement."""
    import opencc

    characters = _unified()
    # One call takes 5 ms and replaces 30,000 calls. Line breaks between the characters prevent phrase rules.
    converted = opencc.OpenCC(config).convert("\n".join(characters)).split("\n")
    return {before: after for before, after in zip(characters, converted, strict=True) if before != after}


def _in_charset(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=1)
def traditional_only() -> frozenset[str]:
    """Returns characters that OpenCC simplifies and that GB 2312 (the simplified standard of 1980) lacks.

    >>> "這" in traditional_only(), "后" in traditional_only(), "乾" in traditional_only()
    (True, False, False)
    """
    return frozenset(c for c in _converted("t2s") if not _in_charset(c, "gb2312"))


@lru_cache(maxsize=1)
def simplified_only() -> frozenset[str]:
    """Returns characters that OpenCC makes traditional and that Big5 (the traditional standard of 1984) lacks.

    >>> "这" in simplified_only(), "后" in simplified_only()
    (True, False)
    """
    return frozenset(c for c in _converted("s2t") if not _in_charset(c, "big5")) - traditional_only() - set(SHARED)


@lru_cache(maxsize=1)
def japanese_only() -> frozenset[str]:
    """Returns the new Japanese forms that neither Chinese character set has.

    >>> "満" in japanese_only(), "国" in japanese_only(), "質" in japanese_only()
    (True, False, False)
    """
    forms = _converted("jp2t")
    return (
        frozenset(c for c in forms if not _in_charset(c, "gb2312") and not _in_charset(c, "big5")) - traditional_only()
    )


def character_class(characters: frozenset[str]) -> str:
    """Returns characters as ranges for a `[...]` of a regular expression. Nothing is escaped.

    >>> character_class(frozenset("abcxz"))
    'a-cxz'
    """
    ranges: list[list[int]] = []
    for code in sorted(map(ord, characters)):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(chr(low) if low == high else f"{chr(low)}-{chr(high)}" for low, high in ranges)


@lru_cache(maxsize=1)
def unified_han() -> frozenset[str]:
    """Returns the unified characters of Unicode's first block."""
    return frozenset(chr(code) for code in range(0x4E00, 0x9FFF))


@lru_cache(maxsize=1)
def plain_han() -> frozenset[str]:
    """Returns unified characters that are never traditional or only Japanese. No rule of `normalise` changes them."""
    return unified_han() - traditional_only() - japanese_only() - frozenset(SHARED)
