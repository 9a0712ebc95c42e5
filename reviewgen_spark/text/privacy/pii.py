"""Finds personal data in reviews by patterns and check digits, and replaces it by masks such as `[PHONE]`.

A pattern matches by its structure (a check digit, a mobile prefix) or by a word next to it (微信, 订单号). Prices,
years and model numbers have neither. A mask replaces only the personal part, so 微信abc12345 becomes 微信[WECHAT].

Patterns search a copy of the text, in which full-width digits and Chinese numerals (一三八…) are replaced by ASCII
digits. The copy has the same length as the text, so a match has the same position in both.
"""

import re
from hashlib import blake2b
from typing import NamedTuple

from reviewgen_spark.text.privacy import person_names, postal_address
from reviewgen_spark.text.privacy.contacts import EMAILS, QQS, WECHAT_SIGNS, WECHATS
from reviewgen_spark.text.privacy.identity_numbers import NUMBERS, ORDERS, PLATES, PROVINCES
from reviewgen_spark.text.privacy.pattern import Pattern
from reviewgen_spark.text.privacy.phone_numbers import PHONES
from reviewgen_spark.text.privacy.searched_copy import MARKS, NUMERALS, searched_copy

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
    "NAME",
)
"""The types of personal data that are masked, and that a generated text must not contain.

ID_CARD includes passports and social security numbers, BANK_CARD includes international account numbers (IBAN).
"""


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


# --- gates: each is one search for a class, so that a text without a match takes under a microsecond
# GATE is one class, then lookarounds. It matches one of these:
# - an at sign, the start of a chat word, or a province before a letter
# - five digits or several numerals in a row
# - a number before a word for a building, or before English words that end like a street
# A single digit does not match, because one review of three has one.
_JOINED = rf" \-.()_/~,\[\]|+:=*、，\u20e3\ufe0f{MARKS}"
_STREET = (
    "st|street|ave|avenue|rd|road|dr|drive|ln|lane|blvd|boulevard|ct|court|pl|place|way|terrace|square|parkway|pkwy"
    "|highway|hwy|circle"
)
GATE = re.compile(
    f"[0-9@\uff10-\uff19\uff20{WECHAT_SIGNS}卫WwVv√加➕{NUMERALS}十{PROVINCES}新]"
    rf"(?:(?<=[0-9])(?:(?:[{_JOINED}]{{0,3}}[0-9\uff10-\uff19{NUMERALS}]){{4}}"
    r"|[0-9A-Za-z一二三四五六七八九十百零〇\-]{0,5} ?[号弄栋幢座楼室组]|(?<=[栋幢座][0-9])[0-9]{2}"
    rf"|[A-Za-z]? (?=[A-Za-z0-9])(?:[A-Za-z0-9'.]{{1,16}} ){{1,4}}(?i:{_STREET})\b)"
    rf"|(?<=[{NUMERALS}十])(?:[{NUMERALS}0-9 .·—\-]{{6}}|[一二三四五六七八九十]{{0,3}}[号栋幢单])"
    rf"|(?<=[{PROVINCES}新])[A-Za-z]"
    rf"|(?<=[加➕])[我个下一俺咱的]{{0,3}} ?[小]?(?:[vV√✔∨\[➕]|[{WECHAT_SIGNS}][ :：A-Za-z0-9\[])"
    rf"|(?<=[{WECHAT_SIGNS}])(?:\[[\u4e00-\u9fff]{{2}}\])?[^0-9\u4e00-\u9fff，。！？]{{0,5}}[信芯xX]"
    r"|(?<=[Ww])(?:[Xx]|[Ee](?: ?[Cc][Hh][Aa][Tt]|[Ii] ?[Xx信])|[ .·-]{1,2}[xX]|\[爱心\][Xx])"
    r"|(?<=[Vv])(?:[Xx信]|\[爱|[❤💚]| ?[:：=]| [A-Za-z0-9信]|[ .·-]{1,2}[xX]|号)"
    r"|(?<=[@\uff10-\uff19\uff20])|(?<=√)[ :：A-Za-z0-9]"
    r"|(?<=[微薇威徽])(?:[:：A-Za-z]| [:：]|\[爱)|(?<=卫)星[ :：号A-Za-z])"
)
_SPOKEN_HOST = re.compile(r"[.点。丶·,，t)\]](?:(?<!t)|(?<=dot)) ?(?:com|cn|net|org)", re.IGNORECASE)
_SIGN_BEFORE_URL = re.compile(r"(?:[#$&*★☆●◎^￥@a)）\]}>]|艾特|鼠| at) ?\[URL\]", re.IGNORECASE)
_LONG_RUN = re.compile(rf"[0-9](?:[{_JOINED}]{{0,3}}[0-9]){{4}}")
_LONGER_RUN = re.compile(rf"[0-9](?:[{_JOINED}]{{0,3}}[0-9]){{6}}")
_CHAT_GATE = re.compile(
    rf"[{WECHAT_SIGNS}卫伟喂位绿vV√✔∨\]]|[wW][xXeE .·\[-]|纸飞|电报|(?i:telegram|tg|line ?id|skype|ins)"
)
_ENGLISH_HINTS = (
    *person_names.ENGLISH_HINTS,
    *postal_address.BOX_HINTS,
    *("ine id", "ine ID", "elegram", "kype"),
)
_PLATE_GATE = re.compile(rf"[{PROVINCES}新][A-Za-z]")


def mask(text: str) -> Masked:
    """Replaces personal data by masks until none is found. A text without personal data is returned unchanged.

    >>> mask("请打138-0000-0000或一三八零零零零零零零零,微信kefu_2020")
    Masked(text='请打[PHONE]或[PHONE],微信[WECHAT]', counts={'WECHAT': 1, 'PHONE': 2})
    >>> mask("2019年买的iPhone 11,5999元")
    Masked(text='2019年买的iPhone 11,5999元', counts={})
    """
    line = text.replace("\n", " ") if "\n" in text else text
    if not GATE.search(line) and not _has_rare_hint(line):
        return Masked(text, {})
    counts: dict[str, int] = {}
    while True:
        previous = text
        text = _round(text, counts)
        if text == previous:
            return Masked(text, counts)


def _has_rare_hint(line: str) -> bool:
    """Checks for personal data that has no match of `GATE`: names, spelt out hosts, chat names and English words."""
    return bool(
        (("人" in line or "姓名" in line) and person_names.HINT.search(line))
        or (("com" in line or "org" in line) and _SPOKEN_HOST.search(line))
        or ("[URL]" in line and _SIGN_BEFORE_URL.search(line))
        or ((line.isascii() or "id" in line or "ID" in line) and any(map(line.__contains__, _ENGLISH_HINTS)))
    )


def _round(text: str, counts: dict[str, int]) -> str:
    searched = searched_copy(text)
    patterns: list[Pattern] = []
    if "@" in searched or _SPOKEN_HOST.search(searched) or _SIGN_BEFORE_URL.search(searched):
        patterns.extend(EMAILS)
    has_long_run = _LONG_RUN.search(searched) is not None
    has_longer_run = has_long_run and _LONGER_RUN.search(searched) is not None
    if has_long_run:
        patterns.extend(NUMBERS if has_longer_run else ORDERS)
    if _CHAT_GATE.search(searched):
        patterns.extend(WECHATS)
    if has_long_run:
        patterns.extend(QQS)
    if has_longer_run:
        patterns.extend(PHONES)
    if _PLATE_GATE.search(searched):
        patterns.extend(PLATES)
    if person_names.HINT.search(searched):
        patterns.extend(person_names.NAMES)
    if any(map(searched.__contains__, person_names.ENGLISH_HINTS)):
        patterns.extend(person_names.ENGLISH_NAMES)
    for pattern in patterns:
        text, searched = _masked(text, searched, pattern.type, pattern.spans(searched), counts)
    text, _ = _masked(text, searched, "ADDRESS", postal_address.find(searched), counts)
    return text


def _masked(
    text: str, searched: str, type_: str, spans: list[tuple[int, int]], counts: dict[str, int]
) -> tuple[str, str]:
    """Replaces spans by the same mask in both strings, so that their lengths stay equal."""
    if not spans:
        return text, searched
    counts[type_] = counts.get(type_, 0) + len(spans)
    mark = f"[{type_}]"
    starts, ends = [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)]
    gaps = list(zip(starts, ends, strict=True))
    return mark.join(text[a:b] for a, b in gaps), mark.join(searched[a:b] for a, b in gaps)
