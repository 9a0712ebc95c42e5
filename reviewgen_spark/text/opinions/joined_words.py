"""Splits tokens that join a degree or a thing with an opinion, such as 很正, 太慢 and 价格便宜.

jieba has many of them in its dictionary, and the list of scores cannot have all. A joined word that is an entry itself
is not split.
"""

from collections.abc import Container, Iterable, Mapping

from reviewgen_spark.text.opinions.phrase_rules import BAD_THINGS, DIRECTIONS, GOOD_THINGS
from reviewgen_spark.text.words.word_lists import word_set

_LEAST_PRAISE, _LEAST_BLAME = 0.4, -0.3  # of the second part: 最高, 较近 and 更强 are no opinion
_DEGREES = word_set(
    "很 太 挺 最 超 更 较 蛮 极 真 就 还 也 都 零 比较 非常 特别 相当 越来越 有点 十分 极其 更为 绝对 完全 确实"
)
_THINGS = (
    BAD_THINGS
    | GOOD_THINGS
    | word_set(
        "速度 网速 服务 环境 味道 口味 设备 内容 文笔 情节 系统 操作 效果 疗效 屏幕 画面 音质 声音 材质 面料 做工 "
        "包装 物流 发货 反应 态度 外观 颜色 信号 温度 空气 布局 功能 携带 使用 安装 手感 语言 物流速度 反应速度 "
        "服务态度"
    )
)
# Words whose parts mean something else.
_WHOLE = word_set("真正 真切 真假 真凶 零碎 零次 零修 更正 较正 还俗 蛮干 极顶 超自然 太祝 就近 最近 太太 最小 极小")


class JoinedWords:
    """Splits joined words by the entries of a lexicon.

    Args:
        scores: The scores of its words.
        known: Its words and their beginnings, which are not split.
    """

    def __init__(self, scores: Mapping[str, float], known: Container[str]) -> None:
        self._scores = scores
        self._known = known

    def split(self, words: Iterable[str]) -> list[str]:
        """Returns the words, with each joined word as its two parts.

        >>> JoinedWords({"便宜": 0.5, "正": 0.7}, {"便宜"}).split(["价格便宜", "很正", "真正", "很行"])
        ['价格', '便宜', '很', '正', '真正', '很行']
        """
        parts: list[str] = []
        for word in words:
            start = self._first_part(word) if 1 < len(word) < 8 and not word.isascii() else 0
            parts += (word[:start], word[start:]) if start else (word,)
        return parts

    def _first_part(self, word: str) -> int:
        """Returns the length of the first part of a joined word, or 0."""
        if word in self._known or word in _WHOLE:
            return 0
        for length in range(len(word) - 1, 0, -1):
            head, tail = word[:length], word[length:]
            if head in _DEGREES and not _LEAST_BLAME < self._scores.get(tail, 0.0) < _LEAST_PRAISE:
                return length
            if head in _THINGS and (
                tail in DIRECTIONS or tail == "比" or (tail in self._scores and (len(tail) > 1 or tail in "好差贵"))
            ):
                return length
        return 0
