"""Measures a set of texts: diversity, similarity to real texts, share of copied characters.

No figure measures quality; each detects one fault. The figures of a set of texts are compared with those of the same
number of real texts, never with an ideal value.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reviewgen_spark.models.evaluation.baselines import fit_tfidf_logistic
from reviewgen_spark.models.generator.ngram_baseline import NgramModel

COPIED_RUN = 10  # characters: shorter runs are common phrases
BLEU_ORDER = 4
FOLDS = 5


@dataclass(frozen=True)
class TextMetrics:
    """Holds the figures of one set of texts.

    Attributes:
        self_bleu: BLEU-4 of each text against the others, by characters; 1 where all are the same.
        distinct_1: Number of different characters, divided by the number of all characters.
        distinct_2: The same for pairs of characters.
        bits_per_character: Bits under a model of held-out real texts. A value near that of real texts is best. A lower
            value means more uniform texts, a higher value means unlikely language.
        discriminator_accuracy: Accuracy of a classifier of these and real texts, on unseen texts; 0.5 is best.
        copied_share: Share of characters in runs of `COPIED_RUN` that the training texts have too.
        mean_characters: Mean length.
    """

    self_bleu: float
    distinct_1: float
    distinct_2: float
    bits_per_character: float
    discriminator_accuracy: float
    copied_share: float
    mean_characters: float


def measure_texts(
    texts: Sequence[str], training: "CharacterRunIndex", judge: NgramModel, real: Sequence[str], seed: int
) -> TextMetrics:
    """Computes all figures of some texts.

    Args:
        texts: generated texts, or real texts as the reference.
        training: index of the training texts of the generator.
        judge: a language model of real texts that the generator has not seen.
        real: as many real texts for the discriminator; neither in `training` nor in `judge`.
        seed: seed of the folds.
    """
    return TextMetrics(
        self_bleu=self_bleu(texts),
        distinct_1=distinct(texts, 1),
        distinct_2=distinct(texts, 2),
        bits_per_character=judge.bits_per_character(texts),
        discriminator_accuracy=discriminator_accuracy(texts, real, seed),
        copied_share=training.share(texts),
        mean_characters=float(np.mean([len(text) for text in texts])) if texts else 0.0,
    )


def distinct(texts: Sequence[str], n: int) -> float:
    """Returns the number of different n-grams of characters, divided by the number of all (Li et al. 2016).

    It falls with the number of texts.

    >>> distinct(["很好很好"], 2)
    0.6666666666666666
    """
    grams = [text[start : start + n] for text in texts for start in range(len(text) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def self_bleu(texts: Sequence[str], order: int = BLEU_ORDER) -> float:
    """Returns the mean BLEU of each text against all others (Zhu et al. 2018, Texygen), by characters.

    A count of 0 is replaced by 0.1 (Chen and Cherry 2014, method 1), because short texts would often have BLEU 0.
    """
    if len(texts) < 2:
        return 0.0
    grams = [[_count_grams(text, n) for text in texts] for n in range(1, order + 1)]
    highest = [_two_highest(counters) for counters in grams]
    lengths = sorted(len(text) for text in texts)
    scores = [_bleu(index, texts[index], grams, highest, lengths) for index in range(len(texts))]
    return float(np.mean(scores))


def _count_grams(text: str, n: int) -> Counter[str]:
    return Counter(text[start : start + n] for start in range(len(text) - n + 1))


def _two_highest(counters: Sequence[Counter[str]]) -> dict[str, tuple[int, int, int]]:
    """Returns for each n-gram the highest count in a text, that text, and the highest count in any other."""
    highest: dict[str, tuple[int, int, int]] = {}
    for index, counter in enumerate(counters):
        for gram, count in counter.items():
            most, holder, second = highest.get(gram, (0, -1, 0))
            highest[gram] = (count, index, most) if count > most else (most, holder, max(second, count))
    return highest


def _bleu(
    index: int,
    text: str,
    grams: Sequence[Sequence[Counter[str]]],
    highest: Sequence[dict[str, tuple[int, int, int]]],
    lengths: Sequence[int],
) -> float:
    logs: list[float] = []
    for counters, most in zip(grams, highest, strict=True):
        text_grams = counters[index]
        if not text_grams:
            break  # shorter than n
        matched = 0
        for gram, count in text_grams.items():
            first, holder, second = most[gram]
            matched += min(count, second if holder == index else first)
        logs.append(math.log((matched or 0.1) / sum(text_grams.values())))
    if not logs:
        return 0.0
    position = int(np.searchsorted(lengths, len(text)))
    # The candidates for the closest length of another text. The length of this text is left out once.
    others = [*lengths[max(0, position - 1) : position], *lengths[position + 1 : position + 2]]
    closest = min(others, key=lambda length: (abs(length - len(text)), length))
    brevity = 1.0 if len(text) >= closest else math.exp(1 - closest / len(text))
    return brevity * math.exp(sum(logs) / len(logs))


def discriminator_accuracy(texts: Sequence[str], real: Sequence[str], seed: int) -> float:
    """Returns the cross-validated accuracy of logistic regression on character n-grams, texts against real texts.

    Both sets are cut to the size of the smaller one, so chance is 0.5.
    """
    count = min(len(texts), len(real))
    if count < FOLDS:
        return math.nan
    all_texts = np.asarray([*texts[:count], *real[:count]], dtype=object)
    labels = np.repeat([0, 1], count)
    fold = np.random.default_rng(seed).permutation(2 * count) % FOLDS
    right = 0
    for number in range(FOLDS):
        scorer = fit_tfidf_logistic(all_texts[fold != number].tolist(), labels[fold != number], seed)
        right += int(((scorer(all_texts[fold == number].tolist()) >= 0.5) == labels[fold == number]).sum())
    return right / (2 * count)


class CharacterRunIndex:
    """Keeps each run of `COPIED_RUN` characters of some texts as a hash: 8 bytes per run."""

    def __init__(self, texts: Sequence[str], run: int = COPIED_RUN) -> None:
        """Hashes each run of `run` characters."""
        self.run = run
        runs = [self._hash(text) for text in texts if len(text) >= run]
        self._run_hashes = np.unique(np.concatenate(runs)) if runs else np.zeros(0, dtype=np.uint64)

    def share(self, texts: Sequence[str]) -> float:
        """Returns the share of all characters of the texts that are in a run of the index."""
        copied, characters = 0, 0
        for text in texts:
            characters += len(text)
            if len(text) < self.run or not len(self._run_hashes):
                continue
            hashes = self._hash(text)
            positions = np.minimum(np.searchsorted(self._run_hashes, hashes), len(self._run_hashes) - 1)
            starts = np.flatnonzero(self._run_hashes[positions] == hashes)
            covered = np.zeros(len(text), dtype=bool)
            for start in starts.tolist():
                covered[start : start + self.run] = True
            copied += int(covered.sum())
        return copied / characters if characters else 0.0

    def _hash(self, text: str) -> npt.NDArray[np.uint64]:
        """Returns (characters - run + 1,) polynomial hashes modulo 2^64.

        The factor is odd, so no power of it is 0 and each character counts.
        """
        codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.uint64)
        windows = np.lib.stride_tricks.sliding_window_view(codes, self.run)  # (runs, run)
        factors = np.array([pow(0x9E3779B97F4A7C15, exponent, 2**64) for exponent in range(self.run)], dtype=np.uint64)
        return np.asarray((windows * factors).sum(axis=1, dtype=np.uint64))
