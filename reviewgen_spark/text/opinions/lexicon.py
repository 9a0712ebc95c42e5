"""Scores the sentiment of Chinese and English texts by word lists with negation and degree, without a model.

The score of a sentiment word is multiplied by the degree word before it (很好). An odd number of negations in the same
clause reverses its sign (不好, 不是很好). The part after 但是 has no extra weight, because extra weight lowered the
accuracy. These rules precede the lists:

- Little of something bad is praise, much of it is criticism: 色差小, 噪音很大, 价格不高, low price.
- What cannot be found is reversed: 挑不出毛病, 闻不到异味.
- A negation before 就 does not apply to the words after it: 没过一周就掉色了.
- What could not be better is praise, what could not be worse is criticism.

Sources of the rules:

- Taboada et al. 2011, "Lexicon-based methods for sentiment analysis": a negation shifts a score and does not mirror it,
  intensifiers multiply.
- Hutto and Gilbert 2014, VADER: scaling to -1 to 1.

The lists are this project's own.
"""

import re
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.words.word_lists import read_lines, read_words, word_set

_CLAUSE_ENDS = frozenset("，。！？；：、…,.!?;:~～ \n")
_NEVER = frozenset(["从来", "从", "从来没有", "从没", "从未", "never"])
_SO = frozenset(["这么", "如此", "这样", "那么", "so", "such"])
_NOT_FORMS = {"n’t": "n't", "nt": "n't"}  # spaCy splits dont into do and nt
_NOTHING = frozenset(["毫无", "全无"])
_ZERO = frozenset(["零", "0", "zero"])  # a negation directly before a word: 零差评
_BUT = frozenset(["but", "however", "although", "though", "但", "但是", "不过", "可是", "而且"])
_THEN = frozenset(["就", "便"])
_SOON = re.compile(
    "[一二两三四五六七八九十半几0-9]+(?:个|多)?(?:天|次|周|月|年|回|小时|分钟|下|星期|礼拜)|多久|多长时间|一会儿?"
)
_CAN = frozenset(["could", "can", "ca"])
_BE = frozenset(["be", "been", "get", "have"])
_MORE = frozenset(["more", "any"])

# Things that are bad if there is much of them. Their direction decides, not their own score.
_BAD_THINGS = word_set(
    "噪音 噪声 杂音 异味 气味 怪味 臭味 甲醛味 霉味 烟味 塑料味 色差 误差 偏差 差价 瑕疵 故障 故障率 返修率 "
    "差评率 阻力 压力 油烟 油耗 能耗 功耗 耗电 耗电量 用电量 费用 价格 价钱 价位 售价 房价 票价 单价 运费 "
    "邮费 成本 发热 发热量 辐射 震动 振动 震感 抖动 延迟 延时 时延 损耗 磨损 划痕 刺激 刺激性 副作用 伤害 "
    "毛刺 线头 灰尘 浮毛 掉毛 静电 异响 风噪 胎噪 底噪 电流声 缝隙 风险 难度 干扰 污染 漏光 压迫感 磨脚 "
    "price prices pricing cost costs noise"
)
_MUCH = word_set(
    "大 高 重 多 浓 强 严重 明显 偏高 偏大 偏重 偏贵 太大 太高 太重 太多 过高 过大 过重 很大 很高 很重 很多 "
    "很浓 超大 high loud"
)
_LITTLE = word_set(
    "小 低 轻 少 弱 淡 轻微 偏低 偏小 很小 很低 很少 很轻 很淡 超低 超小 较低 较小 极低 极小 low little minimal"
)
_FILLERS = word_set(
    "是 也 有 会 的 得 相对 偏 略 还 就 都 又 真 is are was were a an the 确实 真的 控制 算 比 要 几乎 基本"
)
_NONE = frozenset(["没有", "没"])
_MUCH_SCORE, _LITTLE_SCORE, _NOT_MUCH, _NOT_LITTLE = -0.6, 0.6, 0.5, -0.5

# What one looks for: 挑不出, or 闻 and 不到.
_UNFOUND_VERBS = word_set("闻 挑 看 找 听 尝 摸 查 嗅 挑剔 感觉 察觉 发现 感受 体会")
_UNFOUND_ENDS = word_set("不到 不出 不出来 不见 不着 不了")
_UNFOUND = frozenset(verb + end for verb in _UNFOUND_VERBS for end in _UNFOUND_ENDS)
_UNFOUND_FILLERS = word_set("任何 一点 一丝 丝毫 什么 啥 的 有 有任何 有什么 半点 明显 太大 多少 哪里 一点点 一个 点")
_UNFOUND_SCORE = 0.6

_PHRASE = 6  # tokens that an entry of the list may have
_WINDOW = 4  # tokens before a sentiment word in which negations and degrees apply
_LIMIT_WINDOW = 6  # the same for couldn't be any more pleased

# Tuned for accuracy on the train half of online_shopping_10_cats. docs/experiments.md lists what was tried.
_NEGATED_PRAISE = -0.7  # a negated word is weaker than its opposite
_NEGATED_BLAME = -0.5
_ONLY_FREQUENT = 0.3  # the largest score of a word that is no opinion by itself
_ABSENT = 0.32  # the least score of a negated bad word (没有异味), so that it is praise on its own
_WEAKENED_NEGATION = -0.3  # 不太好, 不是很好
_SQUASH = 4.0  # a larger value keeps scores nearer to 0


class LexiconScore(NamedTuple):
    """Holds a score in [-1, 1] and the number of sentiment words. Without such words callers abstain."""

    score: float
    matches: int


class Lexicon:
    """Scores tokens by the word lists of a folder. A worker loads them once.

    The lists are `sentiment_zh.tsv`, `sentiment_en.tsv`, `negations.txt` and `degrees.tsv`.

    Raises:
        ConfigError: A list is missing, is not UTF-8, or a score is not a number within its range.
    """

    def __init__(self, dictionaries: Path) -> None:
        self.dictionaries = dictionaries
        self.scores = read_scores(dictionaries / "sentiment_en.tsv", low=-1, high=1)
        self.scores |= read_scores(dictionaries / "sentiment_zh.tsv", low=-1, high=1)
        self.degrees = read_scores(dictionaries / "degrees.tsv", low=0, high=3)
        self.negations = read_words(dictionaries / "negations.txt")
        # English entries may have blanks (not only); tokens are joined without them.
        self.scores = {"".join(word.split()): value for word, value in self.scores.items()}
        # All proper prefixes of entries, such as 再也 of 再也不会. Tokens are joined only while the result is a prefix.
        self._beginnings = frozenset(word[:end] for word in self.scores for end in range(1, len(word)))
        self._first_words = self._beginnings.union(self.scores)
        self._rule_words = _BAD_THINGS | _NOTHING | _UNFOUND_VERBS | _UNFOUND

    def score(self, tokens: Sequence[str]) -> float:
        """Returns how positive the tokens are, -1 to 1. The score is 0.0 if no word is in the lists."""
        return self.judge(tokens).score

    def judge(self, tokens: Sequence[str]) -> LexiconScore:
        """Returns the score and the number of sentiment words."""
        words = [_NOT_FORMS.get(word, word) for word in map(str.lower, tokens)]
        total, matches, start, index = 0.0, 0, 0, 0
        while index < len(words):
            word = words[index]
            rule = self._by_rule(words, index) if word in self._rule_words else None
            if rule:
                total += rule[0]
                matches += 1
                index += rule[1]
                start = index
                continue
            value, width = self._longest(words, index) if word in self._first_words else (0.0, 0)
            if value:
                total += value * self._context(words[max(start, index - _LIMIT_WINDOW) : index], word, value)
                matches += 1
            if (
                word in _CLAUSE_ENDS or word in _BUT or width > 1
            ):  # the negation of an entry (没有问题) does not apply after it
                start = index + (width or 1)
            index += width or 1
        return LexiconScore(total / sqrt(total * total + _SQUASH), matches)

    def _longest(self, words: list[str], index: int) -> tuple[float, int]:
        """Returns the score of the longest entry that starts at a word, and its number of words."""
        joined, longest = "", (0.0, 0)
        for width, word in enumerate(words[index : index + _PHRASE], start=1):
            joined += word
            value = self.scores.get(joined)
            if value is not None:
                longest = (value, width)
            if joined not in self._beginnings:
                break
        return longest

    def _by_rule(self, words: list[str], index: int) -> tuple[float, int] | None:
        """Returns the score of the rule that applies at a word, and the number of words that it reads."""
        word = words[index]
        if word in _BAD_THINGS:
            return self._direction(words, index)
        if word in _NOTHING:
            if index + 1 == len(words) or words[index + 1] in _CLAUSE_ENDS or self._longest(words, index)[1] > 1:
                return None
            value, width = self._longest(words, index + 1)
            return (_UNFOUND_SCORE if value < 0 else -_UNFOUND_SCORE), 1 + (width or 1)  # 毫无新意
        width = 1
        if word in _UNFOUND_VERBS:
            if words[index + 1 : index + 2] and words[index + 1] in _UNFOUND_ENDS:
                width = 2
            else:
                return None
        elif word not in _UNFOUND:
            return None
        end = index + width
        while end < min(index + width + 3, len(words)) and words[end] in _UNFOUND_FILLERS:
            end += 1
        value, entry_width = self._longest(words, end) if end < len(words) else (0.0, 0)
        if words[end : end + 1] and words[end] in _BAD_THINGS and value <= 0:  # 感觉不到震动
            return _UNFOUND_SCORE, end - index + max(entry_width, 1)
        if abs(value) <= _ONLY_FREQUENT:  # 找不到客服
            return None
        return (_UNFOUND_SCORE if value < 0 else -_UNFOUND_SCORE), end - index + entry_width

    def _direction(self, words: list[str], index: int) -> tuple[float, int] | None:
        """Returns the score of a bad thing and its direction (噪音有点大, 价格不高), and the number of their words."""
        if index and (words[index - 1] in _MUCH or words[index - 1] in _LITTLE) and words[index].isascii():
            return (_MUCH_SCORE if words[index - 1] in _MUCH else _LITTLE_SCORE), 1  # low price
        degree, is_negated, end = 1.0, False, index + 1
        while end < len(words) and end < index + 5:
            word = words[end]
            if word[0] == "不" and len(word) == 2 and (word[1] in _MUCH or word[1] in _LITTLE):  # 不高 is one word
                is_negated, word = not is_negated, word[1]
            if word in _MUCH or word in _LITTLE:
                if is_negated:
                    return (_NOT_MUCH if word in _MUCH else _NOT_LITTLE), end - index + 1
                return (_MUCH_SCORE if word in _MUCH else _LITTLE_SCORE) * min(degree, 2.0), end - index + 1
            if word in _NONE and (end + 1 == len(words) or words[end + 1] in _CLAUSE_ENDS):  # 异味几乎没有
                return _NOT_MUCH, end - index + 1
            if word in self.negations:
                is_negated = True
            elif word in self.degrees:
                degree *= self.degrees[word]
            elif word not in _FILLERS:
                return None
            end += 1
        return None

    def _context(self, clause: list[str], word: str, value: float) -> float:
        """Returns the factor of the negations and degrees in a clause before a sentiment word."""
        before = clause[-_WINDOW:]
        degree, negations, degree_after_negation = 1.0, 0, False
        for index, token in enumerate(before):
            if token in _THEN:
                degree, negations, degree_after_negation = 1.0, 0, False
            elif token in self.negations:
                if token[0] == "没" and index + 1 < len(before) and _SOON.fullmatch(before[index + 1]):
                    continue  # 没几天坏了
                negations += 1
                degree_after_negation = token in self.degrees
            elif token in self.degrees:
                degree *= self.degrees[token]
                degree_after_negation = negations > 0
        if before and before[-1] in _ZERO:
            negations += 1
        if not negations:
            return min(degree, 3.0)
        if not _NEVER.isdisjoint(before) and not _SO.isdisjoint(before):
            return degree  # 从来没有这么好: "never so good" means very good
        if not _CAN.isdisjoint(clause) and _is_limit(before, word):
            return 1.6
        if negations % 2:
            if degree_after_negation:
                return _WEAKENED_NEGATION
            if value > 0:
                return _NEGATED_PRAISE * degree
            return min(_NEGATED_BLAME * degree, _ABSENT / value if value < -_ONLY_FREQUENT else 0.0)
        return min(degree, 3.0)


def _is_limit(before: list[str], word: str) -> bool:
    """Checks whether the words say that more is impossible: couldn't be better, couldn't be any more pleased."""
    if before[-1] in _MORE:
        return len(before) > 1 and (before[-2] in _BE or before[-2] == "any")
    return before[-1] in _BE and (word.endswith("er") or word == "worse")


def read_scores(path: Path, low: float, high: float) -> dict[str, float]:
    """Reads a table of words and numbers, `word<TAB>number` a line.

    Raises:
        ConfigError: The file is missing or not UTF-8, or a line has no number within the range.
    """
    table: dict[str, float] = {}
    for number, line in enumerate(read_lines(path), start=1):
        word, _, value = line.partition("\t")
        try:
            score = float(value)
        except ValueError as error:
            raise ConfigError(f"{path.name}: entry {number}: expected 'word<TAB>number'") from error
        if not low <= score <= high:
            raise ConfigError(f"{path.name}: entry {number}: got {score}; expected {low} to {high}")
        table[word.strip()] = score
    return table
