"""Finds the aspects of a product in sentences, and whether each is praised or criticised, without a model.

The opinion on an aspect is that of the opinion words in its clause. Source: Hu and Liu 2004, "Mining and summarizing
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
"""Least absolute score of praise or criticism: the default of weak_labels.lexicon_min_score."""


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
        score: How positive the sentence is, -1 to 1; 0 if no word is in the lists.
        aspects: Scores by code of each aspect in the sentence.
        personal_count: Tokens by which writers refer to themselves.
    """

    tokens: list[str]
    content_words: list[str]
    score: float
    aspects: dict[str, float]
    personal_count: int


class OpinionReader:
    """Reads the opinions of sentences by the word lists of a folder. Create it once a worker.

    Args:
        section: How sentences are split into words.
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

        An aspect in a clause without an opinion (屏幕嘛，很清楚) has the opinion of the next clause, unless that clause
        names an aspect itself.
        """
        tokens: list[str] = []
        content: list[str] = []
        aspects: dict[str, float] = {}
        waiting: list[str] = []
        for clause in cut_clauses(sentence):
            words = self.tokeniser.words(clause)
            lowered = [token.lower() for token in words.tokens]
            named, score = self._named(lowered, keywords), self.lexicon.score(words.tokens)
            for code in named or waiting:
                aspects[code] = aspects.get(code, 0.0) + score
            waiting = named if not score else []
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
        """Returns the first keywords that can be aspects: no opinion, degree, negation or listed aspect."""
        known = (self.lexicon.scores, self.lexicon.degrees, self.lexicon.negations, self.personal, self._entries)
        found: list[str] = []
        for word in ranked:
            is_long = len(word) >= (3 if word.isascii() else 2)
            if is_long and not word.isdigit() and not any(word in words for words in known):
                found.append(word)
        return frozenset(found[:most])

    def _named(self, tokens: Sequence[str], keywords: frozenset[str]) -> list[str]:
        """Returns the aspects in lower-case tokens, each once, in order. The longest entry is taken."""
        found: dict[str, None] = {}
        place = 0
        while place < len(tokens):
            code, width = self._longest(tokens, place)
            if not code and tokens[place] in keywords:
                code = tokens[place]
            if code:
                found[code] = None
            place += width
        return list(found)

    def _longest(self, tokens: Sequence[str], place: int) -> tuple[str, int]:
        joined, found = "", ("", 1)
        for width, token in enumerate(tokens[place : place + _PHRASE], start=1):
            joined += token
            code = self._entries.get(joined) or (self._entries.get(joined[:-1]) if _is_plural(joined) else None)
            if code:
                found = (code, width)
            if joined not in self._beginnings:
                break
        if not found[0] and len(tokens[place]) > 2 and not tokens[place].isascii():
            # 性价比高 is one word of the dictionary, with the aspect 性价比
            heads = (tokens[place][:end] for end in range(len(tokens[place]) - 1, 1, -1))
            found = (next((self._entries[head] for head in heads if head in self._entries), ""), 1)
        return found


def read_aspects(path: Path) -> tuple[Mapping[str, Aspect], Mapping[str, str]]:
    """Reads aspects by code, and codes by word. Words are lower case without spaces, like joined tokens.

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
