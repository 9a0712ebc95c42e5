"""Defines the patterns of telephone numbers: of five regions, and of every other country behind a plus sign.

A number in one run of digits is matched by its prefix. In groups it must not be a row of round sizes, and no unit may
follow, because 400 600 1000ml are three sizes.
"""

import re

from reviewgen_spark.text.privacy.pattern import DIGIT_BEFORE, IS, JOINER, NO_UNIT, Pattern, are_sizes, is_after_measure

_J = JOINER
_PLAIN_J = r"(?: ?[\-.] ?| )"  # other joiners would match prices: 1799(1999-200), and rates: 1333/1066/800
_SEP = r"[ \-]"
_CHINA = rf"(?:[(\[]?(?:\+|00)? ?86[)\]]?(?:{_J})?)?"
_MOBILE = rf"{DIGIT_BEFORE}{_CHINA}1[3-9]\d{{9}}(?![0-9])(?!\.[0-9])"
_EACH_DIGIT = (
    rf"{DIGIT_BEFORE}{_CHINA}1(?P<joint>[ \-._/~,，、*|+]"
    rf"|\ufe0f?\u20e3 ?)[3-9](?:(?P=joint)[0-9]){{9}}(?![0-9])[\ufe0f\u20e3]*"
)
_MOBILE_GROUPS = (
    rf"{DIGIT_BEFORE}{_CHINA}[(\[]?1(?:[3-9]\d{_J}\d{{4}}{_J}\d{{4}}|[3-9]\d{_PLAIN_J}\d{{3}}{_PLAIN_J}\d{{5}}"
    rf"|[3-9]\d(?!\.[0-9]){_J}\d{{8}}|[3-9]\d{{5}}(?!\.[0-9]){_J}\d{{4}}"
    rf"|[3-9]\d{{2}}{_PLAIN_J}\d{{3}}{_PLAIN_J}\d{{4}}|[3-9]\d{{2}}{_PLAIN_J}\d{{4}}{_PLAIN_J}\d{{3}}"
    rf"|[3-9]\d(?P<joint>[,，、|:+=\\])\d{{4}}(?P=joint)\d{{4}})(?![0-9])(?!\.[0-9]){NO_UNIT}[\ufe0f\u20e3\])]*"
)
_CALL = (
    r"(?=[电手座热固致联打拨TtCcMmPpWwDdRrFf])(?:电话|手机|座机|热线|固话|致电|联系方式|打|拨|(?<![A-Za-z])(?:[Tt][Ee][Ll]|[Cc]all|[Cc]ell|[Mm]obile"
    r"|[Pp]hone|[Tt]ext(?= me| [(0-9])|[Rr]ing(?= me)|[Dd]ial|[Ff]ax|[Mm]y(?= number is)"
    r"|[Ww]hats[Aa]pp)(?: ?me)?(?: ?at| ?on)?)(?: ?number| ?[Nn]o\.?)?号?码?(?: is)?"
)
# Any grouping of a mobile number behind a word: 电话 139 12 34 56 78.
_MOBILE_CALLED = rf"{_CALL}{IS}(?P<id>1[3-9](?:(?:{_J})?\d){{9}})(?![0-9]){NO_UNIT}"

_AREA = r"(?:010|02[0-57-9]|0[3-9]\d{2})"
_EXTENSION = r"(?:(?:转|-|ext\.?)\d{1,6})?"
_LANDLINE = (
    rf"{DIGIT_BEFORE}{_CHINA}[(\[（]?{_AREA}(?:{_J}|）)?[2-8]\d{{2,3}}(?:{_J})?\d{{4}}{_EXTENSION}(?![0-9]){NO_UNIT}"
    rf"|(?<![0-9A-Za-z])(?:[(\[]?(?:\+|00) ?86[)\]]?|86{_J})(?:{_J})?(?:\(0\)(?:{_J})?)?[(]?(?:10|2[0-57-9]"
    rf"|[3-9]\d{{2}})(?:{_J})?"
    rf"[2-8]\d{{2,3}}(?:{_J})?\d{{4}}{_EXTENSION}(?![0-9]){NO_UNIT}"
)
_HOTLINE = (
    rf"{DIGIT_BEFORE}\(?[48]00(?:{_J})?\d{{3}}(?:{_J})?\d{{4}}(?![0-9]){NO_UNIT}"
    rf"|{DIGIT_BEFORE}[48]00(?:{_J}\d{{4}}{_J}\d{{3}}|{_SEP}\d{{3}}{_SEP}\d{{2}}{_SEP}\d{{2}})(?![0-9]){NO_UNIT}"
)
_LOCAL_CALLED = (
    rf"(?:{_CALL}{IS})(?P<id>[2-9]\d{{2,3}}[ \-.]{{0,3}}\d{{4}})(?![0-9])(?![ ]?[\-~][0-9]){NO_UNIT}"
    rf"(?![个次分人名台件部颗粒只条年天])"
)

# Country codes of one to three digits, by ITU-T E.164. China and the four below have patterns of their own.
_COUNTRY = (
    r"(?:7|20|2[1-9]\d|3[0-69]|3[578]\d|4[0135-9]|42\d|5[1-8]|5[09]\d|6[0-6]|6[789]\d|8[124]|85[0456]|880|9[0-58]"
    r"|9[679]\d)"
)
_ABROAD = (
    r"(?=[(+018])(?<![0-9A-Za-z])(?:"
    rf"\(?(?:(?:\+ ?|00)85[23]\)?(?:{_J})?|85[23]{_J})[2-9]\d{{3}}(?:{_J})?\d{{4}}"
    rf"|\(?(?:(?:\+ ?|00)886\)?(?:{_J})?|886{_J})(?:\(?0\)?)?[2-9](?:(?:{_J})?\d){{7,8}}"
    rf"|\(?(?:\+ ?|00)1\)?(?:{_J})?\(?[2-9]\d{{2}}(?:{_J})?\d{{3}}(?:{_J})?\d{{4}}"
    rf"|1{_J}[2-9]\d{{2}}{_J}\d{{3}}{_J}\d{{4}}"
    rf"|\(?(?:\+ ?|00)44\)?(?:{_J})?(?:\(0\)(?:{_J})?)?[1-9](?:(?:{_J})?\d){{8,9}}"
    rf"|\(?\+ ?{_COUNTRY}\)?(?:{_J})?(?:\(0\))?(?:(?:{_J})?\d){{7,11}}"
    rf")(?![0-9]){NO_UNIT}"
)
_NO_PLUS = (
    rf"{DIGIT_BEFORE}(?<![0-9A-Za-z\-])(?:"
    rf"09\d{{2}}(?:{_J})?\d{{3}}(?:{_J})?\d{{3}}"  # a mobile number of Taiwan
    rf"|\(?0[2-8]\)?[ \-]{{1,3}}[2-9]\d{{2,3}}[ \-]{{1,3}}\d{{4}}"
    rf"|02-[2-9]\d{{7}}|\(0[2-8]\) ?[2-9]\d{{2,3}}[ \-]?\d{{4}}"  # a landline of Taiwan
    rf"|07\d{{3}}(?:{_J})?\d{{3}}(?:{_J})?\d{{3}}"  # a mobile number of Britain
    rf"|\(?01\d{{2}}{_J}\d{{3}}{_J}\d{{4}}|\(?01\d{{3}}{_J}\d{{5,6}}|\(?01\d{{3}}{_J}\d{{3}}{_J}\d{{3}}"
    rf"|\(?02\d{_J}\d{{4}}{_J}\d{{4}}"  # Britain
    rf"|\([2-9]\d{{2}}\) ?[\-.]?\d{{3}}[ .\-]?\d{{4}}|[2-9]\d{{2}}(?:-\d{{3}}[\- .]"
    rf"|\.\d{{3}}\.)\d{{4}}"  # North America
    rf")(?![0-9])(?![.\-][0-9]){NO_UNIT}"
)
_NORTH_AMERICA_CALLED = rf"{_CALL}{IS}(?P<id>\(?[2-9]\d{{2}}(?:{_J})?\d{{3}}(?:{_J})?\d{{4}})(?![0-9]){NO_UNIT}"


def _are_no_measures(match: re.Match[str]) -> bool:
    return not is_after_measure(match) and not are_sizes(match[0])


def _is_hotline(match: re.Match[str]) -> bool:
    """Checks a number 400 or 800: in groups between blanks it must not be round, because 400 600 1000 are sizes."""
    if is_after_measure(match):
        return False
    return not {" ", "/"} & set(match[0]) or not are_sizes(match[0], 50)


def _is_no_measure(match: re.Match[str]) -> bool:
    return not is_after_measure(match)


PHONES = (
    Pattern("PHONE", re.compile(_ABROAD), _are_no_measures),
    Pattern("PHONE", re.compile(_MOBILE)),
    Pattern("PHONE", re.compile(_EACH_DIGIT)),
    Pattern("PHONE", re.compile(_MOBILE_GROUPS), _are_no_measures),
    Pattern("LANDLINE", re.compile(_LANDLINE), _is_no_measure),
    Pattern("LANDLINE", re.compile(_HOTLINE), _is_hotline),
    Pattern("PHONE", re.compile(_MOBILE_CALLED)),
    Pattern("PHONE", re.compile(_NO_PLUS), _are_no_measures),
    Pattern("PHONE", re.compile(_NORTH_AMERICA_CALLED)),
    Pattern("LANDLINE", re.compile(_LOCAL_CALLED)),
)
"""The patterns of telephone numbers, in the order in which they are searched."""
