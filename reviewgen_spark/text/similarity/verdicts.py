"""Tells a copy with typing errors from a text that is nearly equal but says the opposite, such as 很好 and 不好.

Only texts that are near copies already are compared, and only where they differ. The short lists below belong to this
rule. The rule does not read the lists of `conf/dictionaries`, because a new word there would change clusters, which are
frozen.
"""

import re
from collections import Counter
from difflib import SequenceMatcher
from functools import lru_cache

Signals = tuple[str, ...]
_Range = tuple[int, int, int, int]  # start and end in the one text, start and end in the other

_CONTEXT = 8  # characters around a difference that are read too, so that 不 + 好 and 不错 are read as words
_SCOPE = 6  # characters after a negation in which it reverses a polar word
_JOINED = 2  # equal characters between two differences that stay apart
_MAX_ALIGNED = 500  # characters that are aligned, because alignment takes quadratic time
_LATIN_OR_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.'’")
_INSERTED = 2  # characters that one side must have more, so that a polar word of its own is no typing error

_NEUTRAL = (
    "不过 不仅 不但 不管 不论 不只 不光 不断 不久 不知 不觉 差不多 不得不 不愧 不然 不止 不妨 不同 不一会 "
    "不由 对不起 了不起 不得了 不敢相信 不可思议 "
    "不禁 忍不住 好不容易 不料 不好意思 没想到 没多久 没几天 无线 无论 无数 无锡 好像 好久 好几 好多 好似 "
    "好奇 只好 正好 最好 恰好 刚好 爱好 好歹 "
    "快递 快点 快要 凉快 赶快 差距 差价 差点 色差 出差 差异 值班 价值 真实 真正 认真 太阳 太太 老太 最近 最后 "
    "最终 最初 别人 别的 区别 级别 性别 分别 "
    "个别 类别 识别 一般来说 一般情况 可贵 宝贵 破解 坏处 好处 好友 好人 不大不小 不要紧 要不 说不定 不一样"
)
_NEGATIONS = (
    "不 不太 不怎么 不够 不是 不是很 不大 不很 不会 不能 不再 不要 不用 并不 并非 绝非 绝不 毫不 毫无 没 没有 "
    "没什么 没啥 从不 从没 从未 从来不 从来没 "
    "从来没有 未 尚未 无 别再 别买 别来 别信 别指望 无法 再也不 谈不上 算不上 "
    "not no never cannot cant dont doesnt didnt isnt wasnt arent werent wont wouldnt couldnt shouldnt hasnt havent "
    "hadnt without hardly barely neither nor none nothing"
)
_POSITIVE = (
    "好 好评 满意 喜欢 推荐 不错 棒 赞 优秀 完美 漂亮 好看 好用 好吃 好听 好闻 舒服 舒适 值得 值 划算 实惠 "
    "便宜 结实 耐用 清晰 清楚 流畅 快 迅速 "
    "及时 方便 热情 耐心 周到 细心 精致 正品 合适 合身 干净 新鲜 美味 给力 牢固 厚实 柔软 安静 高档 精美 惊喜 "
    "开心 放心 良心 超值 优质 靠谱 贴心 灵敏 "
    "准确 稳定 牢靠 信赖 爱不释手 没话说 没的说 没得说 没毛病 没问题 准时 真货 "
    "good great excellent perfect love loves loved like likes liked nice best better amazing awesome wonderful "
    "fantastic happy pleased satisfied recommend recommended comfortable easy fast sturdy durable beautiful fresh "
    "delicious clean quiet bright clear worth reliable helpful friendly accurate soft cheap"
)
_NEGATIVE = (
    "差 差评 差劲 坏 坏了 烂 糟 糟糕 垃圾 失望 后悔 难看 难用 难吃 难闻 难听 难受 贵 慢 粗糙 模糊 卡 卡顿 破 "
    "破损 假 假货 骗 骗人 恶心 恶劣 敷衍 "
    "冷淡 劣质 廉价 笨重 脏 臭 异味 怪味 掉色 褪色 起球 开裂 断 断裂 裂 漏 漏水 漏电 故障 死机 瑕疵 吵 噪音 "
    "变质 过期 退货 投诉 坑 坑人 上当 无语 "
    "无奈 一般 麻烦 浪费 山寨 次品 残次 粗暴 吃亏 鸡肋 偏大 偏小 错 讨厌 有问题 问题 毛病 "
    "bad poor terrible horrible awful worst worse hate hated disappointed disappointing useless broken broke "
    "uncomfortable hard slow expensive noisy dirty ugly flimsy defective fake waste dull blurry unreliable rude "
    "unhappy dissatisfied difficult failed fails stopped cracked overpriced"
)
_STRONG = (
    "很 非常 特别 十分 超 超级 极 极其 极为 相当 最 真 真的 挺 太 格外 尤其 绝对 完全 "
    "very really extremely absolutely so totally super"
)
_WEAK = "有点 有点儿 有些 稍 稍微 略 略微 还算 勉强 还行 还可以 还好 凑合 slightly somewhat barely fairly mediocre"
_TOO = "大小长短宽窄厚薄硬软高低重轻甜咸油辣淡紧松热冷亮暗响"
_TOO_EN = (
    "big small large long short wide narrow thick thin hard soft high low heavy light sweet salty tight loose "
    "hot cold loud"
)
_UNITS = (
    "米 厘米 毫米 公分 寸 英寸 尺 克 千克 公斤 斤 两 升 毫升 元 块 角 毛 分 钱 天 个小时 小时 分钟 秒 年 个月 "
    "周 星期 个星期 次 度 星 颗星 折 "
    "倍 码 瓦 伏 层 页 片 包 盒 瓶 袋 双 条 件 台 只 个 岁 人 斤装 寸屏 "
    "cm mm km m inch inches ft feet kg g mg lb lbs oz ml l gb tb mb g mah wh w v hz fps k mp stars star days day hours "
    "hour minutes minute weeks week months month years year times dollars bucks percent pages pieces pcs pack"
)
_NUMERALS = "零一二两三四五六七八九十百千万半"
_DIGIT = dict(zip("零一二三四五六七八九两", "01234567892", strict=True)) | {"十": "10"}


def _kinds() -> dict[str, str]:
    kinds: dict[str, str] = {}
    for kind, words in (("s", _STRONG), ("w", _WEAK), ("-", _NEGATIVE), ("+", _POSITIVE), ("n", _NEGATIONS)):
        kinds |= dict.fromkeys(words.split(), kind)
    kinds |= dict.fromkeys(_NEUTRAL.split(), "")
    kinds |= dict.fromkeys((f"太{word}" for word in _TOO), "t")
    kinds |= dict.fromkeys((f"too {word}" for word in _TOO_EN.split()), "t")
    kinds |= {"not only": "", "not just": "", "no doubt": "", "no problem": "+", "no problems": "+", "well": ""}
    return kinds


_KINDS = _kinds()
_LONGEST = max(len(word) for word in _KINDS if not word.isascii())
_FIRST = "".join(sorted({word[0] for word in _KINDS if not word.isascii()}))
_LATIN = "|".join(sorted((word for word in _KINDS if " " in word), key=len, reverse=True))
_UNIT = "|".join(sorted(_UNITS.split(), key=len, reverse=True))
_SIGNAL = re.compile(
    rf"(?P<date>[0-9]{{4}}年)|(?P<number>(?<![0-9])[0-9]{{1,12}}(?:[.,:/-][0-9]{{1,12}}){{0,3}}|(?<![{_NUMERALS}])[{_NUMERALS}]{{1,8}})\s?(?P<unit>(?:{_UNIT})(?![a-z])|%)"
    rf"|(?P<asked>[是能会要好行有可对])[不没](?P=asked)|(?P<word>[{_FIRST}])|(?P<latin>(?:{_LATIN})\b|[a-z]+(?:['’][a-z]+)?)"
    "|(?P<end>[，。！？；,.!?;\n])"
)
_CLAUSE_END = re.compile(r"[，。！？；!?;\n]|[.,](?![0-9])")
# Two texts whose characters of this class are equal say the same. This is checked first, because it is cheap.
_DEGREES = set(_STRONG + _WEAK) - set("有的可以还行")
_POLAR = set(_POSITIVE + _NEGATIVE) - set("有的用一看人上")
_WEIGHTY = "".join(sorted(char for char in _DEGREES | _POLAR if not char.isascii())) + "不没无未别非"
_CHARACTERS = re.compile(rf"[a-z0-9%{_NUMERALS}天年月时周分秒{_WEIGHTY}]|[.,:/-](?=[0-9])")
_NUMERAL = re.compile(f"[0-9%{_NUMERALS}天年月时周分秒]|(?:day|week|month|year|hour|minute)s?")
_OPINION = re.compile(f"[a-z{_WEIGHTY}]")
_TURNING = re.compile(f"{_NUMERAL.pattern}|{_OPINION.pattern}")
_NEGATION = re.compile(
    r"[不没无未别非]|\b(?:" + "|".join(word for word in _NEGATIONS.split() if word.isascii()) + r")\b|n['’]t\b"
)
_TOO_MUCH = re.compile(r"太|\btoo\b")
_DOUBLED = re.compile(r"([^\W\d_a-z])\1+")


def turns_verdict(one: str, other: str) -> bool:
    """Checks whether the difference of two near copies changes what they say of the product.

    These differences do: a negation, a polar word for its opposite, a strong for a weak degree, another number of the
    same kind of thing. A typing error, another name and a word of the same polarity do not.

    >>> turns_verdict("质量很好，物流很快", "质量不好，物流很快"), turns_verdict("用了1.5米的", "用了15米的")
    (True, True)
    >>> turns_verdict("质量很好，物流很快", "质量非常好，物流很块"), turns_verdict("It works well", "It works  wel")
    (False, False)
    """
    clauses, other_clauses = _own_clauses(one.lower(), other.lower())
    own, others = "，".join(clauses), "，".join(other_clauses)
    if _CHARACTERS.findall(own) == _CHARACTERS.findall(others):
        return False
    # Clause by clause first, because that is cheap. Then the whole, because a lost comma shifts the clauses.
    if len(clauses) == len(other_clauses) and not any(
        _is_turned([_changed(*pair)], *pair, one, other) for pair in zip(clauses, other_clauses, strict=True)
    ):
        return False
    own, others = _DOUBLED.sub(r"\1", own), _DOUBLED.sub(r"\1", others)
    is_short = max(len(own), len(others)) <= _MAX_ALIGNED
    return _is_turned(_aligned(own, others) if is_short else [_changed(own, others)], own, others, one, other)


def _is_turned(ranges: list[_Range], own: str, others: str, one: str, other: str) -> bool:
    for i1, i2, j1, j2 in ranges:
        words = f"{_window(own, i1, i2, 0)} {_window(others, j1, j2, 0)}"
        if _TURNING.search(words):
            parts = _window(own, i1, i2, _CONTEXT), _window(others, j1, j2, _CONTEXT)
            if _is_opposed(*parts, words, one, other):
                return True
    return False


def _has_number(signals: Counter[str]) -> bool:
    return any(signal[0] == "#" for signal in signals)


def _own_clauses(one: str, other: str) -> tuple[list[str], list[str]]:
    """Returns the clauses that only the one text has, and those that only the other one has."""
    clauses, other_clauses = _CLAUSE_END.split(one), _CLAUSE_END.split(other)
    shared = set(clauses) & set(other_clauses)
    return (
        [clause for clause in clauses if clause not in shared],
        [clause for clause in other_clauses if clause not in shared],
    )


@lru_cache(maxsize=4096)
def _signals(text: str) -> Signals:
    """Returns the polar words, bare negations, degrees and numbers of a text, in order.

    A negation reverses the next polar word of its clause, so 不好 is `-`, as 差 is.
    """
    signals: list[str] = []
    negations: list[int] = []  # positions in `signals`
    negated_until = -1
    end = 0
    while match := _SIGNAL.search(text, end):
        start, end, group = match.start(), match.end(), match.lastgroup
        if group == "unit":
            signals.append(f"#{_number(match['number'])}{match['unit']}")
            continue
        if group == "end":
            negations = []
            continue
        kind = ""
        if group == "word":
            word = _longest(text, start)
            kind, end = _KINDS.get(word, ""), start + len(word)
        elif group == "latin":
            kind = _KINDS.get(match[0]) or ("n" if match[0].endswith(("n't", "n’t")) else "")
        if kind == "n":
            negations.append(len(signals))
            negated_until = end + (_SCOPE if group == "word" else 3 * _SCOPE)
            signals.append("n")
        elif kind in ("+", "-"):
            if negations and start <= negated_until:
                for _ in negations:
                    kind = "-" if kind == "+" else "+"
                for index in negations:
                    signals[index] = ""
            negations = []
            signals.append(kind)
        elif kind:
            signals.append(kind)
    return tuple(filter(None, signals))


def _longest(text: str, start: int) -> str:
    """Returns the longest word of the lists that starts there, or one character."""
    for length in range(_LONGEST, 1, -1):
        if (word := text[start : start + length]) in _KINDS:
            return word
    return text[start]


def _number(number: str) -> str:
    """Returns a number in one form: 三 is 3, 1,000 is 1000."""
    digits = "".join(_DIGIT.get(digit, digit) for digit in number) if len(number) == 1 else number
    return re.sub(r",(?=[0-9]{3}(?![0-9]))", "", digits)


def _changed(one: str, other: str) -> _Range:
    """Returns the range between the common beginning and the common end of two texts, in each of them."""
    shortest = min(len(one), len(other))
    start = next((index for index in range(shortest) if one[index] != other[index]), shortest)
    left = shortest - start
    end = next((index for index in range(left) if one[-1 - index] != other[-1 - index]), left)
    return start, len(one) - end, start, len(other) - end


def _aligned(one: str, other: str) -> list[_Range]:
    """Returns the differing ranges. Ranges with less than two equal characters between them are joined."""
    ranges: list[_Range] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if ranges and i1 - ranges[-1][1] < _JOINED:
            i1, _, j1, _ = ranges.pop()
        ranges.append((i1, i2, j1, j2))
    return ranges


def _window(text: str, start: int, end: int, context: int) -> str:
    """Returns a range of a text with characters of its clause around it. Latin words and numbers are not cut."""
    if context:
        start -= len(text[max(0, start - context) : start].rpartition("，")[2])
        end += len(text[end : end + context].partition("，")[0])
    while start and text[start - 1] in _LATIN_OR_DIGITS:
        start -= 1
    while end < len(text) and text[end] in _LATIN_OR_DIGITS:
        end += 1
    return text[start:end]


def _is_opposed(part: str, other_part: str, words: str, one: str, other: str) -> bool:
    mine, theirs = _signals(part), _signals(other_part)
    if mine == theirs:
        return False
    more, less = Counter(mine), Counter(theirs)
    more, less = more - less, less - more
    if (more["n"] + less["n"]) % 2 and _NEGATION.search(words):
        return True
    if (more["t"] or less["t"]) and _TOO_MUCH.search(words):
        return True
    if (more["s"] and less["w"]) or (more["w"] and less["s"]):
        return True
    if _has_number(more) and _has_number(less) and _NUMERAL.search(words):
        return True
    polarity, opposite = more["+"] - more["-"], less["+"] - less["-"]
    if polarity * opposite < 0 and _OPINION.search(words):
        return True
    # A polar word on one side only: an added clause turns the verdict, a lost character does not.
    if polarity and not opposite and len(part) - len(other_part) >= _INSERTED:
        return polarity * _polarity(other) < 0
    if opposite and not polarity and len(other_part) - len(part) >= _INSERTED:
        return opposite * _polarity(one) < 0
    return False


def _polarity(text: str) -> int:
    signals = _signals(text.lower())
    return signals.count("+") - signals.count("-")
