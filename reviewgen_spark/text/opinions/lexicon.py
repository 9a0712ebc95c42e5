"""Scores the sentiment of Chinese and English texts by word lists with negation and degree, without a model.

The score of a sentiment word is multiplied by the degree word before it (很好). An odd number of negations in the same
clause reverses its sign (不好, 不是很好). The part after 但是 has no extra weight, because extra weight lowered the
accuracy. These rules precede the lists:

- Phrases whose structure has the opinion: 色差小, 毛病少, 挑不出毛病, 一点诚意都没有 (`phrase_rules.py`).
- Tokens that join two words are split: 价格便宜, 太慢 (`joined_words.py`).
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
from reviewgen_spark.text.opinions.joined_words import JoinedWords
from reviewgen_spark.text.opinions.phrase_rules import (
    AT_ALL,
    CLAUSE_ENDS,
    FEW_BAD,
    FEW_GOOD,
    ONLY_FREQUENT,
    RULE_WORDS,
    PhraseRules,
    few_after,
)
from reviewgen_spark.text.words.word_lists import read_lines, read_words

_NEVER = frozenset(["从来", "从", "从来没有", "从没", "从未", "never"])
_SO = frozenset(["这么", "如此", "这样", "那么", "so", "such"])
# spaCy splits dont into do and nt. The others are frequent typing errors.
_NOT_FORMS = dict.fromkeys(
    (
        "n’t",
        "nt",
        "dosent",
        "dosen't",
        "doesen't",
        "does'nt",
        "do'nt",
        "did'nt",
        "is'nt",
        "was'nt",
        "would'nt",
        "could'nt",
    ),
    "n't",
)
_ZERO = frozenset(["零", "0", "zero"])  # a negation directly before a word: 零差评
_BUT = frozenset(["but", "however", "although", "though", "但", "但是", "不过", "可是", "而且"])
_THEN = frozenset(["就", "便"])
_SOON = re.compile(
    "[一二两三四五六七八九十半几0-9]+(?:个|多)?(?:天|次|周|月|年|回|小时|分钟|下|星期|礼拜)|多久|多长时间|一会儿?"
)
_CAN = frozenset(["could", "can", "ca"])
_BE = frozenset(["be", "been", "get", "have"])
_MORE = frozenset(["more", "any"])

_PHRASE = 6  # tokens that an entry of the list may have
_WINDOW = 4  # tokens before a sentiment word in which negations and degrees apply
_LIMIT_WINDOW = 6  # the same for couldn't be any more pleased

# Tuned for accuracy on the train half of online_shopping_10_cats. docs/experiments.md lists what was tried.
_NEGATED_PRAISE = -0.7  # a negated word is weaker than its opposite
_NEGATED_BLAME = -0.5
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
        self._rules = PhraseRules(self.negations, self.degrees, self._longest)
        self._joined = JoinedWords(self.scores, self._first_words)

    def score(self, tokens: Sequence[str]) -> float:
        """Returns how positive the tokens are, -1 to 1. The score is 0.0 if no word is in the lists."""
        return self.judge(tokens).score

    def score_behind(self, label: str, tokens: Sequence[str]) -> float:
        """Returns the score of the tokens behind a label. The label counts if they are its direction: 噪音：小."""
        is_direction = label in RULE_WORDS and self._rules.read([label, *map(str.lower, tokens)], 0)
        return self.score([label, *tokens] if is_direction else tokens)

    def judge(self, tokens: Sequence[str]) -> LexiconScore:
        """Returns the score and the number of sentiment words."""
        words = self._joined.split([_NOT_FORMS.get(word, word) for word in map(str.lower, tokens)])
        total, matches, start, index = 0.0, 0, 0, 0
        while index < len(words):
            word = words[index]
            rule = self._rules.read(words, index) if word in RULE_WORDS else None
            if rule:
                total += rule[0]
                matches += 1
                index += rule[1]
                start = index
                continue
            value, width = self._longest(words, index) if word in self._first_words else (0.0, 0)
            if self._is_only_context(words, index, width):
                value = 0.0
            if value:
                few = few_after(words, index + width) if len(word) > 1 and abs(value) > ONLY_FREQUENT else 0
                if few:
                    total += FEW_BAD if value < 0 else FEW_GOOD
                else:
                    total += value * self._context(words[max(start, index - _LIMIT_WINDOW) : index], word, value)
                width += few
                matches += 1
            if (
                word in CLAUSE_ENDS or word in _BUT or width > 1
            ):  # the negation of an entry (没有问题) does not apply after it
                start = index + (width or 1)
            index += width or 1
        return LexiconScore(total / sqrt(total * total + _SQUASH), matches)

    def _is_only_context(self, words: list[str], index: int, width: int) -> bool:
        """Checks whether an entry only negates or strengthens the bad word behind it: 不会起球, 味道好难闻."""
        end = index + width
        if end >= len(words) or self.scores.get(words[end], 0.0) >= -ONLY_FREQUENT:
            return False
        if width == 1:
            return words[index] in self.negations
        return words[end - 1] == "好" and (len(words[end]) == 1 or words[end][0] == "难")  # not: 效果很好泡沫多

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
                if negations and token in AT_ALL:  # 没有一点优点
                    continue
                degree *= self.degrees[token]
                degree_after_negation = negations > 0
        if before and before[-1] in _ZERO:
            negations += 1
        if not negations:
            return min(degree, 3.0)
        if not _NEVER.isdisjoint(before) and not _SO.isdisjoint(before):
            return degree  # 从来没有这么好: "never so good" means very good
        if (not _CAN.isdisjoint(clause) or "never" in before) and _is_limit(before, word):
            return 1.6
        if negations % 2:
            if degree_after_negation:
                return min(_WEAKENED_NEGATION, -_ABSENT / value) if value > ONLY_FREQUENT else _WEAKENED_NEGATION
            if value > 0:
                return _NEGATED_PRAISE * degree
            return min(_NEGATED_BLAME * degree, _ABSENT / value if value < -ONLY_FREQUENT else 0.0)
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
