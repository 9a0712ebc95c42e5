"""Classifies texts by character n-grams with a linear model: the fast first step of a cascade.

It is fitted to a teacher's log odds and to labels. It answers only if its log odds are so far from 0 that it rarely
differs from the second model. That model reads the other texts (cascades of classifiers: Viola and Jones 2001; Varshney
and Baral 2022). n-grams are hashed (Weinberger et al. 2009), so no vocabulary is stored. A batch of texts takes a few
passes of numpy: some 20,000 reviews a second on one core, against 1,000 of an encoder of three layers.

The file is safetensors, and torch is not needed. Of a text only hashes of its n-grams are used.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reviewgen_spark.errors import ModelNotFoundError

ORDERS = (1, 2, 3)
BITS = 21
BUCKETS = 1 << BITS
MIN_TEXTS = 2  # n-grams of fewer texts are left out
RIDGE = 0.5  # chosen on validation, of 0.5, 1 and 2
CERTAIN = 4.0  # log odds of a gold label; those of the teacher are clipped at MOST
MOST = 6.0
SOFT_SHARE = 0.5  # of a labelled row's target: the teacher's log odds; the rest, its label
ROWS_AT_ONCE = 1024

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NgramSettings:
    """Holds the settings that the file stores with the weights."""

    bias: float
    temperature: float  # its log odds are divided by it, fitted on validation
    threshold: float  # it answers where |log odds|, before the temperature, are at least this; infinite: never
    answered_share: float  # of validation
    disagreement: float  # with the second model, of the rows that this one answers
    format: int = 1


class NgramClassifier:
    """Predicts one of two labels from the characters of a text."""

    def __init__(self, weights: npt.NDArray[np.float32], idf: npt.NDArray[np.float32], settings: NgramSettings) -> None:
        """Takes weights and idf, both (BUCKETS,); a bucket with idf 0 is left out."""
        self._weights, self._idf, self.settings = weights, idf, settings

    def log_odds(self, texts: Sequence[str]) -> Floats:
        """Returns (N,) uncalibrated log odds of the second label; NaN for a text without any known n-gram."""
        rows, buckets, values = weigh(texts, self._idf)
        raw = np.bincount(rows, values * self._weights[buckets], minlength=len(texts))
        norms = np.sqrt(np.bincount(rows, values * values, minlength=len(texts)))
        with np.errstate(invalid="ignore"):  # 0 / 0 for an empty text
            return np.asarray(raw / norms + self.settings.bias)

    def answers(self, texts: Sequence[str]) -> Floats:
        """Returns (N, 2) calibrated probabilities; NaN if the second model has to read the text."""
        odds = self.log_odds(texts)
        is_sure = np.abs(odds) >= self.settings.threshold  # False for NaN
        positive = np.where(is_sure, 1 / (1 + np.exp(-odds / self.settings.temperature)), np.nan)
        return np.stack([1 - positive, positive], axis=1)

    def save(self, file: Path) -> None:
        """Writes the file."""
        from safetensors.numpy import save_file

        metadata = {"settings": json.dumps(asdict(self.settings), sort_keys=True)}
        save_file({"idf": self._idf.astype(np.float16), "weights": self._weights.astype(np.float16)}, file, metadata)


def load_ngram_classifier(file: Path) -> NgramClassifier:
    """Reads a file that `NgramClassifier.save` wrote.

    Raises:
        ModelNotFoundError: there is no such file, or it was written by a later format.
    """
    from safetensors import safe_open

    if not file.is_file():
        raise ModelNotFoundError(f"{file}: no n-gram classifier there; `reviewgen run compress` makes one")
    with safe_open(file, "numpy") as content:
        settings = json.loads(content.metadata()["settings"])
        if settings.get("format") != NgramSettings.format:
            raise ModelNotFoundError(
                f"{file}: format {settings.get('format')!r}, this version reads {NgramSettings.format}; "
                "run `reviewgen run compress` again"
            )
        weights, idf = (content.get_tensor(name).astype(np.float32) for name in ("weights", "idf"))
    return NgramClassifier(weights, idf, NgramSettings(**settings))


def fit_ngram_classifier(
    texts: Sequence[str],
    answers: Floats,
    labels: Ints,
    validation: Sequence[str],
    validation_labels: Ints,
    behind: Ints,
    max_disagreement: float,
) -> NgramClassifier:
    """Fits a classifier by ridge regression on log odds, and its threshold on the second model's labels of validation.

    Needs scikit-learn of the extra `train`.

    Args:
        texts: labelled ones first, then unlabelled.
        answers: (N,) the teacher's log odds of positive.
        labels: (L,) 0 or 1 of the labelled texts, L <= N.
        validation: texts that were not fitted to.
        validation_labels: (V,) 0 or 1; the temperature is fitted to them.
        behind: (V,) the labels of the second model.
        max_disagreement: the largest share of answered validation rows whose label differs from the second model's.
    """
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import Ridge

    from reviewgen_spark.models.evaluation.metrics import fit_temperature

    targets = np.clip(answers, -MOST, MOST)
    hard = np.where(labels == 1, CERTAIN, -CERTAIN)
    targets[: len(labels)] = SOFT_SHARE * targets[: len(labels)] + (1 - SOFT_SHARE) * hard
    idf = inverse_document_frequency(texts)
    rows, buckets, values = weigh(texts, idf)
    norms = np.sqrt(np.bincount(rows, values * values, minlength=len(texts)))
    matrix: Any = csr_matrix((values / norms[rows], (rows, buckets)), shape=(len(texts), BUCKETS))
    ridge = Ridge(alpha=RIDGE, solver="sparse_cg", tol=1e-3, max_iter=60).fit(matrix, targets)
    weights = _as_saved(ridge.coef_)
    plain = NgramClassifier(weights, idf, NgramSettings(float(ridge.intercept_), 1.0, float("inf"), 0.0, 0.0))
    odds = plain.log_odds(validation)
    known = np.isfinite(odds)
    temperature = fit_temperature(odds[known], validation_labels[known]) if known.any() else 1.0
    threshold, share, disagreement = choose_threshold(odds, behind, max_disagreement)
    settings = NgramSettings(float(ridge.intercept_), round(temperature, 6), threshold, share, disagreement)
    return NgramClassifier(weights, idf, settings)


def choose_threshold(odds: Floats, behind: Ints, max_disagreement: float) -> tuple[float, float, float]:
    """Returns the lowest threshold above which at most the given share of labels differs from the other model's.

    Args:
        odds: (V,) log odds; NaN where there are none.
        behind: (V,) the other model's labels.
        max_disagreement: the share.

    Returns:
        The threshold, the share of rows at or above it, and the share of these that differ.

    >>> choose_threshold(np.array([3.0, -2.0, 1.0, 0.5]), np.array([1, 0, 1, 0]), 0.0)
    (1.0, 0.75, 0.0)
    >>> choose_threshold(np.array([3.0]), np.array([0]), 0.5)
    (inf, 0.0, 0.0)
    """
    known = np.flatnonzero(np.isfinite(odds))
    order = known[np.argsort(-np.abs(odds[known]), kind="stable")]
    differs = np.cumsum((odds[order] >= 0).astype(np.int64) != behind[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(differs <= max_disagreement)
    if not len(good):
        return float("inf"), 0.0, 0.0
    last = int(good[-1])
    return float(np.abs(odds[order[last]])), (last + 1) / len(odds), float(differs[last])


def inverse_document_frequency(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Returns the idf (BUCKETS,), smoothed as in scikit-learn; 0 for buckets of fewer than MIN_TEXTS texts."""
    counts = np.zeros(BUCKETS, dtype=np.int64)
    for start in range(0, len(texts), ROWS_AT_ONCE):
        keys = np.unique(hash_ngrams(texts[start : start + ROWS_AT_ONCE]))
        counts += np.bincount(keys & (BUCKETS - 1), minlength=BUCKETS)
    idf = np.log((1 + len(texts)) / (1 + counts)) + 1
    return _as_saved(np.where(counts >= MIN_TEXTS, idf, 0))


def weigh(texts: Sequence[str], idf: npt.NDArray[np.float32]) -> tuple[Ints, Ints, Floats]:
    """Returns the n-grams of texts as a sparse matrix: row, bucket, and (1 + log count) x idf for each pair."""
    parts = []
    for start in range(0, len(texts), ROWS_AT_ONCE):
        keys, counts = np.unique(hash_ngrams(texts[start : start + ROWS_AT_ONCE]), return_counts=True)
        buckets = keys & (BUCKETS - 1)
        is_known = idf[buckets] > 0
        keys, counts, buckets = keys[is_known], counts[is_known], buckets[is_known]
        parts.append((keys // BUCKETS + start, buckets, (1 + np.log(counts)) * idf[buckets]))
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    rows, buckets, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, buckets, values.astype(np.float64)


def hash_ngrams(texts: Sequence[str]) -> Ints:
    """Returns row x BUCKETS + bucket for every n-gram of every text, in any order. Case is ignored."""
    lowered = [text.lower() for text in texts]
    lengths = np.fromiter(map(len, lowered), dtype=np.int64, count=len(lowered))
    codes = np.frombuffer("".join(lowered).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    row = np.repeat(np.arange(len(lowered), dtype=np.int64), lengths)
    found = []
    state = np.zeros(len(codes), dtype=np.uint64)
    for order in range(1, max(ORDERS) + 1):
        # state[i] is the hash of the n-gram that begins at i; one that runs into the next text is no n-gram.
        end = len(codes) - order + 1
        if end <= 0:
            break
        state = (state[:end] * _FACTOR + codes[order - 1 :] + np.uint64(order)) * _MIX
        if order in ORDERS:
            is_whole = row[:end] == row[order - 1 :]
            bucket = (state >> np.uint64(64 - BITS)).astype(np.int64)
            found.append((row[:end] * BUCKETS + bucket)[is_whole])
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _as_saved(values: Floats) -> npt.NDArray[np.float32]:
    """Rounds weights to the precision of the file, so that loading does not change the answers."""
    return values.astype(np.float16).astype(np.float32)


_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
