"""Finds personal data in reviews by patterns and check digits, and replaces it by masks such as `[PHONE]`.

A pattern matches by its structure (a check digit, a mobile prefix) or by a word next to it (微信, 订单号). Prices,
years and model numbers have neither. A mask replaces only the personal part, so 微信abc12345 becomes 微信[WECHAT].

Patterns search a copy of the text, in which full-width digits and Chinese numerals (一三八…) are replaced by ASCII
digits. The copy has the same length as the text, so a match has the same position in both.
"""

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from reviewgen_spark.text.privacy import postal_address
from reviewgen_spark.text.privacy.check_digits import is_id_card, passes_luhn

TYPES = (
    "EMAIL",
    "ID_CARD",
    "BANK_CARD",
    "TRACKING",
    "ORDER",
    "WECHAT",
    "QQ",
    "PHONE",
    "LANDLINE",
    "PLATE",
    "ADDRESS",
)
"""The types of personal data that are masked."""


class Masked(NamedTuple):
    """Holds a text without personal data, and the number of masks by type."""

    text: str
    counts: dict[str, int]


def pseudonym(user_id: str, key: bytes) -> str:
    """Returns the `user_key` of a user id: a keyed hash, which cannot be computed without the key.

    Args:
        user_id: The id as the source delivers it.
        key: 1 to 64 bytes from the environment. Another key gives other hashes.

    Raises:
        ValueError: The key is empty, so anybody could compute the hash.

    >>> len(pseudonym("u1", b"k")), pseudonym("u1", b"k") == pseudonym("u1", b"other")
    (32, False)
    """
    if not key:
        raise ValueError(
            "pseudonym: got an empty key; expected 1 to 64 bytes, see the environment variable in the runbook"
        )
    return blake2b(user_id.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()


# --- the searched copy ----------------------------------------------------------------------------------------------
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
# Full-width commas and stops are in most Chinese texts but in no pattern. So only the characters of patterns count.
_FULL_WIDTH_GATE = re.compile("[\uff0b\uff0d\uff0e\uff10-\uff19\uff20-\uff5a]")
_NUMERALS = "零〇○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖两洞拐"
_NUMERAL_DIGITS = str.maketrans(dict(zip(_NUMERALS, "000123456789112345678920" + "7", strict=True)))
# Seven or more numerals, also mixed with digits and single spaces. An ordinary number in words is shorter.
_NUMERAL_RUN = re.compile(rf"(?<![{_NUMERALS}0-9])(?:[{_NUMERALS}0-9][ \-]?){{6,}}[{_NUMERALS}0-9](?![{_NUMERALS}])")
_NUMERAL_GATE = re.compile(f"[{_NUMERALS}](?:[{_NUMERALS}0-9]|[ -][{_NUMERALS}0-9])(?:[ -]?[{_NUMERALS}0-9]){{3}}")


def _with_ascii_digits(text: str) -> str:
    if _FULL_WIDTH_GATE.search(text):
        text = text.translate(_FULL_WIDTH)
    if _NUMERAL_GATE.search(text):
        text = _NUMERAL_RUN.sub(lambda numerals: numerals[0].translate(_NUMERAL_DIGITS), text)
    return text


# --- patterns: the group `id` is masked; a pattern without it masks the whole match -----------------------------------
_SEP = r"[ \-]"
_DIGIT_BEFORE = r"(?<![0-9])(?<![0-9][.\-*/])"
_IS = r"[是为:： =(（#【\[,，]{0,3}"


class Pattern(NamedTuple):
    """Holds one pattern of personal data, and a function that accepts or rejects a match."""

    type: str
    regex: re.Pattern[str]
    accepts: Callable[[str], bool] | None = None


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _is_identifier(text: str) -> bool:
    """Checks that a long number has more than three different digits. 666666… and 100000000000000 have fewer."""
    return len(set(_digits(text))) > 3


def _is_id(text: str) -> bool:
    return is_id_card(re.sub(r"[ \-]", "", text))


def _is_card(text: str) -> bool:
    return passes_luhn(_digits(text)) and len(set(_digits(text))) > 1


def _has_six_digits(text: str) -> bool:
    return len(_digits(text)) >= 6


def _looks_like_handle(text: str) -> bool:
    """Checks a chat name without a colon before it: it has a digit, `_` or `-`. A plain word (微信android) has none."""
    return any(c.isdigit() or c in "_-" for c in text)


_EMAIL = (
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){1,4}(?![A-Za-z0-9@])"
)
_ID_CARD = (
    rf"{_DIGIT_BEFORE}[1-9]\d{{5}}{_SEP}?(?:18|19|20)\d\d{_SEP}?(?:0[1-9]|1[0-2]){_SEP}?(?:0[1-9]|[12]\d"
    rf"|3[01]){_SEP}?\d{{3}}[\dXx](?![0-9A-Za-z])"
)
_BANK_CARD = rf"{_DIGIT_BEFORE}[3-6]\d{{3}}(?:\d{{12,15}}|(?:{_SEP}\d{{4}}){{3}}{_SEP}\d{{3}})(?![0-9])"
_BANK_CARD_16 = rf"{_DIGIT_BEFORE}[3-6]\d{{3}}(?:{_SEP}\d{{4}}){{3}}(?![0-9])"
_PHONE = (
    rf"{_DIGIT_BEFORE}(?:(?:\+|00)?86{_SEP}?)?"
    r"(?:1[3-9]\d{9}|1[3-9]\d([ \-.])\d{4}\1\d{4}|1[3-9]\d[ \-]\d{8}|1[3-9]\d{5}[ \-]\d{4}|1[3-9]\d([ \-])\d{3}\2\d{5}"
    r"|1[3-9]\d{2}([ \-])\d{3}\3\d{4}|1[3-9]\d{2}([ \-])\d{4}\4\d{3}|1([ \-])[3-9](?:\5\d){9})(?![0-9])(?!\.[0-9])"
)
_AREA = r"(?:010|02[0-57-9]|0[3-9]\d{2})"
_LANDLINE = (
    rf"{_DIGIT_BEFORE}(?:(?:\+|00)?86{_SEP}?)?(?:\({_AREA}\){_SEP}?|（{_AREA}）|{_AREA}{_SEP}?)[2-8]\d{{2,3}}{_SEP}?\d{{4}}"
    r"(?:(?:转|-|ext\.?)\d{1,6})?(?![0-9])"
    rf"|{_DIGIT_BEFORE}[48]00{_SEP}?\d{{3}}{_SEP}?\d{{4}}(?![0-9])|{_DIGIT_BEFORE}[48]00-\d{{4}}-\d{{3}}(?![0-9])"
)
_CALL = rf"(?:电话|座机|热线|固话|打|拨|[Tt][Ee][Ll])号?码?{_IS}(?P<id>[2-8]\d{{2,3}}{_SEP}?\d{{4}})(?![0-9元块])"
_WECHAT_WORD = (
    r"(?:微信|威信|薇信|微xin|维信|(?<![A-Za-z])(?:wechat|weixin|wx|vx|v信|wei信|加v|➕v)(?=[^A-Za-z]"
    r"|[A-Za-z0-9_\-]{6}))"
)
_WECHAT_SURE = (
    rf"{_WECHAT_WORD}(?:账号|帐号|号码|号|ID)?(?:[:：=]|是|为|加|搜|(?<=号) ?) ?"
    rf"(?P<id>[A-Za-z][A-Za-z0-9_\-]{{5,19}}|\d{{5,11}})(?![A-Za-z0-9_\-])"
)
_WECHAT_ASKED = (
    rf"(?:加|搜|联系|➕)(?:我|个|下|一下)?的?{_WECHAT_WORD}(?:账号|帐号|号码|号|ID)?[: ]?"
    rf"(?P<id>[A-Za-z][A-Za-z0-9_\-]{{5,19}})(?![A-Za-z0-9_\-])"
)
_WECHAT_NEAR = (
    rf"{_WECHAT_WORD}(?:账号|帐号|号码|号|ID)? ?(?P<id>[A-Za-z][A-Za-z0-9_\-]{{5,19}}|[1-9]\d{{5,11}})"
    rf"(?![A-Za-z0-9_\-])"
)
_QQ = (
    rf"(?:(?<![A-Za-z])[Qq]{{1,2}}(?![A-Za-z])|扣扣|企鹅号|球球|口口)(?:交流)?(?:群|号)?(?:号|码)?{_IS}"
    rf"(?P<id>[1-9]\d{{4,11}})(?![0-9A-Za-z])"
)
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使"
# 新 also means "new": 新E5800 is a processor. So 新 needs one of the letters of Xinjiang.
_PLATE = (
    rf"(?:[{_PROVINCES}][A-HJ-NP-Za-hj-np-z]|新[A-HJ-Ra-hj-r])[·•. \-]?"
    r"(?P<tail>[A-HJ-NP-Za-hj-np-z0-9]{5,6}|[A-HJ-NP-Za-hj-np-z0-9]{4}[挂学警港澳])(?![A-Za-z0-9])"
)
_COURIER = r"(?:顺丰|圆通|中通|申通|韵达|极兔|百世|天天|德邦|京东物流|邮政|EMS|ems)"
_TRACKING = (
    r"(?<![A-Za-z0-9])(?:SF|YT|JT|JD[A-Z]{0,3}|ZTO|STO|YD|DPK|sf|yt)\d{11,15}(?![0-9A-Za-z])|"
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{9}CN(?![A-Za-z0-9])"
)
_TRACKING_WORD = (
    rf"(?:(?:快递|运单|物流|货运|包裹|面单|{_COURIER})(?:快递|快运|速运|物流)?(?:单号|编号|号码|号|单)|运单|(?<![订定下易])单号|{_COURIER}(?:快递|速运)?)"
    rf"{_IS}(?P<id>[A-Za-z]{{0,4}}\d{{9,20}})(?![0-9A-Za-z])"
)
_ORDER = (
    r"(?:(?:订单|定单|交易|流水|商户单|(?<![A-Za-z])[Oo]rder|下单)(?: ?(?:编号|号码|单号|号|ID|id|[Nn]o\.?|number))?)"
    rf"{_IS}(?P<id>[A-Za-z0-9][A-Za-z0-9\-]{{7,31}})(?![A-Za-z0-9])"
)
_LONG_NUMBER = r"(?<![0-9A-Za-z.\-])\d{15,32}(?![0-9A-Za-z])"


def _is_plate(text: str) -> bool:
    """Checks that a plate has enough digits: two, or four if six characters follow the province and its letter.

    Only plates of new-energy cars have these six characters.
    """
    tail = re.sub(r"^.[A-Za-z][·•. \-]?", "", text)
    count = len(_digits(tail))
    return count >= 2 and (len(tail) < 6 or count >= 4)


_NUMBERS = (
    Pattern("ID_CARD", re.compile(_ID_CARD), _is_id),
    Pattern("TRACKING", re.compile(_TRACKING_WORD), _is_identifier),
    Pattern("TRACKING", re.compile(_TRACKING), None),
    Pattern("ORDER", re.compile(_ORDER), _has_six_digits),
    Pattern("BANK_CARD", re.compile(_BANK_CARD), _is_card),
    Pattern("BANK_CARD", re.compile(_BANK_CARD_16), _is_card),
    Pattern("ORDER", re.compile(_LONG_NUMBER), _is_identifier),
    Pattern("WECHAT", re.compile(_WECHAT_SURE, re.IGNORECASE), None),
    Pattern("WECHAT", re.compile(_WECHAT_ASKED, re.IGNORECASE), None),
    Pattern("WECHAT", re.compile(_WECHAT_NEAR, re.IGNORECASE), _looks_like_handle),
    Pattern("QQ", re.compile(_QQ), None),
    Pattern("PHONE", re.compile(_PHONE), None),
    Pattern("LANDLINE", re.compile(_LANDLINE), None),
    Pattern("LANDLINE", re.compile(_CALL), None),
)
_EMAILS = Pattern("EMAIL", re.compile(_EMAIL), None)
_PLATES = Pattern("PLATE", re.compile(_PLATE), _is_plate)
_CHATS = tuple(pattern for pattern in _NUMBERS if pattern.type == "WECHAT")

# --- gates: each is one search for a class, so that a text without a match takes under a microsecond
# GATE is one class, then lookarounds. It matches one of these:
# - an at sign, the start of a chat word, or a province before a letter
# - five digits or several numerals in a row
# - a number before a word for a building
# A single digit does not match, because one review of three has one.
GATE = re.compile(
    f"[0-9@\uff10-\uff19\uff20微威薇维WwVv加➕{_NUMERALS}十{_PROVINCES}新]"
    r"(?:(?<=[@\uff10-\uff19\uff20])|(?<=[微威薇维])(?:信|xin)|(?<=[WwVv])[XxEe信]|(?<=[加➕])[vV]"
    rf"|(?<=[0-9])(?:(?:[ \-.()]{{0,2}}[0-9\uff10-\uff19{_NUMERALS}]){{4}}"
    r"|[0-9A-Za-z一二三四五六七八九十百零〇\-]{0,5} ?[号弄栋幢座楼])"
    rf"|(?<=[{_NUMERALS}])[ \-]?[{_NUMERALS}0-9 \-]{{5}}|(?<=[{_NUMERALS}十])[一二三四五六七八九十]{{0,3}}[号栋幢单]"
    rf"|(?<=[{_PROVINCES}新])[A-Za-z])"
)
_LONG_RUN = re.compile(r"[0-9](?:[ \-.()]{0,2}[0-9]){4}")
_CHAT_GATE = re.compile(r"[微威薇维wWvV加➕](?:(?<=[微威薇维])(?:信|xin)|(?<=[wWvV])[xXeE信]|(?<=[加➕])[vV])")
_PLATE_GATE = re.compile(rf"[{_PROVINCES}新][A-Za-z]")


def mask(text: str) -> Masked:
    """Replaces personal data by masks until none is found. A text without personal data is returned unchanged.

    >>> mask("请打138-0000-0000或一三八零零零零零零零零,微信kefu_2020")
    Masked(text='请打[PHONE]或[PHONE],微信[WECHAT]', counts={'WECHAT': 1, 'PHONE': 2})
    >>> mask("2019年买的iPhone 11,5999元")
    Masked(text='2019年买的iPhone 11,5999元', counts={})
    """
    if not GATE.search(text):
        return Masked(text, {})
    counts: dict[str, int] = {}
    while True:
        previous = text
        text = _round(text, counts)
        if text == previous:
            return Masked(text, counts)


def _round(text: str, counts: dict[str, int]) -> str:
    searched = _with_ascii_digits(text)
    patterns: list[Pattern] = []
    if "@" in searched:
        patterns.append(_EMAILS)
    if _LONG_RUN.search(searched):
        patterns.extend(_NUMBERS)
    elif _CHAT_GATE.search(searched):
        patterns.extend(_CHATS)
    if _PLATE_GATE.search(searched):
        patterns.append(_PLATES)
    for pattern in patterns:
        text, searched = _masked(text, searched, pattern, counts)
    if postal_address.HINT.search(searched):
        for start, end in reversed(postal_address.find(searched)):
            text = f"{text[:start]}[ADDRESS]{text[end:]}"
            counts["ADDRESS"] = counts.get("ADDRESS", 0) + 1
    return text


def _masked(text: str, searched: str, pattern: Pattern, counts: dict[str, int]) -> tuple[str, str]:
    """Replaces the matches of one pattern by the same mask in both strings, so that their lengths stay equal."""
    mark = f"[{pattern.type}]"
    spans = []
    for match in pattern.regex.finditer(searched):
        start, end = match.span("id") if "id" in pattern.regex.groupindex else match.span()
        if pattern.accepts is None or pattern.accepts(searched[start:end]):
            spans.append((start, end))
    for start, end in reversed(spans):
        text = text[:start] + mark + text[end:]
        searched = searched[:start] + mark + searched[end:]
    if spans:
        counts[pattern.type] = counts.get(pattern.type, 0) + len(spans)
    return text, searched
