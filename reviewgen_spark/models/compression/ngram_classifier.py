"""A linear classifier of character n-grams that knows what it does not know: the fast first step of a cascade.

It is fitted to a teacher's log odds, not only to labels, and answers where its own log odds are so far from 0 that it
hardly ever differs from the model behind it, which reads the rest (cascades of classifiers: Viola and Jones 2001;
Varshney and Baral 2022). n-grams are hashed (Weinberger et al. 2009), so there is no vocabulary to keep, and a batch of
texts is a few passes of numpy: some 20,000 reviews a second on one core, of which an encoder of three layers reads
1,000.

Only safetensors is read; no torch, and nothing of a text is kept but hashes of its n-grams.
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
MIN_TEXTS = 2  # n-grams of one text teach nothing
RIDGE = 0.5  # chosen on validation, of 0.5, 1 and 2
CERTAIN = 4.0  # log odds that a gold label counts as; those of the teacher are cut off at MOST
MOST = 6.0
SOFT_SHARE = 0.5  # of a labelled row's target: the teacher's log odds; the rest, its label
ROWS_AT_ONCE = 1024

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NgramSettings:
    """What stands in the file beside the weights."""

    bias: float
    temperature: float  # its log odds are divided by it, fitted on validation
    threshold: float  # it answers where |log odds|, before the temperature, are at least this; infinite: never
    answered_share: float  # of validation
    disagreement: float  # with the model behind it, of the rows answered there
    format: int = 1


class NgramClassifier:
    """Two labels, from the characters of a text."""

    def __init__(self, weights: npt.NDArray[np.float32], idf: npt.NDArray[np.float32], settings: NgramSettings) -> None:
        """Both (BUCKETS,); an idf of 0 leaves the bucket out."""
        self._weights, self._idf, self.settings = weights, idf, settings

    def log_odds(self, texts: Sequence[str]) -> Floats:
        """(N,) uncalibrated log odds of the second label; NaN for a text without any known n-gram."""
        rows, buckets, values = weigh(texts, self._idf)
        raw = np.bincount(rows, values * self._weights[buckets], minlength=len(texts))
        norms = np.sqrt(np.bincount(rows, values * values, minlength=len(texts)))
        with np.errstate(invalid="ignore"):  # 0 / 0 for a text of nothing
            return np.asarray(raw / norms + self.settings.bias)

    def answers(self, texts: Sequence[str]) -> Floats:
        """(N, 2) calibrated probabilities of the labels; NaN where the model behind it has to read the text."""
        odds = self.log_odds(texts)
        is_sure = np.abs(odds) >= self.settings.threshold  # False for NaN
        positive = np.where(is_sure, 1 / (1 + np.exp(-odds / self.settings.temperature)), np.nan)
        return np.stack([1 - positive, positive], axis=1)

    def save(self, file: Path) -> None:
        """Write the file."""
        from safetensors.numpy import save_file

        metadata = {"settings": json.dumps(asdict(self.settings), sort_keys=True)}
        save_file({"idf": self._idf.astype(np.float16), "weights": self._weights.astype(np.float16)}, file, metadata)


def load_ngram_classifier(file: Path) -> NgramClassifier:
    """Read what `NgramClassifier.save` wrote.

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
    """Fit one by ridge regression on log odds; its threshold comes from what the model behind it says of validation.

    Needs scikit-learn of the extra `train`.

    Args:
        texts: labelled ones first, then unlabelled.
        answers: (N,) the teacher's log odds of positive.
        labels: (L,) 0 or 1 of the labelled texts, L <= N.
        validation: texts that were not fitted to.
        validation_labels: (V,) 0 or 1; the temperature is fitted to them.
        behind: (V,) the label that the model behind it gives.
        max_disagreement: share of the answered rows of validation whose label may differ from that.
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
    """The lowest threshold above which the label differs from the other model's in at most so large a share.

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
    """(BUCKETS,) as scikit-learn smooths it, and 0 for buckets of fewer than MIN_TEXTS texts."""
    counts = np.zeros(BUCKETS, dtype=np.int64)
    for start in range(0, len(texts), ROWS_AT_ONCE):
        keys = np.unique(hash_ngrams(texts[start : start + ROWS_AT_ONCE]))
        counts += np.bincount(keys & (BUCKETS - 1), minlength=BUCKETS)
    idf = np.log((1 + len(texts)) / (1 + counts)) + 1
    return _as_saved(np.where(counts >= MIN_TEXTS, idf, 0))


def weigh(texts: Sequence[str], idf: npt.NDArray[np.float32]) -> tuple[Ints, Ints, Floats]:
    """The n-grams of texts as a sparse matrix: row, bucket, and (1 + log count) x idf; one entry a row and bucket."""
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
    """Row x BUCKETS + bucket of every n-gram of every text, in no useful order. Case does not count."""
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
    """Rounded to what the file holds, so that a classifier answers after loading as it did before."""
    return values.astype(np.float16).astype(np.float32)


_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
