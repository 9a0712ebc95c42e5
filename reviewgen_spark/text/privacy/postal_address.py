"""Finds postal addresses of homes: 浙江省杭州市西湖区文三路100号3幢2单元501室.

A road with only a number is not matched. In reviews it is a public address, of a hotel or shop (酒店在中山路20号).
Three forms are matched:

- a road or estate with a building, unit or room
- a road with a district and a number
- an address after a word such as 地址 or 寄到
"""

import re

# Function words and marks, which are never part of a place name: 我住在杭州市 has the name 杭州市, without 我住在.
_NEVER_IN_NAMES = (
    "在到是的了我你他她们住寄往于去有个给从向离至址为和与把让就也都不很这那条过走上下来前后，。！？：；、 "
)
_NAME = rf"[^\x00-\x7f{_NEVER_IN_NAMES}]"
_NUMBER = r"[0-9A-Za-z一二三四五六七八九十百零〇甲乙丙丁东西南北\-]{1,6}"

# Atomic groups, because a text of many place characters has many ways to split it into names.
# 上 and 都 are function words too, so the two cities that contain them are listed.
_LISTED_CITY = r"(?>(?:(?:四川省?)?(?:上海|成都)市? ?)?)"
_REGION = (
    rf"{_LISTED_CITY}(?>(?:(?:中国)?{_NAME}{{2,7}}(?:省|自治区) ?)?)(?>(?:{_NAME}{{2,6}}(?:市|自治州"
    rf"|盟) ?)?)(?>(?:{_NAME}{{1,6}}(?:(?<![小社])区|县|旗"
    rf"|市) ?)?)"
    rf"(?>(?:{_NAME}{{1,6}}(?:镇|乡|街道|开发区|新区) ?)?)"
)
_REGION_NEEDED = (
    rf"{_LISTED_CITY}(?>(?:{_NAME}{{2,7}}(?:省|自治区) ?)?)(?>{_NAME}{{1,6}}(?:市|(?<![小社])区|县|镇|乡"
    rf"|街道) ?)(?>(?:{_NAME}{{1,6}}(?:(?<![小社])区|县|镇|乡"
    rf"|街道) ?){{0,2}})"
)
_ROAD = (
    rf"{_NAME}{{1,8}}(?:路|街|大道|大街|巷|弄|胡同|里|道|村|公路|环路)"
    rf"(?:[东西南北中]?[0-9一二三四五六七八九十]{{0,3}}[段路巷弄])? ?"
)
_ESTATE = (
    rf"{_NAME}{{1,8}}(?:小区|花园|花苑|家园|公寓|苑|庭|府|城|园|湾|居|里|新村|大厦|宿舍|广场|中心|大院|社区|村) ?"
    rf"(?:[0-9一二三四五六七八九]{{1,2}}期)? ?"
)
# Estates whose names are not also ordinary words, so that two numbers with a dash are enough behind them.
_SURE_ESTATE = rf"{_NAME}{{1,8}}(?:小区|花园|花苑|家园|公寓|新村|苑|大厦|宿舍) ?(?:[0-9一二三四五六七八九]{{1,2}}期)? ?"
_HOUSE = rf"{_NUMBER} ?(?:号院?|弄)(?!楼) ?"
_BLOCK = rf"{_NUMBER} ?(?:号(?:宿舍|教学)?楼|栋|幢|座|号院|号|楼)(?:[ ,，]?{_NUMBER} ?(?:单元|门|梯|号楼|栋|幢))?"
_ROOM = (
    rf"(?:[ ,，\-]?{_NUMBER} ?(?:层|楼|单元))?[ ,，\-]?[0-9A-Za-z一二三四五六七八九零〇\-]{{2,6}} ?(?:室|号房|房|户"
    rf"|号)?"
)
_DOOR = r"[0-9]{3,4} ?(?:室|号房|房|户|号)?(?![0-9元块个年天次])"
_PUBLIC = "(?:的|[\u4e00-\u9fff]{2,4})?(?:售后|专卖|旗舰|门店|分店|营业厅|酒店|宾馆|饭店|商场|超市)"
_TEAM = rf"(?:{_NUMBER} ?(?:组|队|社) ?)"

_PATTERNS = (
    # a road with a number, then a building and a room
    re.compile(rf"{_REGION}{_ROAD}{_HOUSE}(?:{_ESTATE})?{_BLOCK}(?:{_ROOM})?"),
    re.compile(rf"{_REGION}{_ROAD}{_HOUSE}(?:{_ESTATE})?[0-9]{{2,5}} ?(?:室|房|户)"),
    # an estate with a building and a room
    re.compile(
        rf"{_REGION}(?:{_ROAD}(?:{_HOUSE})?)?{_ESTATE}{_BLOCK}[ ,，\-]?(?:{_NUMBER} ?(?:单元|层|楼) ?)?[0-9]{{2,5}} ?"
        rf"(?:室|房|户|号)?"
    ),
    # an estate with a building, a unit and a room by their numbers only: 3-2-501
    re.compile(
        rf"{_REGION}(?:{_ROAD}(?:{_HOUSE})?)?(?:{_ESTATE}[0-9]{{1,3}} ?(?:号楼|栋|幢|座|号)?-[0-9]{{1,2}}-"
        rf"|{_SURE_ESTATE}[0-9]{{1,3}} ?(?:号楼|栋|幢|座|号)?-)"
        rf"{_DOOR}(?!-)"
    ),
    re.compile(rf"{_REGION}{_ROAD}{_HOUSE}[0-9]{{1,3}}-(?:[0-9]{{1,2}}-)?{_DOOR}(?!-)"),
    # a district, a road or a village, a number
    # but not of a shop or hotel: 位于上海市羽山路166号, 湖滨东路61号华为售后
    re.compile(
        rf"(?<!位于)(?<!位于上)(?<!坐落于)(?<!坐落在)"
        rf"{_REGION_NEEDED}{_ROAD}{_TEAM}?[0-9]{{1,5}} ?号院?(?:{_BLOCK})?(?:{_ROOM})?"
        rf"(?!{_PUBLIC})"
    ),
    # a city with a district, a building and a room, without a road
    re.compile(
        rf"{_NAME}{{1,6}}(?:市|省|自治区|区) ?{_NAME}{{1,6}}(?:市|区|县|镇"
        rf"|街道) ?{_NAME}{{0,12}} ?{_BLOCK}[ ,，\-]?(?:{_NUMBER} ?(?:单元|层|楼) ?)?{_DOOR}"
    ),
    # an address after a word that announces it
    re.compile(
        rf"(?:地址|住址|家住|住在|寄到|送到|寄往|发到|收件|我家在?|家在)[是为:： ]{{0,2}}(?P<id>{_REGION}(?:{_ROAD}"
        rf"|{_ESTATE}){_HOUSE}(?:{_ESTATE})?(?:{_BLOCK})?(?:{_ROOM})?)"
    ),
    re.compile(
        rf"(?:地址|住址|家住|住在|寄到|送到|寄往|发到|寄去|我家在|家在)[是为在:： ]{{0,2}}"
        rf"(?P<id>(?:{_REGION_NEEDED}|(?={_SURE_ESTATE}))"
        rf"(?:{_NAME}{{1,12}} ?)?(?:{_NUMBER} ?(?:号楼|号院|号|弄|栋|幢|座|组|单元|室) ?){{1,4}}(?:{_DOOR})?)"
    ),
    # a house, a building and a room without a name, after such a word: 寄到88号院3号楼5层502室
    re.compile(
        r"(?:地址|住址|家住|寄到|送到|寄往|发到|我家在?)[是为:： ]{0,2}"
        rf"(?P<id>(?:{_NUMBER} ?号院 ?)?{_NUMBER} ?(?:号楼|栋|幢|座) ?(?:{_NUMBER} ?(?:单元|层|楼) ?)?"
        r"[0-9]{3,4}(?![0-9元块个年天次]) ?(?:室|号房|房|户|号)?)"
    ),
)

# One of these characters is in every match of the pattern, as a fast check.
_NEEDED = ("号弄", "室房户", "号栋幢座楼", "-", "-", "号", "号栋幢座楼", "址住到往家收", "址住到往去家", "址住到往家")

# The last characters of the roads and estates above, of sections of a road (二段) and of phases of an estate (三期).
_PLACE_ENDS = "路街道巷弄同里村段区园苑寓庭府城湾居厦舍场心院社期市县镇乡"
HINT = re.compile(
    rf"[{_PLACE_ENDS}] {{0,2}}{_NUMBER} ?[号弄栋幢座楼组]|[{_PLACE_ENDS}] {{0,2}}[0-9]{{1,3}}[号楼栋幢座]{{0,2}}-[0-9]"
)
"""Matches the end of a place name, a number and a word for a building. A text without them is not searched.

Every pattern needs all three. The check saves time, because a search for all patterns takes 0.1 ms a text."""
_LOOSE_HINT = re.compile(
    rf"[市区县镇乡][^\x00-\x7f{_NEVER_IN_NAMES}]{{1,13}} ?{_NUMBER} ?[号弄栋幢座楼组]"
    r"|[址住到往家在][是为:： ]{0,2}[0-9]{1,4} ?[号栋幢座]"
)
_BEFORE, _AFTER = 40, 60  # characters of an address before its first number, and behind it

# --- English ----------------------------------------------------------------------------------------------------------
_SUFFIX = (
    "Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Court|Ct|Place|Pl|Terrace|Way|Circle|Cir|Parkway"
    "|Pkwy|Highway|Hwy|Square|Sq"
)
_NO_STREET = (
    r"(?!(?:the|a|an|on|in|of|my|down|this|that|our|same|different|other|and|to|is|was|for|per|all|people|stars?)\b)"
)
_STREET = (
    rf"[0-9]{{1,5}}[A-Za-z]? (?:[NSEW]\.? )?(?:(?:[A-Z][A-Za-z'.]{{0,15}}|[0-9]{{1,3}}(?:st|nd|rd"
    rf"|th)) ){{1,3}}(?:{_SUFFIX})\b\.?"
)
_ANY_STREET = (
    rf"[0-9]{{1,5}}[A-Za-z]? (?:[nsewNSEW]\.? )?(?:{_NO_STREET}[A-Za-z0-9'.]{{1,16}} ){{1,3}}(?:{_SUFFIX}|st|street"
    rf"|ave|avenue|rd|road|blvd|lane|ln|dr)\b\.?"
)
_FLAT = (
    r"(?:,? ?(?:#|\b(?:[Aa]pt|[Aa]partment|[Uu]nit|[Ss]uite|[Ss]te|[Ff]lat|[Rr]oom|[Rr]m)\b\.? ?#?)[0-9A-Za-z\-]{1,6})"
)
_CITY = r"(?:,? ?[A-Z][a-z]+(?: [A-Z][a-z]+){0,2})"
_ZIP = r"(?:,? ?(?:[A-Z]{2} ?[0-9]{5}(?:-[0-9]{4})?|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2})\b)"
_STATE = r"(?:,? ?[A-Z]{2}\b)"
BOX_HINTS = ("O box", "o box", "Box ", "BOX ")
"""One of these is in every post office box."""
_BOX = re.compile(r"(?<![A-Za-z])p\.? ?o\.? ?box ?(?:no\.? ?|# ?)?[0-9]{1,6}(?![0-9])", re.IGNORECASE)
_ENGLISH = (
    re.compile(rf"(?<![0-9A-Za-z.$]){_STREET}{_FLAT}{_CITY}?(?:{_ZIP}|{_STATE})?"),
    re.compile(rf"(?<![0-9A-Za-z.$]){_STREET}{_FLAT}?{_CITY}?{_ZIP}"),
    re.compile(
        r"\b(?:[Aa]ddress(?: is)?|[Ll]iv(?:e|es|ing) (?:at|on)|[Rr]eside at|(?:[Ss]hip|[Ss]hipped|[Ss]en[dt]"
        r"|[Dd]eliver|[Dd]elivered|[Mm]ail|[Mm]ailed)(?: it| them| this)? to)[:,]? ?"
        rf"(?P<id>{_ANY_STREET}{_FLAT}?{_CITY}?(?:{_ZIP}|{_STATE})?)"
    ),
)
_ENGLISH_HINT = re.compile(rf"[0-9][A-Za-z]? (?=[A-Za-z0-9])(?:[A-Za-z0-9'.]{{1,16}} ){{1,4}}(?i:{_SUFFIX})\b")


def find(text: str) -> list[tuple[int, int]]:
    """Returns the start and end of the addresses of a text, from left to right, without overlaps.

    >>> [("家住文三路100号3幢501室真远")[a:b] for a, b in find("家住文三路100号3幢501室真远")]
    ['文三路100号3幢501室']
    >>> find("酒店在中山路20号,房间在3楼"), find("5号发货,7号到")
    ([], [])
    """
    matches = [span for window in _windows(text) for span in _in_window(text, *window)]
    if _ENGLISH_HINT.search(text):
        matches += [
            match.span("id" if "id" in pattern.groupindex else 0)
            for pattern in _ENGLISH
            for match in pattern.finditer(text)
        ]
    if any(map(text.__contains__, BOX_HINTS)):
        matches += [match.span() for match in _BOX.finditer(text)]
    spans: list[tuple[int, int]] = []
    for start, end in sorted(matches):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))  # two patterns matched parts of one address
        else:
            spans.append((start, end))
    return spans


def _windows(text: str) -> list[tuple[int, int]]:
    """Returns the parts of a text around the hints, merged where they overlap."""
    windows: list[tuple[int, int]] = []
    hints = [*HINT.finditer(text), *_LOOSE_HINT.finditer(text)]
    for start, end in sorted((max(0, hint.start() - _BEFORE), hint.end() + _AFTER) for hint in hints):
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], max(end, windows[-1][1]))
        else:
            windows.append((start, end))
    return windows


def _in_window(text: str, start: int, end: int) -> list[tuple[int, int]]:
    part = text[start:end]
    return [
        match.span("id" if "id" in pattern.groupindex else 0)
        for pattern, needed in zip(_PATTERNS, _NEEDED, strict=True)
        if any(character in part for character in needed)
        for match in pattern.finditer(text, start, end)
    ]
