"""Defines a pattern of personal data, and what several groups of patterns share: joiners, units and measures."""

import re
from collections.abc import Callable
from typing import NamedTuple


class Pattern(NamedTuple):
    """Holds one pattern of personal data, and a function that accepts or rejects a match.

    The group `id` is masked. A pattern without this group masks the whole match.
    """

    type: str
    regex: re.Pattern[str]
    accepts: Callable[[re.Match[str]], bool] | None = None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Returns the start and end of the accepted matches."""
        group = "id" if "id" in self.regex.groupindex else 0
        return [match.span(group) for match in self.regex.finditer(text) if self.accepts is None or self.accepts(match)]


DIGIT_BEFORE = r"(?=[0-9(\[（+])(?<![0-9])(?<![0-9][.\-*/])"
IS = r"[是为:： =(（#【\[,，]{0,3}"
# One to three characters that join the groups of a number: 139 - 1234 - 5678, (139)12345678. U+20E3 is a keycap.
JOINER = r"[ \-._/~()\[\]\ufe0f\u20e3]{1,3}"
_LATIN_UNIT = (
    r"[mM][lLmM]|mAh|mah|[cC][mM]|[kK]?[gG](?![A-Za-z])|[kK][mM]|[kK]?[wW](?![A-Za-z])|[KMGT]B|dpi|rpm|[mMG]?[hH]z|pcs"
    r"|pages?"
    r"|[pP](?![A-Za-z])|[xX*×][0-9]|[%％℃]|毫[升米克安]|厘米|公[里斤分]|千[米克]|[两三四五几多各](?:[种款档]|个(?:规格|尺寸|型号|版本|档|尺码|高度|长度))"
)
NO_UNIT = rf"(?! ?(?:{_LATIN_UNIT}))(?![多左]?右?万?(?:[元块页章集克升米款种瓦步折]|字))"
"""Rejects a number before a unit or a measure word. Numbers in one run of digits are not checked."""

_MEASURE_BEFORE = re.compile(
    r"(?:第|(?<![A-Za-z])[Pp]{1,2}\.?|[Pp]ages?|页码?|尺寸|规格|长宽高|容量|型号|货号"
    r"|[Ss]izes?|[Mm]odel|ISBN|EAN|UPC) ?[:：]? ?$"
)


def digits_of(text: str) -> str:
    """Returns the ASCII digits of a text.

    >>> digits_of("139-1234")
    '1391234'
    """
    return "".join(c for c in text if "0" <= c <= "9")


def is_after_measure(match: re.Match[str]) -> bool:
    """Checks whether a word such as 第, 规格 or "page" is before the match."""
    start = match.start("id") if "id" in match.re.groupindex else match.start()
    return _MEASURE_BEFORE.search(match.string[max(0, start - 8) : start]) is not None


def are_sizes(text: str, step: int = 10) -> bool:
    """Checks whether the groups of a joined number are round numbers, as in 400 600 1000.

    Each is a multiple of half a step without a leading zero, and at least two of them are multiples of the step. With
    a step of ten, one of 250 telephone numbers in three groups is so.

    >>> are_sizes("400 600 1000"), are_sizes("138 0000 0000"), are_sizes("400 820 8820", 50)
    (True, False, False)
    """
    groups = re.findall("[0-9]+", text)
    return (
        len(groups) > 2
        and all(group[0] != "0" and int(group) % (step // 2) == 0 for group in groups)
        and sum(int(group) % step == 0 for group in groups) > 1
    )
