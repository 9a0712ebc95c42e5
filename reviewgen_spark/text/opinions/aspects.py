"""Finds the aspects of a product in sentences, and whether each is praised or criticised, without a model.

The opinion on an aspect comes from the opinion words in its clause. Source: Hu and Liu 2004, "Mining and summarizing
customer reviews". Aspects come from a list of this project and from the product's keywords.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reviewgen_spark.config import TokensSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.opinions.lexicon import Lexicon
from reviewgen_spark.text.words.sentences import cut_clauses
from reviewgen_spark.text.words.tokeniser import Tokeniser
from reviewgen_spark.text.words.word_lists import read_lines, read_words

_PHRASE = 5  # tokens that an entry of the list may have
LEAST_SCORE = 0.15
"""The least absolute score of praise or criticism. It equals the default of weak_labels.lexicon_min_score."""


class Aspect(NamedTuple):
    """Holds an aspect of a product, and its name in each language."""

    code: str
    zh: str
    en: str


class SentenceOpinion(NamedTuple):
    """Holds the opinion of a sentence: its score, and a score for each aspect.

    Attributes:
        tokens: Words and marks, in lower case.
        content_words: Words without stop words.
        score: How positive the sentence is, -1 to 1. It is 0 if no word is in the lists.
        aspects: The score of each aspect in the sentence, by code.
        personal_count: Number of tokens by which writers refer to themselves or their families, such as I or my.
    """

    tokens: list[str]
    content_words: list[str]
    score: float
    aspects: dict[str, float]
    personal_count: int


class OpinionReader:
    """Reads the opinions of sentences by the word lists of a folder. A worker creates it once.

    Args:
        section: The `tokens` section.
        dictionaries: Folder with the lists of `Lexicon` and `Tokeniser`, aspects.tsv and personal.txt.

    Raises:
        ConfigError: A list is missing or malformed.
    """

    def __init__(self, section: TokensSection, dictionaries: Path) -> None:
        self.tokeniser = Tokeniser(section, dictionaries)
        self.lexicon = Lexicon(dictionaries)
        self.aspects, self._entries = read_aspects(dictionaries / "aspects.tsv")
        self._beginnings = frozenset(word[:end] for word in self._entries for end in range(1, len(word)))
        self.personal = read_words(dictionaries / "personal.txt")

    def read(self, sentence: str, keywords: frozenset[str] = frozenset()) -> SentenceOpinion:
        """Reads the opinion of a sentence. Each of `keywords` is an aspect too.

        An aspect in a clause without an opinion (屏幕嘛，很清楚) has the opinion of the next clause. This does not
        apply if the next clause has an aspect itself, unless the first one is a label (外观：颜色漂亮).
        """
        tokens: list[str] = []
        content: list[str] = []
        aspects: dict[str, float] = {}
        pending: list[str] = []
        is_label = False
        label = ""
        for clause in cut_clauses(sentence):
            words = self.tokeniser.words(clause)
            lowered = [token.lower() for token in words.tokens]
            clause_aspects = self._aspects_in(lowered, keywords)
            ends_as_label = clause[-1] in ":："
            is_bare_label = ends_as_label and len(words.tokens) == 2
            # A bare label has no opinion of its own, but the direction behind it needs it: 噪音：小.
            score = 0.0 if is_bare_label else self.lexicon.score_behind(label, words.tokens)
            own = clause_aspects
            if pending and (not own or (is_label and not ends_as_label)):
                own = list(dict.fromkeys(pending + own))
            for code in own:
                aspects[code] = aspects.get(code, 0.0) + score
            is_label = ends_as_label
            label = lowered[0] if is_bare_label else ""
            pending = clause_aspects if is_label or abs(score) < LEAST_SCORE else []
            tokens += lowered
            content += words.content_words
        personal = sum(token in self.personal for token in tokens)
        return SentenceOpinion(tokens, content, self.lexicon.score(tokens), aspects, personal)

    def name(self, code: str, language: str) -> str:
        """Returns the name of an aspect in a language, `en` or a Chinese one. A keyword is its own name."""
        aspect = self.aspects.get(code)
        if aspect is None:
            return code
        return aspect.en if language == "en" else aspect.zh

    def keywords(self, ranked: Iterable[str], most: int) -> frozenset[str]:
        """Returns the first keywords that can be aspects, at most `most`.

        Numbers, very short words and words of the lists cannot: opinions, degrees, negations, aspects, personal words.
        """
        known = (self.lexicon.scores, self.lexicon.degrees, self.lexicon.negations, self.personal, self._entries)
        candidates: list[str] = []
        for word in ranked:
            is_long = len(word) >= (3 if word.isascii() else 2)
            if is_long and not word.isdigit() and not any(word in words for words in known):
                candidates.append(word)
        return frozenset(candidates[:most])

    def _aspects_in(self, tokens: Sequence[str], keywords: frozenset[str]) -> list[str]:
        """Returns the aspects in lower-case tokens, each once, in order. The longest entry that matches is used."""
        aspects: dict[str, None] = {}
        index = 0
        while index < len(tokens):
            code, width = self._longest(tokens, index)
            if not code and tokens[index] in keywords:
                code = tokens[index]
            if code:
                aspects[code] = None
            index += width
        return list(aspects)

    def _longest(self, tokens: Sequence[str], index: int) -> tuple[str, int]:
        joined, longest = "", ("", 1)
        for width, token in enumerate(tokens[index : index + _PHRASE], start=1):
            joined += token
            code = self._entries.get(joined) or (self._entries.get(joined[:-1]) if _is_plural(joined) else None)
            if code:
                longest = (code, width)
            if joined not in self._beginnings:
                break
        if not longest[0] and len(tokens[index]) > 2 and not tokens[index].isascii():
            # 性价比高 is one token and no entry, but it starts with the entry 性价比.
            heads = (tokens[index][:end] for end in range(len(tokens[index]) - 1, 1, -1))
            longest = (next((self._entries[head] for head in heads if head in self._entries), ""), 1)
        return longest


def read_aspects(path: Path) -> tuple[Mapping[str, Aspect], Mapping[str, str]]:
    """Reads the aspects by code, and the codes by word. Words are lower case without spaces, as joined tokens are.

    Raises:
        ConfigError: The file is missing, a line does not have four fields, or a word has two aspects.
    """
    aspects: dict[str, Aspect] = {}
    entries: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split("\t")
        if len(fields) != 4:
            raise ConfigError(f"{path.name}: entry {number}: got {len(fields)} fields; expected code, zh, en, words")
        code, zh, en, words = fields
        aspects[code] = Aspect(code, zh, en)
        for word in words.split(","):
            entry = "".join(word.lower().split())
            if entries.setdefault(entry, code) != code:
                raise ConfigError(f"{path.name}: entry {number}: {word!r} is already a word of {entries[entry]!r}")
    return aspects, entries


def is_positive(score: float) -> bool:
    """Checks whether a score of `SentenceOpinion` is praise."""
    return score >= LEAST_SCORE


def is_negative(score: float) -> bool:
    """Checks whether a score of `SentenceOpinion` is criticism."""
    return score <= -LEAST_SCORE


def _is_plural(word: str) -> bool:
    return len(word) > 3 and word[-1] == "s" and word.isascii()
