"""Makes the copy of a text that patterns search: other forms of digits, dashes, dots and brackets become ASCII.

The copy has the same length as the text, so a match has the same position in both.
"""

import re

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
# Full-width commas and stops are in most Chinese texts but in no pattern. So only the characters of patterns count.
_FULL_WIDTH_GATE = re.compile("[\uff0b\uff0d\uff0e\uff10-\uff19\uff20-\uff5a]")
NUMERALS = "零〇○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖两洞拐⓪①②③④⑤⑥⑦⑧⑨❶❷❸❹❺❻❼❽❾⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"
"""Characters that are read as one digit in a run of seven and more."""
_NUMERAL_DIGITS = str.maketrans(
    dict(
        zip(
            NUMERALS,
            "00012345678911234567892" + "07" + "0123456789" + "123456789" + "0123456789" + "0123456789",
            strict=True,
        )
    )
)
# Seven or more numerals, also mixed with digits and single joiners. An ordinary number in words is shorter.
_NUMERAL_RUN = re.compile(rf"(?<![{NUMERALS}0-9])(?:[{NUMERALS}0-9][ \-.·—]?){{6,}}[{NUMERALS}0-9](?![{NUMERALS}])")
_NUMERAL_GATE = re.compile(f"[{NUMERALS}](?:[{NUMERALS}0-9]|[ .·—-][{NUMERALS}0-9])(?:[ .·—-]?[{NUMERALS}0-9]){{3}}")
_MARKS = str.maketrans(
    dict.fromkeys("‐‑‒–—―−﹣－─", "-")
    | dict.fromkeys("·•‧∙・．⋅…", ".")
    | dict.fromkeys("～〜∼", "~")
    | {"（": "(", "）": ")", "【": "[", "】": "]", "＿": "_", "／": "/", "＋": "+"}
)
MARKS = "‐‑‒–—―−﹣－─·•‧∙・．⋅…～〜∼（）【】＿／＋"
"""Marks that are read as their ASCII form beside a digit."""
_MARKS_GATE = re.compile(f"[0-9\u20e3] ?[{MARKS}]|[{MARKS}] ?[+0-9A-Za-z]")


def searched_copy(text: str) -> str:
    """Returns a copy of the same length with ASCII digits, and with ASCII marks if one is beside a digit or letter.

    >>> searched_copy("电话１３９—1234·5678"), searched_copy("一三九零零零零零零零零"), searched_copy("一五一十——好")
    ('电话139-1234.5678', '13900000000', '一五一十——好')
    """
    if "\n" in text:
        text = text.replace("\n", " ")  # a number or name may go on in the next line
    if _FULL_WIDTH_GATE.search(text):
        text = text.translate(_FULL_WIDTH)
    if _NUMERAL_GATE.search(text):
        text = _NUMERAL_RUN.sub(lambda numerals: numerals[0].translate(_NUMERAL_DIGITS), text)
    if _MARKS_GATE.search(text):
        text = text.translate(_MARKS)
    return text
