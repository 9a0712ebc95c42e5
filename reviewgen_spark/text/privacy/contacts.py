"""Defines the patterns of e-mail addresses, chat names and QQ numbers, also in the spellings that avoid filters.

The cleaner replaces emoji by names and hosts by [URL] before personal data is searched. So the patterns contain
these: 微❤信 is 微[爱心]信, and user#qq.com is user#[URL].
"""

import re

from reviewgen_spark.text.privacy.pattern import Pattern, are_sizes, digits_of

# --- e-mail -----------------------------------------------------------------------------------------------------------
_LOCAL = r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{1,64}"
_EMAIL = rf"{_LOCAL}@[A-Za-z0-9\-]{{1,63}}(?:\.[A-Za-z0-9\-]{{1,63}}){{1,4}}(?![A-Za-z0-9@])"
_PROVIDER = (
    r"(?:qq|163|126|139|189|sina|sohu|gmail|googlemail|outlook|hotmail|yahoo|icloud|foxmail|aliyun|live|msn|yeah"
    r"|proton(?:mail)?|me|vip\.\w{2,4})"
)
_TLD = r"(?:com|cn|net|org|edu|hk|tw|co\.uk|de|jp)"
_SPOKEN_DOT = r" ?(?:[(\[{] ?(?:dot|点) ?[)\]}]|点|丶|。|(?<= )dot(?= )) ?"
_DOT = rf"(?: ?\. ?|{_SPOKEN_DOT}| ?[·,，] ?)"
_SIGN = r"(?: ?@ ?| ?[(\[{<] ?(?:at|a|@|艾特) ?[)\]}>] ?| ?(?:艾特|圈a|圈A|小老鼠|ⓐ|Ⓐ|㉿) ?| at | ?[#$&*★☆●◎^￥] ?)"
_HIDDEN_EMAIL = (
    rf"(?P<local>{_LOCAL})(?P<sign>{_SIGN})(?:(?P<provider>{_PROVIDER}){_DOT}(?i:{_TLD})"
    rf"|[A-Za-z0-9\-]{{2,63}}{_SPOKEN_DOT}(?i:{_TLD})"
    rf"|[A-Za-z0-9\-]{{2,63}} ?\. ?(?i:{_TLD})|(?P<url>\[URL\]))(?![A-Za-z0-9@])"
)
_MAIL_BEFORE = re.compile(r"(?:[Mm]ail|邮箱|邮件|contact|reach|write)[^@]{0,20}$")


def _is_hidden_email(match: re.Match[str]) -> bool:
    """Checks an address in another spelling: the host is a mail provider, or the name has a digit, a dot or `_`.

    "good deal @ walmart.com" and "look at amazon.com" are no addresses.
    """
    sign, local = match["sign"], match["local"]
    is_named = len(local) > 2 and any(c in "0123456789._" for c in local.strip(".-_"))
    start = match.start()
    is_announced = _MAIL_BEFORE.search(match.string[max(0, start - 28) : start]) is not None
    if sign == " at ":
        if match["url"] is not None:
            return is_announced or (sum(map(str.isdigit, local)) > 2 and not _DEVICE.fullmatch(local))
        return is_announced or is_named or match["provider"] is not None
    if sign.strip() in set("#$&*★☆●◎^￥"):
        return is_announced or (len(sign) == 1 and is_named) or (match["provider"] is not None and len(local) > 2)
    if match["provider"] is not None or sign.strip() != "@":
        return len(local) > 1
    return is_named or is_announced


# A provider without its end behind @ is an address too: johnsmith@gmail.
_SHORT_EMAIL = (
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{4,64}@(?:gmail|hotmail|outlook|yahoo|icloud|foxmail|qq|163|126)"
    r"(?![A-Za-z0-9@.\-])"
)

EMAILS = (
    Pattern("EMAIL", re.compile(_EMAIL)),
    Pattern("EMAIL", re.compile(_HIDDEN_EMAIL, re.IGNORECASE), _is_hidden_email),
    Pattern("EMAIL", re.compile(_SHORT_EMAIL, re.IGNORECASE)),
)

# --- WeChat -----------------------------------------------------------------------------------------------------------
_SPLIT = r"(?:\[[\u4e00-\u9fff]{2}\]|[ .·\-_*+❤♥💚~|/、]){0,2}"
_ADD = r"(?:加|联系|搜|➕|佳|嘉)(?:我|个|下|一下|俺|咱)?的?"
WECHAT_SIGNS = "微威薇维徽溦嶶葳唯魏"
_WECHAT_WORD = (
    rf"(?=[{WECHAT_SIGNS}卫加联搜➕佳嘉家+\[vw])(?:[{WECHAT_SIGNS}]{_SPLIT}(?:信|芯|心|xin|x(?![A-Za-z]))"
    rf"|{_ADD} ?(?:卫星|伟信|喂信|位信|绿泡泡|绿色软件"
    r"|小?[v√✔∨]|[微薇威徽溦](?!信)(?:\[爱心\])?|\[(?:爱心|表情)\](?!v))"
    r"|(?:(?<![A-Za-z0-9])\+|\[表情\])[微薇威徽](?![信\u4e00-\u9fff])|[微薇威徽]\[爱心\]"
    r"|(?<![\u4e00-\u9fff])[微薇威徽] ?(?=[:：])"
    r"|(?<![A-Za-z0-9])\+ ?[我个下]? ?v|(?<![A-Za-z])家v|\[表情\] ?v"
    r"|(?<![A-Za-z0-9])v(?:\[爱心\]|❤|💚)信?|卫星(?=号| ?[:：])"
    r"|(?<![A-Za-z0-9])(?:w(?:[ .\-·]{1,2}|\[爱心\])x|v[ .\-·]{1,2}x|v ?(?=[:：]))"
    r"|(?<![A-Za-z])(?:we ?chat|wei ?xin|wx|vx|v ?信|wei信|加v|➕v))(?:(?=[^A-Za-z])|(?=[A-Za-z0-9_\-]{6}|id ?[:：=]))"
)
_LABEL = r"(?:[ .·\-_]?(?:账号|帐号|号码|同号|号|id(?![A-Za-z])|number|account|name))?"
_HANDLE = r"(?P<id>[A-Za-z][A-Za-z0-9_\-]{5,19}|[1-9]\d{5,11})(?![A-Za-z0-9_\-])"
_WECHAT_SURE = (
    rf"{_WECHAT_WORD}{_LABEL}(?: ?[:：=∶﹕；;]|是|为|加|搜|(?<=号) ?) ?"
    r"(?P<id>[A-Za-z][A-Za-z0-9_\-]{5,19}|\d{5,11})(?![A-Za-z0-9_\-])"
)
_WECHAT_ASKED = (
    rf"(?:加|搜|联系|➕)(?:我|个|下|一下)?的?{_WECHAT_WORD}{_LABEL}[: ]?(?P<id>[A-Za-z][A-Za-z0-9_\-]{{5,19}})"
    rf"(?![A-Za-z0-9_\-])"
)
_WECHAT_NEAR = rf"{_WECHAT_WORD}{_LABEL} ?(?:(?:is |[(（\[【“\"'→>,，-]|\[表情\]|[:：] ?\[表情\]) ?)?{_HANDLE}"
_DEVICE = re.compile(
    r"(?:(?:i?phone|ipad|ipod|imac|ios|mac(?:os|book)?|android|windows|win|huawei|honor|xiaomi|redmi|mi|oppo|vivo"
    r"|oneplus"
    r"|realme|iqoo|samsung|galaxy|nokia|meizu|mate|nova|reno|find|note|pixel|harmony(?:os)?|linux|ubuntu|version|ver"
    r"|watch"
    r"|nubia|zte|lenovo|moto|pro|max|app|pc|web)[_\-]?(?:[a-z]{0,2}\d{1,4}[a-z]{0,2}|air|pro|mini|xp)?|v\d{1,5})"
    r"(?:[_\-]?(?:pro|max|plus|ultra|mini|air|lite|gb|tb|g|[0-9]{1,3}))*",
    re.IGNORECASE,
)

_WECHAT_SPACED = (
    rf"{_WECHAT_WORD}{_LABEL}[ :：=是]{{0,2}}(?P<id>[A-Za-z](?P<gap>[ .\-_])[A-Za-z0-9](?:(?P=gap)[A-Za-z0-9]){{4,18}})"
    r"(?![A-Za-z0-9])"
)
# A chat name behind an emoji that has no name of its own: 💬：abc12345.
_EMOJI_CHAT = (
    r"\[表情\](?:\[爱心\])?(?P<mark> ?[:：])? ?(?P<id>[a-z]{2,12}[_\-]?[0-9][a-z0-9_\-]{2,12})(?![A-Za-z0-9_\-])"
)
_OTHER_CHAT = (
    r"(?<![A-Za-z])(?:telegram|tg|纸飞机|电报群?|line ?id|skype|instagram|ins|snapchat)(?:号| ?id| ?name| ?account)?"
    r"(?:(?: is|[:：=])? ?@| ?[:：=] ?| is |(?<=[机群号d]) ?| (?=[A-Za-z]{2,20}(?:_|[0-9]{3})))"
    r"(?P<id>[A-Za-z][A-Za-z0-9_.\-]{4,28}[A-Za-z0-9])"
    r"(?![A-Za-z0-9_\-@])"
)


def _is_no_device(match: re.Match[str]) -> bool:
    """Checks that a chat name is not a device or a version, such as iphone15 or v8032."""
    return not _DEVICE.fullmatch(match["id"])


def _looks_like_handle(match: re.Match[str]) -> bool:
    """Checks a chat name without a colon before it: it has a digit, `_` or `-`. A plain word (微信android) has none."""
    return any(c.isdigit() or c in "_-" for c in match["id"]) and _is_no_device(match)


def _is_spaced_handle(match: re.Match[str]) -> bool:
    """Checks a chat name whose characters are set apart: it has two digits, as a b c 1 2 3."""
    return sum(map(str.isdigit, match["id"])) > 1


def _is_chat_behind_emoji(match: re.Match[str]) -> bool:
    """Checks a chat name behind an emoji: three digits, no capital letter as in a model, and no device."""
    return sum(map(str.isdigit, match["id"])) > 2 and _is_no_device(match)


WECHATS = (
    Pattern("WECHAT", re.compile(_WECHAT_SURE, re.IGNORECASE), _is_no_device),
    Pattern("WECHAT", re.compile(_WECHAT_ASKED, re.IGNORECASE), _is_no_device),
    Pattern("WECHAT", re.compile(_WECHAT_NEAR, re.IGNORECASE), _looks_like_handle),
    Pattern("WECHAT", re.compile(_WECHAT_SPACED, re.IGNORECASE), _is_spaced_handle),
    Pattern("WECHAT", re.compile(_OTHER_CHAT, re.IGNORECASE), _looks_like_handle),
    Pattern("WECHAT", re.compile(_EMOJI_CHAT), _is_chat_behind_emoji),
)

# --- QQ ---------------------------------------------------------------------------------------------------------------
_QQ = (
    rf"(?:(?<![A-Za-z])[Qq](?:{_SPLIT}[Qq])?(?![A-Za-z])|扣扣|抠抠|叩叩|蔻蔻|秋秋|企鹅号|球球|口口|{_ADD}(?:企鹅|\[表情\]|🐧))(?:交流)?(?:群|号"
    rf"|邮箱)?(?:号|码)?"
    r"(?:[是为:： =(（#【\[,，]{0,3}| is )"
    r"(?P<id>[1-9]\d{4,11})(?![0-9A-Za-z])(?![多余来]?[元块万步分币级人个里以])(?! ?多?(?:公里|千米|km|KM|元|块))"
)
_CAR_BEFORE = re.compile(r"(?:奇瑞|[辆台开买款]|汽车|轿车|二手|新车|小车)(?:了|的|个|着)?(?:小)? ?$")


def _is_no_car(match: re.Match[str]) -> bool:
    """Checks that QQ is not the car of that name: 奇瑞QQ 50000."""
    return _CAR_BEFORE.search(match.string[max(0, match.start() - 6) : match.start()]) is None


# Digits in groups, and words that are no names of QQ alone: 企鹅, 加群, an emoji. These need a longer number.
_QQ_GROUPS = (
    r"(?:(?<![A-Za-z])[Qq][Qq]|扣扣|抠抠|叩叩|蔻蔻|球球|企鹅)(?:交流)?[群号]?码? ?[:：是] ?"
    r"(?P<id>[1-9]\d{2,4}(?P<gap>[ \-.])\d{3,5}(?:(?P=gap)\d{3,4})?|[1-9](?: \d){6,10})(?![0-9A-Za-z\-])(?! ?[元块万])"
)
_QQ_LONG = (
    r"(?:企鹅|加扣|(?:加|进)(?:我们?的?|粉丝|福利|交流)?[群裙]|[群裙]号码?|\[表情\](?=[:： ]|\d{9,10}(?!\d)))"
    r"[:：= ]{0,2}(?:是|为)?"
    r"(?P<id>[1-9]\d{6,10})(?![0-9A-Za-z.])(?! ?[元块万])"
)


def _is_grouped(match: re.Match[str]) -> bool:
    """Checks a number in groups: seven digits or more that are not round sizes."""
    return 7 <= len(digits_of(match["id"])) <= 11 and not are_sizes(match["id"]) and len(set(match["id"])) > 3


def _is_varied(match: re.Match[str]) -> bool:
    return len(set(match["id"])) > 3


QQS = (
    Pattern("QQ", re.compile(_QQ), _is_no_car),
    Pattern("QQ", re.compile(_QQ_GROUPS), _is_grouped),
    Pattern("QQ", re.compile(_QQ_LONG), _is_varied),
)
