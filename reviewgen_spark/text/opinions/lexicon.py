"""Scores the sentiment of Chinese and English texts by word lists with negation and degree, without a model.

The score of a sentiment word is multiplied by the degree word before it (很好). An odd number of negations in the same
clause reverses its sign (不好, 不是很好). The part after 但是 has no extra weight, because extra weight lowered the
accuracy.

Sources of the rules:

- Taboada et al. 2011, "Lexicon-based methods for sentiment analysis": a negation shifts a score and does not mirror it,
  intensifiers multiply.
- Hutto and Gilbert 2014, VADER: scaling to -1 to 1.

The lists are this project's own.
"""

from math import sqrt
from pathlib import Path
from typing import NamedTuple

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.words.word_lists import read_lines, read_words

_CLAUSE_ENDS = frozenset("，。！？；：、…,.!?;:~～ \n")
_NEVER = frozenset(["从来", "从", "从来没有", "从没", "从未", "never"])
_SO = frozenset(["这么", "如此", "这样", "那么", "so", "such"])

_PHRASE = 5  # tokens that an entry of the list may have
_WINDOW = 4  # tokens before a sentiment word in which negations and degrees apply

# Tuned for accuracy on the train half of online_shopping_10_cats. docs/experiments.md lists what was tried.
_NEGATED = -0.5  # a negated word is weaker than its opposite
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
        # All proper prefixes of entries, such as 再也 of 再也不会. Tokens are joined only while the result is a prefix.
        self._beginnings = frozenset(word[:end] for word in self.scores for end in range(1, len(word)))

    def score(self, tokens: list[str]) -> float:
        """Returns how positive the tokens are, -1 to 1. The score is 0.0 if no word is in the lists."""
        return self.judge(tokens).score

    def judge(self, tokens: list[str]) -> LexiconScore:
        """Returns the score and the number of sentiment words."""
        total, matches, clause_start, index = 0.0, 0, 0, 0
        while index < len(tokens):
            token = tokens[index]
            value, width = self._longest(tokens, index) if self._may_begin(token) else (0.0, 0)
            if width:
                total += value * self._context(tokens[max(clause_start, index - _WINDOW) : index])
                matches += 1
            if token in _CLAUSE_ENDS:
                clause_start = index + 1
            index += width or 1
        return LexiconScore(total / sqrt(total * total + _SQUASH), matches)

    def _may_begin(self, token: str) -> bool:
        word = token.lower() if token.isascii() else token
        return word in self.scores or word in self._beginnings

    def _longest(self, tokens: list[str], index: int) -> tuple[float, int]:
        """Returns the score of the longest entry that starts at a token, and its number of tokens."""
        joined, longest = "", (0.0, 0)
        for width, token in enumerate(tokens[index : index + _PHRASE], start=1):
            joined += token.lower() if token.isascii() else token
            value = self.scores.get(joined)
            if value is not None:
                longest = (value, width)
            if joined not in self._beginnings:
                break
        return longest

    def _context(self, before: list[str]) -> float:
        """Returns the factor of the negations and degrees before a sentiment word."""
        degree, negations, degree_after_negation = 1.0, 0, False
        for token in before:
            word = token.lower()
            if word in self.negations:
                negations += 1
                degree_after_negation = word in self.degrees
            elif word in self.degrees:
                degree *= self.degrees[word]
                degree_after_negation = negations > 0
        if negations and not _NEVER.isdisjoint(before) and not _SO.isdisjoint(before):
            return degree  # 从来没有这么好: "never so good" means very good
        if negations % 2:
            return _WEAKENED_NEGATION if degree_after_negation else _NEGATED * degree
        return min(degree, 3.0)


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
