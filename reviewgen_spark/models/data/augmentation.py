"""Augments training texts by synonyms, swaps, deletions and mixup, for training with few labels.

Negations, degree words and sentiment words are neither deleted nor moved. No word moves across them, so 不是很好
cannot become 是很不好. A synonym has the polarity and the strength of the word that it replaces.

Source: Wei and Zou (2019), EDA: Easy Data Augmentation Techniques.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.opinions.lexicon import Lexicon
from reviewgen_spark.text.words.word_lists import read_lines

_CLAUSE_ENDS = frozenset("，。！？；：、…,.!?;:~～ \n")


class Augmenter:
    """Augments texts by the configured methods, with the word lists of a folder."""

    def __init__(self, methods: Sequence[str], rate: float, dictionaries: Path) -> None:
        """Reads the word lists.

        Args:
            methods: some of `synonym`, `swap`, `delete`; one is drawn for each text.
            rate: the share of the words that are changed, but at least one word.
            dictionaries: the folder of word lists.

        Raises:
            ConfigError: a list is missing, or a line of synonyms has only one word.
        """
        import rjieba

        self._cut: Callable[[str], list[str]] = rjieba.Jieba().cut
        self._rate = rate
        known: dict[str, Callable[[list[str], np.random.Generator], list[str]]] = {
            "synonym": self._replace,
            "swap": self._swap,
            "delete": self._delete,
        }
        self._methods = [known[name] for name in methods]
        lexicon = Lexicon(dictionaries)
        self._fixed = frozenset(lexicon.scores) | frozenset(lexicon.degrees) | lexicon.negations
        self._synonyms = read_synonyms(dictionaries / "synonyms.txt")

    def augment(self, text: str, rng: np.random.Generator) -> str:
        """Returns a variant of the text, or the text if nothing may change. Equal generators give equal variants."""
        method = self._methods[int(rng.integers(len(self._methods)))]
        return "".join(method(list(self._cut(text)), rng)) or text

    def is_fixed(self, word: str) -> bool:
        """Returns whether a word must not move, because it carries sentiment or ends a clause."""
        lower = word.lower()
        return lower in self._fixed or lower in _CLAUSE_ENDS or any(lower.startswith(mark) for mark in ("不", "没"))

    def _replace(self, words: list[str], rng: np.random.Generator) -> list[str]:
        indices = [index for index, word in enumerate(words) if word.lower() in self._synonyms]
        for index in self._choose(indices, len(words), rng):
            others = self._synonyms[words[index].lower()]
            words[index] = others[int(rng.integers(len(others)))]
        return words

    def _swap(self, words: list[str], rng: np.random.Generator) -> list[str]:
        free = [not self.is_fixed(word) for word in words]
        indices = [index for index in range(len(words) - 1) if free[index] and free[index + 1]]
        for index in self._choose(indices, len(words), rng):
            words[index], words[index + 1] = words[index + 1], words[index]
        return words

    def _delete(self, words: list[str], rng: np.random.Generator) -> list[str]:
        indices = [index for index, word in enumerate(words) if not self.is_fixed(word)]
        deleted = set(self._choose(indices, len(words), rng)) if len(words) > 1 else set()
        return [word for index, word in enumerate(words) if index not in deleted]

    def _choose(self, indices: list[int], words: int, rng: np.random.Generator) -> list[int]:
        count = min(len(indices), max(1, round(self._rate * words)))
        chosen: list[int] = rng.permutation(indices)[:count].tolist() if count else []
        return chosen


def read_synonyms(path: Path) -> dict[str, list[str]]:
    """Reads the synonyms of each word; a word may be in several groups.

    Raises:
        ConfigError: the file is missing or not UTF-8, or a line has only one word.
    """
    synonyms: dict[str, list[str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        group = line.split()
        if len(group) < 2:
            raise ConfigError(f"{path.name}: entry {number}: expected two words or more, got {len(group)}")
        for word in group:
            synonyms.setdefault(word, []).extend(other for other in group if other != word)
    return synonyms


def mix_embeddings(embeddings: Any, mask: Any, share: float, order: Any) -> tuple[Any, Any]:
    """Mixes the input embeddings of each text with those of another text.

    Source: Zhang et al. (2018), mixup; on word embeddings: Guo et al. (2019), Augmenting Data with Mixup for Sentence
    Classification.

    Args:
        embeddings: (B, T, C) input embeddings.
        mask: (B, T), 1 on tokens.
        share: the share of the text itself; the rest is the share of the other text.
        order: (B,) the index of the other text.

    Returns:
        The mixed embeddings (B, T, C), and a mask (B, T) that covers both texts.
    """
    masked = embeddings * mask[..., None]
    return share * masked + (1 - share) * masked[order], mask | mask[order]
