"""Reads phrases whose opinion is in their structure, and not in the score of a word.

- Little of something bad is praise, much of it is criticism: 色差小, 噪音很大, 价格比别家高. For something good the
  reverse holds: 分量少, low quality.
- Few of something that has a score: 毛病少, 好评少.
- What cannot be found is reversed: 挑不出毛病, 闻不到异味.
- None at all: 一点毛病都没有, 一点诚意都没有, 毫无新意.
"""

from collections.abc import Callable, Mapping
from math import copysign

from reviewgen_spark.text.words.word_lists import word_set

CLAUSE_ENDS = frozenset("，。！？；：、…,.!?;:~～ \n")
ONLY_FREQUENT = 0.3  # the largest score of a word that is no opinion by itself
FEW_BAD, FEW_GOOD = 0.5, -0.5

# Things that are bad if there is much of them. Their direction decides, not their own score.
BAD_THINGS = word_set(
    "噪音 噪声 杂音 异味 气味 怪味 臭味 甲醛味 霉味 烟味 塑料味 色差 误差 偏差 差距 差价 瑕疵 故障 故障率 返修率 "
    "差评率 阻力 压力 油烟 油耗 能耗 功耗 耗电 耗电量 用电量 掉电 费电 费用 价格 价钱 价位 售价 房价 票价 单价 运费 "
    "邮费 成本 发热 发热量 辐射 震动 振动 震感 抖动 延迟 延时 时延 损耗 磨损 划痕 刺激 刺激性 副作用 伤害 "
    "毛刺 线头 灰尘 浮毛 掉毛 静电 异响 风噪 胎噪 底噪 电流声 缝隙 风险 难度 干扰 污染 漏光 压迫感 磨脚 "
    "price prices pricing cost costs noise"
)
GOOD_THINGS = word_set(
    "质量 品质 分量 份量 续航 效率 性价比 像素 清晰度 分辨率 亮度 颜值 档次 性能 舒适度 灵敏度 精度 精确度 准确度 纯度 "
    "还原度 好评率 辨识度 贴合度 专业度 水平 水准 种类 品种 花样 quality resolution"
)
_MUCH = word_set(
    "大 高 重 多 浓 强 严重 明显 偏高 偏大 偏重 偏贵 太大 太高 太重 太多 过高 过大 过重 很大 很高 很重 很多 "
    "很浓 超大 快 长 昂贵 high loud"
)
_LITTLE = word_set(
    "小 低 轻 少 弱 淡 轻微 偏低 偏小 很小 很低 很少 很轻 很淡 短 低廉 超低 超小 较低 较小 极低 极小 慢 "
    "low little minimal"
)
DIRECTIONS = _MUCH | _LITTLE
_GOOD_DIRECTIONS = frozenset("高低少小强短长")  # 质量大不如前 has none of them
_AMOUNTS = word_set("lot lots plenty ton tons much")
_FILLERS = word_set(
    "是 也 有 会 的 得 相对 偏 略 还 就 都 又 真 is are was were a an the 确实 真的 控制 算 要 几乎 基本 可以 可 能"
)
_THAN = "比"
_COLONS = frozenset(":：")  # 噪音：小
_NONE = frozenset(["没有", "没", "无", "忽略", "忽略不计"])
AT_ALL = word_set("一点 一点点 一丝 半点 丝毫 任何 什么 啥 一点儿")
_EVEN = frozenset(["都", "也"])
_BY_PRODUCT = word_set("味道 声音 味儿 颜色 香味")  # 一点味道都没有 is praise or criticism
_NOTHING = frozenset(["毫无", "全无"])
_MUCH_SCORE, _LITTLE_SCORE, _NOT_MUCH, _NOT_LITTLE = -0.6, 0.6, 0.5, -0.5
_FEW = word_set("少 很少 较少 极少 偏少 太少 不多 更少 特别少 非常少")
_FEW_FILLERS = word_set("也 都 很 比较 较 非常 极 真 特别 还 就 挺 会 相对 更 太 真的 确实 更加")
_FEW_AFTER = frozenset(["了", "的", "啊", "呢", "哦", "些"])

# What one looks for: 挑不出, or 闻 and 不到.
_UNFOUND_VERBS = word_set("闻 挑 看 找 听 尝 摸 查 嗅 挑剔 感觉 察觉 发现 感受 体会")
_UNFOUND_ENDS = word_set("不到 不出 不出来 不见 不着 不了")
_UNFOUND = frozenset(verb + end for verb in _UNFOUND_VERBS for end in _UNFOUND_ENDS) | word_set(
    "想不出 想不出来 吃不出 喝不出 品不出 尝不出 体现不出"
)
_UNFOUND_FILLERS = word_set("任何 一点 一丝 丝毫 什么 啥 的 有 有任何 有什么 半点 明显 太大 多少 哪里 一点点 一个 点")
_UNFOUND_SCORE = 0.6

RULE_WORDS = BAD_THINGS | GOOD_THINGS | _NOTHING | _UNFOUND_VERBS | _UNFOUND | AT_ALL
"""The words at which a rule can apply."""

_Match = tuple[float, int]  # a score, and the number of words that it covers
_Longest = Callable[[list[str], int], _Match]


class PhraseRules:
    """Scores phrases by their structure.

    Args:
        negations: Words that reverse a direction (价格不高).
        degrees: Words that multiply it, with their factors.
        longest: Returns the score of the longest entry of the word lists at a position, and its number of words.
    """

    def __init__(self, negations: frozenset[str], degrees: Mapping[str, float], longest: _Longest) -> None:
        self._negations = negations
        self._degrees = degrees
        self._longest = longest

    def read(self, words: list[str], index: int) -> _Match | None:
        """Returns the score of the rule that applies at one of `RULE_WORDS`, and the number of words that it reads."""
        word = words[index]
        if word in BAD_THINGS:
            return self._direction(words, index)
        if word in GOOD_THINGS:
            return self._good_direction(words, index)
        if word in AT_ALL:
            return self._none_at_all(words, index)
        if word in _NOTHING:
            if index + 1 == len(words) or words[index + 1] in CLAUSE_ENDS or self._longest(words, index)[1] > 1:
                return None
            value, width = self._longest(words, index + 1)
            return (_UNFOUND_SCORE if value < 0 else -_UNFOUND_SCORE), 1 + (width or 1)  # 毫无新意
        return self._unfound(words, index)

    def _unfound(self, words: list[str], index: int) -> _Match | None:
        width = 1 if words[index] in _UNFOUND else 2
        if width == 2 and not _is_unfound_pair(words, index):
            return None
        end = index + width
        while end < min(index + width + 3, len(words)) and words[end] in _UNFOUND_FILLERS:
            end += 1
        value, entry_width = self._longest(words, end) if end < len(words) else (0.0, 0)
        if words[end : end + 1] and words[end] in BAD_THINGS and value <= 0:  # 感觉不到震动
            return _UNFOUND_SCORE, end - index + max(entry_width, 1)
        if abs(value) <= ONLY_FREQUENT:  # 找不到客服
            return None
        return (_UNFOUND_SCORE if value < 0 else -_UNFOUND_SCORE), end - index + entry_width

    def _none_at_all(self, words: list[str], index: int) -> _Match | None:
        """Returns the score of 一点毛病都没有, 一点诚意都没有 or 一点都不保暖. Something without a score is missed."""
        if words[index + 1 : index + 2] and words[index + 1] in _EVEN and words[index + 2 : index + 3] == ["不"]:
            value, width = self._longest(words, index + 3) if index + 3 < len(words) else (0.0, 0)
            return (copysign(_UNFOUND_SCORE, -value), 3 + width) if abs(value) > ONLY_FREQUENT else None
        if words[index + 1 : index + 2] and words[index + 1] in _BY_PRODUCT:
            return None
        for even in range(index + 2, min(index + 5, len(words) - 1)):
            if words[even] in _EVEN and words[even + 1] in _NONE and _is_end(words, even + 2):
                value = self._longest(words, index + 1)[0]
                is_bad = value < -ONLY_FREQUENT or words[index + 1] in BAD_THINGS
                return copysign(_UNFOUND_SCORE, 1 if is_bad else -1), even + 2 - index
            if words[even] in CLAUSE_ENDS:
                break
        return None

    def _direction(self, words: list[str], index: int) -> _Match | None:
        """Returns the score of a bad thing and its direction (噪音有点大, 价格不高), and the number of their words."""
        if words[index].isascii() and (direction := _direction_before(words, index)):
            return _direction_score(direction, not self._negations.isdisjoint(words[max(0, index - 4) : index])), 1
        degree, is_negated, is_compared, end, last = 1.0, False, False, index + 1, index + 5
        while end < len(words) and end < last:
            word = words[end]
            if word[0] == "不" and word[1:] in DIRECTIONS:  # 不高 is one word
                is_negated, word = not is_negated, word[1:]
            if word in DIRECTIONS:
                score = _direction_score(1 if word in _MUCH else -1, is_negated)
                return score * (1.0 if is_negated else min(degree, 2.0)), end - index + 1
            none = 1 if word in _NONE or word in _UNFOUND else 2 if _is_unfound_pair(words, end) else 0
            if none and not is_negated and _is_end(words, end + none):  # 异味几乎没有, 噪音听不到
                return _NOT_MUCH, end - index + none
            if word == _THAN:  # any words may follow: 价格比实体店低
                is_compared = True
                last += 3
            elif word in self._negations:
                is_negated = True
            elif word in self._degrees:
                degree *= self._degrees[word]
            elif not (word in _FILLERS or (word in _COLONS and end == index + 1)) and (
                not is_compared or word in CLAUSE_ENDS
            ):
                return None
            end += 1
        return None

    def _good_direction(self, words: list[str], index: int) -> _Match | None:
        """Returns the reverse of the direction, if it ends the clause: 质量高, but not 质量小问题."""
        is_english = words[index].isascii()
        match = self._direction(words, index)
        if match is None:
            return None
        score, width = match
        word = words[index - 1] if width == 1 else words[index + width - 1][-1:]
        if not is_english and (word not in _GOOD_DIRECTIONS or not _is_end(words, index + width)):
            return None
        return -score, width


def few_after(words: list[str], index: int) -> int:
    """Returns the number of words that say "few" at a position (毛病很少), or 0. They must end the clause."""
    end = index
    while end < min(index + 2, len(words)) and words[end] in _FEW_FILLERS:
        end += 1
    width = 2 if words[end : end + 2] == ["不", "多"] else int(end < len(words) and words[end] in _FEW)
    return end + width - index if width and _is_end(words, end + width) else 0


def _is_end(words: list[str], index: int) -> bool:
    """Checks whether a clause ends at a position, after at most one particle."""
    if index < len(words) and words[index] in _FEW_AFTER:
        index += 1
    return index >= len(words) or words[index] in CLAUSE_ENDS


def _is_unfound_pair(words: list[str], index: int) -> bool:
    return words[index] in _UNFOUND_VERBS and index + 1 < len(words) and words[index + 1] in _UNFOUND_ENDS


def _direction_score(direction: int, is_negated: bool) -> float:
    if is_negated:
        return _NOT_MUCH if direction > 0 else _NOT_LITTLE
    return _MUCH_SCORE if direction > 0 else _LITTLE_SCORE


def _direction_before(words: list[str], index: int) -> int:
    """Returns 1 for much before an English thing (a lot of noise, high price), -1 for little, or 0."""
    if index and words[index - 1] in _LITTLE:
        return -1
    if index and (words[index - 1] in _MUCH or words[index - 1] == "much"):
        return 1
    return int(index > 1 and words[index - 1] == "of" and words[index - 2] in _AMOUNTS)
