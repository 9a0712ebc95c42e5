"""Defines the patterns of identity papers, bank accounts, parcels, orders and plates of cars."""

import re

from reviewgen_spark.text.privacy.check_digits import is_iban, is_id_card, passes_luhn
from reviewgen_spark.text.privacy.pattern import DIGIT_BEFORE, IS, NO_UNIT, Pattern, digits_of, is_after_measure

_SEP = r"[ \-]"
_GROUP_SEP = r"[ \-._]{1,3}"
_ID_CARD = (
    rf"{DIGIT_BEFORE}[1-9]\d{{5}}{_SEP}?(?:18|19|20)\d\d{_SEP}?(?:0[1-9]|1[0-2]){_SEP}?(?:0[1-9]|[12]\d"
    rf"|3[01]){_SEP}?\d{{3}}[\dXx](?![0-9A-Za-z])"
)
# Behind the word the check digit may be wrong, because people mistype it. Papers of Hong Kong and Taiwan have letters.
_ID_CARD_WORD = (
    r"(?:身份证|身分证|公民身份|证件|驾驶证|驾照|社保|社会保障|(?<![A-Za-z])(?:[Ii][Dd] [Cc]ard|(?i:sfz)))"
    r"(?: ?(?:号码|证号|卡号|号|[Nn]o\.?|[Nn]umber))?(?: is )?"
    rf"{IS}(?P<id>[1-9](?:[ \-./]?\d){{16}}[ \-./]?[\dXx]|[1-9]\d{{14}}|[A-Z]{{1,2}}\d{{6}} ?(?:\([0-9A]\)|[0-9A])?"
    rf"|[A-Z][12]\d{{8}})"
    r"(?![0-9A-Za-z])"
)
_PASSPORT = (
    r"(?:护照|通行证|台胞证|回乡证|驾驶证|驾照|(?<![A-Za-z])(?:[Pp]assport|[Dd]river'?s?'? [Ll]icen[cs]e))"
    r"(?: ?(?:号码|证号|号|[Nn]o\.?|[Nn]umber|#))?(?: is )?"
    rf"{IS}(?P<id>[A-Za-z]{{1,2}} ?\d{{6,9}}|\d{{8,12}}|[A-Z]\d{{4}} ?\d{{4}})(?![0-9A-Za-z])"
)
_SOCIAL_SECURITY = (
    rf"{DIGIT_BEFORE}(?<![0-9A-Za-z\-])(?!000|666|9)\d{{3}}-(?!00)\d\d-(?!0000)\d{{4}}(?![0-9A-Za-z\-]){NO_UNIT}"
)
_SOCIAL_SECURITY_WORD = (
    r"(?:(?<![A-Za-z])(?:[Ss][Ss][Nn]|[Ss]ocial [Ss]ecurity)|社会安全)(?: ?(?:号码|号|[Nn]o\.?|[Nn]umber|#))?(?: is )?"
    rf"{IS}(?P<id>\d{{3}}[ \-.]?\d\d[ \-.]?\d{{4}})(?![0-9A-Za-z])"
)
_IBAN = r"(?<![A-Za-z0-9\-])[A-Z]{2}\d\d(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
_IBAN_WORD = (
    rf"(?i)(?<![A-Za-z])(?:IBAN)(?: ?(?:[Nn]o\.?|[Nn]umber|号))?(?: is )?{IS}"
    r"(?P<id>[A-Za-z]{2}\d\d(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,3})?)(?![A-Za-z0-9])"
)
_BANK_CARD = rf"{DIGIT_BEFORE}[3-6]\d{{3}}(?:\d{{12,15}}|(?:{_GROUP_SEP}\d{{4}}){{3}}{_GROUP_SEP}\d{{3}})(?![0-9])"
_BANK_CARD_16 = (
    rf"{DIGIT_BEFORE}(?:[3-6]\d{{3}}(?:{_GROUP_SEP}\d{{4}}){{3}}"
    rf"|3[47]\d\d{_GROUP_SEP}\d{{6}}{_GROUP_SEP}\d{{5}})(?![0-9])"
)
_BANK_CARD_WORD = (
    r"(?=[银信储借工建农招中卡Cc])(?:(?:银行|信用|储蓄|借记|工行|建行|农行|招行|中行)卡(?:卡?号码?)?|(?<![订单])卡号|银行账[号户]|银行帐[号户]"
    r"|(?<![A-Za-z])[Cc]ard(?: ?(?:[Nn]o\.?|[Nn]umber))?(?: is )?)"
    rf"{IS}(?P<id>[3-6]\d{{3}}(?:(?:{_GROUP_SEP})?\d{{4}}){{2}}(?:{_GROUP_SEP})?\d{{3,4}}(?:"
    rf"(?:{_GROUP_SEP})?\d{{1,3}})?)(?![0-9A-Za-z])"
)
_COURIER = r"(?:顺丰|圆通|中通|申通|韵达|极兔|百世|天天|德邦|京东物流|邮政|EMS|ems)"
_TRACKING = (
    r"(?=[A-Zsy])(?<![A-Za-z0-9])(?:SF|YT|JT|JD[A-Z]{0,3}|ZTO|STO|YD|DPK|sf|yt)\d{11,15}(?![0-9A-Za-z])|"
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{9}CN(?![A-Za-z0-9])"
)
_TRACKING_WORD = (
    rf"(?=[快运物货包面顺圆中申韵极百天德京邮Ee单])(?:(?:快递|运单|物流|货运|包裹|面单|{_COURIER})(?:快递|快运|速运|物流)?(?:单号|编号|号码|号|单)|运单|(?<![订定下易])单号"
    rf"|{_COURIER}(?:快递|速运)?)"
    rf"{IS}(?P<id>[A-Za-z]{{0,4}}\d{{9,20}})(?![0-9A-Za-z])"
)
_TRACKING_ENGLISH = (
    r"(?<![A-Za-z])[Tt]racking(?: ?(?:[Nn]umber|[Nn]o\.?|[Cc]ode|[Ii][Dd]|#))?(?: is )?"
    rf"{IS}(?P<id>(?=[A-Z]{{0,4}}[0-9])[A-Z0-9]{{10,30}}|\d{{4}}(?: \d{{4}}){{2,5}}(?: \d{{2}})?)(?![0-9A-Za-z])"
)
_ORDER = (
    r"(?:(?:订单|定单|交易|流水|商户单|(?<![A-Za-z])[Oo]rder|下单)(?: ?(?:编号|号码|单号|号|ID|id|[Nn]o\.?|number))?)"
    rf"{IS}(?P<id>[A-Za-z0-9][A-Za-z0-9\-]{{7,31}})(?![A-Za-z0-9])"
)
_LONG_NUMBER = r"(?<![0-9A-Za-z.\-/])(?<!认证)(?<!证书)(?<!条码)(?<!形码)\d{15,32}(?![0-9A-Za-z])"

_MONTH = r"(?:0?[1-9]|1[0-2])"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19[89]\d|20[0-4]\d)"
_DATE = (
    rf"(?:{_YEAR}-{_MONTH}-{_DAY}|{_MONTH}-{_DAY}-(?:{_YEAR}|\d\d)|{_DAY}-{_MONTH}-(?:{_YEAR}|\d\d)"
    rf"|{_DAY}-(?:[A-Z][a-z]{{2}})-{_YEAR})"
)
_DATE_OR_RANGE = re.compile(
    rf"{_DATE}(?:-{_DATE})?(?:[T-]\d\d(?:-?\d\d){{0,2}})?|{_YEAR}-{_YEAR}|[1-9]\d{{0,4}}-[1-9]\d{{0,4}}"
)
_COMPACT_DATE = re.compile(rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_ORDER_NUMBER_WORD = re.compile(r"号|ID|id|[Nn]o\.?|number")


def _is_identifier(match: re.Match[str]) -> bool:
    """Checks that a long number has more than three different digits. 666666… and 100000000000000 have fewer."""
    return len(set(digits_of(match["id"] if "id" in match.re.groupindex else match[0]))) > 3


def _is_tracking(match: re.Match[str]) -> bool:
    """Checks that a number behind "tracking" has eight digits or more, so that it is no model."""
    return len(digits_of(match["id"])) >= 8 and _is_identifier(match)


def _is_id(match: re.Match[str]) -> bool:
    """Checks the check digit. A number with X at its end and a date in its middle is accepted without."""
    return match[0][-1] in "Xx" or is_id_card(re.sub(r"[ \-]", "", match[0]))


def _is_card(match: re.Match[str]) -> bool:
    digits = digits_of(match[0])
    return passes_luhn(digits) and len(set(digits)) > 1


def _has_digits(match: re.Match[str]) -> bool:
    """Checks a card number behind a word: its check digit may be wrong, but its digits are not all the same."""
    return len(set(digits_of(match["id"]))) > 1


def _is_iban(match: re.Match[str]) -> bool:
    return is_iban(match[0])


def _is_passport(match: re.Match[str]) -> bool:
    return len(digits_of(match["id"])) >= 6


def _is_social_security(match: re.Match[str]) -> bool:
    return not is_after_measure(match)


def _is_order(match: re.Match[str]) -> bool:
    """Checks that an order number has six digits or more, and is neither a date nor a range of numbers.

    Eight digits such as 20240115 are an order number only behind 号 or an English "no.".
    """
    number = match["id"]
    if len(digits_of(number)) < 6 or _DATE_OR_RANGE.fullmatch(number):
        return False
    is_named = _ORDER_NUMBER_WORD.search(match.string, match.start(), match.start("id")) is not None
    return is_named or not _COMPACT_DATE.fullmatch(number)


NUMBERS = (
    Pattern("ID_CARD", re.compile(_ID_CARD), _is_id),
    Pattern("ID_CARD", re.compile(_ID_CARD_WORD), _is_identifier),
    Pattern("ID_CARD", re.compile(_PASSPORT), _is_passport),
    Pattern("ID_CARD", re.compile(_SOCIAL_SECURITY_WORD)),
    Pattern("ID_CARD", re.compile(_SOCIAL_SECURITY), _is_social_security),
    Pattern("BANK_CARD", re.compile(_IBAN_WORD)),
    Pattern("BANK_CARD", re.compile(_IBAN), _is_iban),
    Pattern("TRACKING", re.compile(_TRACKING_WORD), _is_identifier),
    Pattern("TRACKING", re.compile(_TRACKING)),
    Pattern("TRACKING", re.compile(_TRACKING_ENGLISH), _is_tracking),
    Pattern("ORDER", re.compile(_ORDER), _is_order),
    Pattern("BANK_CARD", re.compile(_BANK_CARD), _is_card),
    Pattern("BANK_CARD", re.compile(_BANK_CARD_16), _is_card),
    Pattern("BANK_CARD", re.compile(_BANK_CARD_WORD), _has_digits),
    Pattern("ORDER", re.compile(_LONG_NUMBER), _is_identifier),
)
"""The patterns of long numbers, in the order in which they are searched."""
ORDERS = tuple(pattern for pattern in NUMBERS if pattern.regex.pattern == _ORDER)
"""The patterns of numbers that may have letters between their digits."""

# --- plates -----------------------------------------------------------------------------------------------------------
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使"
# 新 also means "new": 新E5800 is a processor. So 新 needs one of the letters of Xinjiang.
_PLATE = (
    rf"(?:[{PROVINCES}][A-HJ-NP-Za-hj-np-z]|新[A-HJ-Ra-hj-r])[·•. \-]?"
    r"(?P<tail>[A-HJ-NP-Za-hj-np-z0-9]{5,6}|[A-HJ-NP-Za-hj-np-z0-9]{4}[挂学警港澳])(?![A-Za-z0-9])"
)
# Provinces whose character is also a word before a product: new, black, expensive, green, cloud.
_WORD_PROVINCES = "新黑贵青云藏使川吉"
_NEW_ENERGY = re.compile(r"[A-HJK][A-HJ-NP-Z0-9]\d{4}|\d{5}[A-HJK]")
# R9000P, Y7000, E5800H, RX6600: a letter, two to four digits the last of which is a zero, and a suffix.
_MODEL = re.compile(r"[A-Z]{0,2}\d{1,3}0[A-Z]{0,2}|\d{3,4}[KFGHUSTX]{1,2}|[1-9]0{4}|\d{2}[A-Z]{3}")
_PLATE_BEFORE = re.compile(
    "(?:车牌|牌照|牌号|车号|号牌|尾号|司机|车主|车辆|轿车|出租车|的车|辆车)[号码是为的:： (]{0,3}$"
)
_PLATE_AFTER = re.compile("[)）]? ?的?(?:车|司机|师傅|出租|网约|轿车)")


def _is_plate(match: re.Match[str]) -> bool:
    """Checks that a plate has enough digits, and is no model of a product.

    Two digits are enough, or four in the six characters of a new-energy car. Behind 新, 黑 and other words a tail like
    9000P is a model, unless a word for a car is beside it or a dot is after the letter.
    """
    text, tail = match[0], match["tail"].upper()
    if len(tail) == 6 and not _NEW_ENERGY.fullmatch(tail):
        return False
    if len(digits_of(tail)) < 2:
        return False
    if text[0] not in _WORD_PROVINCES or text[2] in "·•.":
        return True
    if _PLATE_BEFORE.search(match.string[max(0, match.start() - 8) : match.start()]):
        return True
    if _PLATE_AFTER.match(match.string, match.end()):
        return True
    if text[0] == "黑" and text[1].upper() not in "ABCDEFGHJKLMNPR":
        return False
    return not _MODEL.fullmatch(tail)


PLATES = (Pattern("PLATE", re.compile(_PLATE), _is_plate),)
