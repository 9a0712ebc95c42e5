"""Computes the metrics of a classifier and their bootstrap intervals, with numpy only.

All ratios of counts are computed from the confusion cells, so that 1,000 bootstrap samples are one multinomial draw.
If N rows are drawn with replacement and counted by cell, the counts have a multinomial distribution.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Too many bins have few rows each, and too few hide errors. Guo et al. (2017) use 15.
ECE_BINS = 15


@dataclass(frozen=True)
class Interval:
    """Holds a value and its percentile bootstrap interval (95 %)."""

    value: float
    low: float
    high: float


def confusion(labels: Ints, predictions: Ints) -> Ints:
    """Counts (tn, fp, fn, tp), in the order of `sklearn.metrics.confusion_matrix(...).ravel()`."""
    return np.bincount(labels * 2 + predictions, minlength=4).astype(np.int64)


def count_metrics(cells: npt.NDArray[np.number]) -> dict[str, Floats]:
    """Computes accuracy, precision, recall, F1 of the positive class, and the mean F1 of both classes.

    Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval (2008), chapters 8.3 and 13.6. The ratio
    0 / 0 is 0, as in scikit-learn, so that a model without positive predictions gets no good value.

    Args:
        cells: (..., 4) counts tn, fp, fn, tp.

    Returns:
        Arrays of shape (...), by metric name.
    """
    tn, fp, fn, tp = np.moveaxis(np.asarray(cells, dtype=np.float64), -1, 0)
    f1 = _ratio(2 * tp, 2 * tp + fp + fn)
    return {
        "accuracy": _ratio(tp + tn, tn + fp + fn + tp),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "f1": f1,
        "f1_macro": (f1 + _ratio(2 * tn, 2 * tn + fn + fp)) / 2,
    }


def bootstrap_counts(cells: Ints, samples: int, seed: int) -> dict[str, Interval]:
    """Computes each count metric with its 95 % percentile bootstrap interval.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    rows = int(cells.sum())
    drawn = np.random.default_rng(seed).multinomial(rows, cells / rows, size=samples)  # (samples, 4)
    values, resampled = count_metrics(cells), count_metrics(drawn)
    return {name: _interval(float(values[name]), resampled[name]) for name in values}


def paired_f1_gain(labels: Ints, predictions: Ints, other_predictions: Ints, samples: int, seed: int) -> Interval:
    """Computes the F1 gain of one model over another on the same rows. It is significant if `low` is above 0.

    Both models are scored on the same resampled rows. So rows that are hard for both do not widen the interval.
    Source: Berg-Kirkpatrick et al., An Empirical Investigation of Statistical Significance in NLP (2012).
    """
    cells = np.bincount(labels * 4 + predictions * 2 + other_predictions, minlength=8)  # (8,): label, own, other
    rows = int(cells.sum())
    drawn = np.random.default_rng(seed).multinomial(rows, cells / rows, size=samples)  # (samples, 8)

    def gain(counts: npt.NDArray[np.int64]) -> Floats:
        cube = counts.reshape(*counts.shape[:-1], 2, 2, 2)  # (..., label, own, other)
        own_cells = cube.sum(axis=-1).reshape(*counts.shape[:-1], 4)  # (..., tn fp fn tp)
        other_cells = cube.sum(axis=-2).reshape(*counts.shape[:-1], 4)
        return np.asarray(count_metrics(own_cells)["f1"] - count_metrics(other_cells)["f1"])

    return _interval(float(gain(cells.astype(np.int64))), gain(drawn))


def class_cells(targets: Ints, predictions: Ints, labels: int) -> Ints:
    """Returns (labels^2,) counts, by correct label and then by predicted label."""
    return np.bincount(targets * labels + predictions, minlength=labels * labels).astype(np.int64)


def class_metrics(cells: npt.NDArray[np.number], labels: int) -> dict[str, Floats]:
    """Computes accuracy, and the mean F1 of the labels that occur, for any number of labels.

    Args:
        cells: (..., labels^2) counts, by correct label and then by predicted label.
        labels: how many labels there are.

    Returns:
        Arrays of shape (...), by metric name.
    """
    square = cells.reshape(*cells.shape[:-1], labels, labels).astype(np.float64)  # (..., correct, predicted)
    correct = np.diagonal(square, axis1=-2, axis2=-1)
    actual, predicted = square.sum(axis=-1), square.sum(axis=-2)
    occurs = (actual + predicted) > 0
    f1 = _ratio(2 * correct, actual + predicted)
    return {
        "accuracy": _ratio(correct.sum(axis=-1), square.sum(axis=(-2, -1))),
        "f1_macro": _ratio(f1.sum(axis=-1), occurs.sum(axis=-1)),
    }


def bootstrap_classes(targets: Ints, predictions: Ints, labels: int, samples: int, seed: int) -> dict[str, Interval]:
    """Computes `class_metrics` with 95 % bootstrap intervals.

    Args:
        targets: (N,) the correct label of each row.
        predictions: (N,) the predicted label of each row.
        labels: how many labels there are.
        samples: bootstrap samples.
        seed: the seed of the samples.
    """
    cells = class_cells(targets, predictions, labels)
    rows = int(cells.sum())
    drawn = np.random.default_rng(seed).multinomial(rows, cells / rows, size=samples)  # (samples, labels^2)
    values, resampled = class_metrics(cells, labels), class_metrics(drawn, labels)
    return {name: _interval(float(values[name]), resampled[name]) for name in values}


def auc(labels: Ints, scores: Floats) -> float:
    """Computes the area under the ROC curve: the share of pairs in which the positive has the higher score.

    Source: Fawcett, An introduction to ROC analysis (2006). Ties count half. Rows of both labels are needed.
    """
    return float(_weighted_auc(labels, scores, np.ones((1, len(labels))))[0])


def expected_calibration_error(labels: Ints, scores: Floats) -> float:
    """Computes the mean gap between score and actual share of positives, weighted by rows, over 15 equal bins.

    Source: Naeini et al. (2015), and Guo et al., On Calibration of Modern Neural Networks (2017), section 2. Here it is
    computed for the probability of positive, because the tables publish this probability.
    """
    return float(_weighted_ece(labels, scores, np.ones((1, len(labels))))[0])


def calibration_bins(scores: Floats) -> Ints:
    """Returns (N,) the index of the bin of each score (N,), for equal bins of 0 to 1."""
    return np.minimum((scores * ECE_BINS).astype(np.int64), ECE_BINS - 1)


def bootstrap_scores(labels: Ints, scores: Floats, samples: int, seed: int) -> dict[str, Interval]:
    """Computes AUC and ECE with their intervals. A sample is a weight per row, because both metrics need the rows."""
    rows = len(labels)
    rng = np.random.default_rng(seed)
    chunk = max(1, min(samples, 4_000_000 // rows))  # 32 MB of weights at a time
    aucs, eces = [], []
    for start in range(0, samples, chunk):
        size = min(chunk, samples - start)
        weights = rng.multinomial(rows, np.full(rows, 1 / rows), size=size).astype(np.float64)  # (size, N)
        aucs.append(_weighted_auc(labels, scores, weights))
        eces.append(_weighted_ece(labels, scores, weights))
    return {
        "auc": _interval(auc(labels, scores), np.concatenate(aucs)),
        "ece": _interval(expected_calibration_error(labels, scores), np.concatenate(eces)),
    }


def fit_temperature(margins: Floats, labels: Ints) -> float:
    """Fits the temperature T for which sigmoid(margin / T) has the least log loss; no score crosses 0.5.

    The loss is convex in 1/T, so a golden-section search over log T finds its only minimum. T is limited to
    [0.05, 20], because there is no minimum if a model separates validation without error.
    Source: Guo et al. (2017), section 4.2.

    Args:
        margins: (N,) logit of positive minus logit of negative.
        labels: (N,) 0 or 1.
    """
    signed = np.where(labels == 1, margins, -margins)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, -signed / np.exp(log_temperature)).mean())

    low, high, golden = np.log(0.05), np.log(20.0), (np.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def _weighted_auc(labels: Ints, scores: Floats, weights: Floats) -> Floats:
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])  # where a group of equal scores begins
    positive = np.add.reduceat(weights[:, order] * (labels[order] == 1), starts, axis=1)  # (samples, groups)
    negative = np.add.reduceat(weights[:, order] * (labels[order] == 0), starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2  # negatives with a lower score; ties count half
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return _ratio((positive * below).sum(axis=1), pairs)


def _weighted_ece(labels: Ints, scores: Floats, weights: Floats) -> Floats:
    bins = calibration_bins(scores)
    gaps = np.zeros((len(labels), ECE_BINS))  # (N, bins)
    gaps[np.arange(len(labels)), bins] = scores - labels
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _interval(value: float, resampled: Floats) -> Interval:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Interval(value, float(low), float(high))
