"""Classifies texts by character n-grams with a linear model: the fast first step of a cascade.

It is fitted to a teacher's log odds and to labels. It answers only if its log odds are so far from 0 that it rarely
differs from the second model. That model reads the other texts (cascades of classifiers: Viola and Jones 2001; Varshney
and Baral 2022). n-grams are hashed (Weinberger et al. 2009), so no vocabulary is stored. A batch of texts takes a few
passes of numpy: about 20,000 reviews per second on one core. An encoder of three layers reads 1,000.

The file is safetensors, and torch is not needed. Only hashes of the n-grams of a text are used.
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
LABEL_LOG_ODDS = 4.0  # the log odds that a gold label is converted to
MAX_LOG_ODDS = 6.0  # log odds of the teacher are clipped to this size
SOFT_SHARE = 0.5  # the share of the teacher's log odds in a labelled row's target; the rest is its label
ROWS_AT_ONCE = 1024

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NgramSettings:
    """Holds the settings that the file stores with the weights."""

    bias: float
    temperature: float  # divides the log odds; fitted on validation
    threshold: float  # the least |log odds| of an answer, before the temperature; infinite: it never answers
    answered_share: float  # the share of validation rows that it answers
    disagreement: float  # the share of these rows where the second model has another label
    format: int = 1


class NgramClassifier:
    """Predicts one of two labels from the characters of a text."""

    def __init__(self, weights: npt.NDArray[np.float32], idf: npt.NDArray[np.float32], settings: NgramSettings) -> None:
        """Stores weights and idf, both (BUCKETS,); a bucket with idf 0 is left out."""
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
        ModelNotFoundError: there is no such file, or it has another format.
    """
    from safetensors import safe_open

    if not file.is_file():
        raise ModelNotFoundError(f"{file}: there is no n-gram classifier; `reviewgen run compress` makes one")
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
    teacher_odds: Floats,
    labels: Ints,
    validation: Sequence[str],
    validation_labels: Ints,
    second_labels: Ints,
    max_disagreement: float,
) -> NgramClassifier:
    """Fits a classifier by ridge regression on log odds, and its threshold on the second model's labels of validation.

    It needs scikit-learn of the extra `train`.

    Args:
        texts: the labelled texts first, then the unlabelled ones.
        teacher_odds: (N,) the teacher's log odds of positive.
        labels: (L,) 0 or 1 of the labelled texts, L <= N.
        validation: texts that the weights are not fitted to.
        validation_labels: (V,) 0 or 1; the temperature is fitted to them.
        second_labels: (V,) the labels of the second model.
        max_disagreement: the largest share of answered validation rows whose label differs from the second model's.
    """
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import Ridge

    from reviewgen_spark.models.evaluation.metrics import fit_temperature

    targets = np.clip(teacher_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)
    label_odds = np.where(labels == 1, LABEL_LOG_ODDS, -LABEL_LOG_ODDS)
    targets[: len(labels)] = SOFT_SHARE * targets[: len(labels)] + (1 - SOFT_SHARE) * label_odds
    idf = inverse_document_frequency(texts)
    rows, buckets, values = weigh(texts, idf)
    norms = np.sqrt(np.bincount(rows, values * values, minlength=len(texts)))
    matrix: Any = csr_matrix((values / norms[rows], (rows, buckets)), shape=(len(texts), BUCKETS))
    ridge = Ridge(alpha=RIDGE, solver="sparse_cg", tol=1e-3, max_iter=60).fit(matrix, targets)
    weights = _round_as_saved(ridge.coef_)
    unlimited = NgramClassifier(weights, idf, NgramSettings(float(ridge.intercept_), 1.0, float("inf"), 0.0, 0.0))
    odds = unlimited.log_odds(validation)
    known = np.isfinite(odds)
    temperature = fit_temperature(odds[known], validation_labels[known]) if known.any() else 1.0
    threshold, share, disagreement = choose_threshold(odds, second_labels, max_disagreement)
    settings = NgramSettings(float(ridge.intercept_), round(temperature, 6), threshold, share, disagreement)
    return NgramClassifier(weights, idf, settings)


def choose_threshold(odds: Floats, second_labels: Ints, max_disagreement: float) -> tuple[float, float, float]:
    """Returns the lowest threshold above which at most the given share of labels differs from the other model's.

    Args:
        odds: (V,) log odds; NaN where there are none.
        second_labels: (V,) the other model's labels.
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
    differs = np.cumsum((odds[order] >= 0).astype(np.int64) != second_labels[order]) / np.arange(1, len(order) + 1)
    allowed = np.flatnonzero(differs <= max_disagreement)
    if not len(allowed):
        return float("inf"), 0.0, 0.0
    last = int(allowed[-1])
    return float(np.abs(odds[order[last]])), (last + 1) / len(odds), float(differs[last])


def inverse_document_frequency(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Returns the idf (BUCKETS,), smoothed as in scikit-learn; 0 for buckets of fewer than MIN_TEXTS texts."""
    counts = np.zeros(BUCKETS, dtype=np.int64)
    for start in range(0, len(texts), ROWS_AT_ONCE):
        keys = np.unique(hash_ngrams(texts[start : start + ROWS_AT_ONCE]))
        counts += np.bincount(keys & (BUCKETS - 1), minlength=BUCKETS)
    idf = np.log((1 + len(texts)) / (1 + counts)) + 1
    return _round_as_saved(np.where(counts >= MIN_TEXTS, idf, 0))


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
    keys = []
    state = np.zeros(len(codes), dtype=np.uint64)
    for order in range(1, max(ORDERS) + 1):
        # state[i] is the hash of the n-gram that begins at i. One that continues into the next text is left out.
        end = len(codes) - order + 1
        if end <= 0:
            break
        state = (state[:end] * _FACTOR + codes[order - 1 :] + np.uint64(order)) * _MIX
        if order in ORDERS:
            is_whole = row[:end] == row[order - 1 :]
            bucket = (state >> np.uint64(64 - BITS)).astype(np.int64)
            keys.append((row[:end] * BUCKETS + bucket)[is_whole])
    return np.concatenate(keys) if keys else np.zeros(0, np.int64)


def _round_as_saved(values: Floats) -> npt.NDArray[np.float32]:
    """Rounds weights to the precision of the file, so that loading does not change the predictions."""
    return values.astype(np.float16).astype(np.float32)


_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
