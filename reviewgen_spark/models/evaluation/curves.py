"""Computes the curves of a classifier for charts: ROC, precision-recall, reliability, score histogram.

They contain only shares and counts, never a row or its text. This module uses numpy only.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from reviewgen_spark.models.evaluation.metrics import ECE_BINS, calibration_bins

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Points = tuple[tuple[float, float], ...]

MAX_POINTS = 200  # of a curve; more points cannot be distinguished on a screen
SCORE_BINS = 20
DIGITS = 6


@dataclass(frozen=True)
class Ranking:
    """Holds how one model ranks the rows; both areas are of the full curves, before thinning."""

    roc: Points  # (false positive rate, true positive rate), from (0, 0) to (1, 1)
    precision_recall: Points  # (recall, precision), recall rising to 1
    auc: float
    average_precision: float


@dataclass(frozen=True)
class Bin:
    """Describes the rows whose score is in one of the equal bins of the calibration error."""

    rows: int
    score: float  # the mean predicted probability
    positive: float  # the actual share of positives


@dataclass(frozen=True)
class Curves:
    """Holds all curves of one split."""

    split: str
    rows: int
    positive_rows: int
    rankings: dict[str, Ranking]  # by model
    uncalibrated: tuple[Bin, ...]  # of the model, from its raw logits; bins without rows are left out
    calibrated: tuple[Bin, ...]  # the same, after the division by the temperature
    negative_scores: tuple[int, ...]  # negatives by their calibrated score, in equal bins of 0 to 1
    positive_scores: tuple[int, ...]


def collect_curves(
    split: str, labels: Ints, probabilities: Mapping[str, Floats], model: str, temperature: float
) -> Curves:
    """Computes all curves of one split.

    Args:
        split: the name of the split.
        labels: (N,) 0 or 1; both labels occur.
        probabilities: (N,) probability of positive, by model. A model with the same score for all rows gets no
            ranking.
        model: the model for reliability and histogram.
        temperature: the temperature of its calibration.
    """
    scores = probabilities[model]
    negative, positive = (
        np.histogram(scores[labels == label], bins=SCORE_BINS, range=(0.0, 1.0))[0].tolist() for label in (0, 1)
    )
    return Curves(
        split=split,
        rows=len(labels),
        positive_rows=int(labels.sum()),
        rankings={name: rank(labels, values) for name, values in probabilities.items() if np.ptp(values) > 0},
        uncalibrated=reliability(labels, undo_temperature(scores, temperature)),
        calibrated=reliability(labels, scores),
        negative_scores=tuple(negative),
        positive_scores=tuple(positive),
    )


def rank(labels: Ints, scores: Floats) -> Ranking:
    """Computes both curves of one model and their areas."""
    false_rate, true_rate = roc_curve(labels, scores)
    recall, precision = precision_recall_curve(labels, scores)
    return Ranking(
        roc=thin(false_rate, true_rate),
        precision_recall=thin(recall, precision),
        auc=float(np.trapezoid(true_rate, false_rate)),
        average_precision=float((np.diff(recall) * precision[1:]).sum()),
    )


def roc_curve(labels: Ints, scores: Floats) -> tuple[Floats, Floats]:
    """Computes false and true positive rates for thresholds from above the highest score to the lowest; both (K,).

    Rows of equal scores are grouped, so that ties count half in the area. Source: Fawcett (2006), algorithm 1.
    """
    true, false = _counts_above(labels, scores)
    return np.r_[0.0, false / false[-1]], np.r_[0.0, true / true[-1]]


def precision_recall_curve(labels: Ints, scores: Floats) -> tuple[Floats, Floats]:
    """Computes recall, rising to 1, and precision; both (K,).

    The first point has recall 0, where precision is undefined. It gets the precision of the highest scores. The area is
    the average precision: each precision is weighted by the recall that it adds, without linear interpolation.
    Source: Davis and Goadrich, The Relationship Between Precision-Recall and ROC Curves (2006).
    """
    true, false = _counts_above(labels, scores)
    precision = true / (true + false)
    return np.r_[0.0, true / true[-1]], np.r_[precision[0], precision]


def reliability(labels: Ints, scores: Floats) -> tuple[Bin, ...]:
    """Computes mean scores and actual shares of positives, in the bins of `expected_calibration_error`.

    The mean gap of the bins, weighted by rows, is that error. Source: Guo et al. (2017), section 2.
    """
    bins = calibration_bins(scores)
    rows = np.bincount(bins, minlength=ECE_BINS)
    score_sums = np.bincount(bins, weights=scores, minlength=ECE_BINS)
    positive_counts = np.bincount(bins, weights=labels, minlength=ECE_BINS)
    return tuple(
        Bin(int(rows[index]), float(score_sums[index] / rows[index]), float(positive_counts[index] / rows[index]))
        for index in np.flatnonzero(rows)
    )


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """Computes the expected calibration error from the bins."""
    return sum(group.rows * abs(group.score - group.positive) for group in bins) / sum(group.rows for group in bins)


def undo_temperature(probabilities: Floats, temperature: float) -> Floats:
    """Returns the probabilities of the logits before the division by the temperature."""
    clipped = np.clip(probabilities, 1e-15, 1 - 1e-15)  # the odds of 0 and 1 are infinite
    return np.asarray(1 / (1 + np.exp(-temperature * np.log(clipped / (1 - clipped)))))


def thin(xs: Floats, ys: Floats, most: int = MAX_POINTS) -> Points:
    """Returns at most `most` points of a curve with both ends, spread evenly along its length."""
    if len(xs) > most:
        steps = np.abs(np.diff(xs)) + np.abs(np.diff(ys))
        distances = np.r_[0.0, np.cumsum(steps)]
        indices = np.searchsorted(distances, np.linspace(0, distances[-1], most - 1)[:-1])
        kept = np.unique(np.r_[indices, len(xs) - 1])
        xs, ys = xs[kept], ys[kept]
    return tuple((round(float(x), DIGITS), round(float(y), DIGITS)) for x, y in zip(xs, ys, strict=True))


def write_curves(curves: Curves) -> str:
    """Returns the curves as JSON."""
    return json.dumps(asdict(curves), ensure_ascii=False)


def _counts_above(labels: Ints, scores: Floats) -> tuple[Floats, Floats]:
    """Counts positives and negatives at or above each distinct score, the highest first; both (K,)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(scores[order]) != 0), len(scores) - 1]  # the last row of each group of ties
    true = np.cumsum(labels[order] == 1)[ends].astype(np.float64)
    return true, ends + 1 - true
