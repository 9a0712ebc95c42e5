import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from sklearn.metrics import roc_curve as reference_roc

from reviewgen_spark.models.evaluation import curves
from reviewgen_spark.models.evaluation.metrics import auc, expected_calibration_error


def read_curves(content: str) -> curves.Curves:
    """Reads the JSON of `write_curves` into the same dataclasses."""
    values: dict[str, Any] = json.loads(content)
    rankings = {
        name: curves.Ranking(
            roc=tuple((x, y) for x, y in ranking["roc"]),
            precision_recall=tuple((x, y) for x, y in ranking["precision_recall"]),
            auc=ranking["auc"],
            average_precision=ranking["average_precision"],
        )
        for name, ranking in values["rankings"].items()
    }
    bins = {name: tuple(curves.Bin(**each) for each in values[name]) for name in ("uncalibrated", "calibrated")}
    counts = {name: tuple(values[name]) for name in ("negative_scores", "positive_scores")}
    return curves.Curves(**{**values, **bins, **counts, "rankings": rankings})


def drawn(seed: int, rows: int, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns random labels of both classes, and scores weakly correlated with them; few decimals make ties."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.r_[0, 1, rng.integers(0, 2, rows - 2)])
    return labels, np.clip(np.round(labels * 0.2 + rng.random(rows) * 0.8, decimals), 0, 1)


some_rows = st.builds(drawn, st.integers(0, 10_000), st.integers(2, 3_000), st.sampled_from([0, 1, 2, 9]))


@given(some_rows)
def test_roc_rises_from_corner_to_corner_over_the_area_of_the_metric(data):
    labels, scores = data
    false_rate, true_rate = curves.roc_curve(labels, scores)
    assert (false_rate[0], true_rate[0], false_rate[-1], true_rate[-1]) == (0, 0, 1, 1)
    assert (np.diff(false_rate) >= 0).all() and (np.diff(true_rate) >= 0).all()
    assert curves.rank(labels, scores).auc == pytest.approx(auc(labels, scores), abs=1e-6)


def test_roc_agrees_with_scikit_learn():
    labels, scores = drawn(1, 400, 2)
    expected = reference_roc(labels, scores, drop_intermediate=False)[:2]
    assert np.allclose(curves.roc_curve(labels, scores), expected)


@given(some_rows)
def test_recall_rises_to_1_and_the_area_is_average_precision(data):
    labels, scores = data
    recall, precision = curves.precision_recall_curve(labels, scores)
    assert recall[0] == 0 and recall[-1] == 1 and (np.diff(recall) >= 0).all()
    assert precision[-1] == pytest.approx(labels.mean())  # all rows are predicted positive
    assert curves.rank(labels, scores).average_precision == pytest.approx(average_precision_score(labels, scores))


@given(some_rows)
def test_reliability_bins_hold_every_row_and_their_gap_is_the_metric(data):
    labels, scores = data
    bins = curves.reliability(labels, scores)
    assert sum(each.rows for each in bins) == len(labels) and all(each.rows for each in bins)
    assert curves.calibration_error(bins) == pytest.approx(expected_calibration_error(labels, scores), abs=1e-9)


@given(some_rows)
def test_thinned_curves_keep_their_ends_and_nearly_their_area(data):
    labels, scores = data
    full = curves.roc_curve(labels, scores)
    points = curves.rank(labels, scores).roc
    assert len(points) <= curves.MAX_POINTS and points[0] == (0, 0) and points[-1] == (1, 1)
    xs, ys = np.array(points).T
    assert (np.diff(xs) >= 0).all() and (np.diff(ys) >= 0).all()
    assert np.trapezoid(ys, xs) == pytest.approx(np.trapezoid(full[1], full[0]), abs=0.005)


def test_thinning_keeps_distant_points():
    crowd = np.linspace(0, 0.001, 1_000)  # two long steps after a thousand tiny ones
    xs = np.r_[crowd, 0.5, 0.7, 1.0]
    assert {(0.5, 0.5), (0.7, 0.7), (1, 1)} <= set(curves.thin(xs, xs))
    assert curves.thin(xs[-3:], xs[-3:]) == ((0.5, 0.5), (0.7, 0.7), (1, 1))


def test_undo_temperature_restores_the_uncalibrated_scores():
    margins = np.array([-9.0, -1.0, 0.0, 0.5, 4.0])
    calibrated = 1 / (1 + np.exp(-margins / 2.5))
    assert curves.undo_temperature(calibrated, 2.5) == pytest.approx(1 / (1 + np.exp(-margins)))
    assert curves.undo_temperature(np.array([0.0, 1.0]), 2.5) == pytest.approx([0, 1])


def test_collected_curves_survive_json():
    labels, scores = drawn(3, 500, 9)
    collected = curves.collect_curves(
        "test", labels, {"model": scores, "tfidf": 1 - scores, "majority": np.full(500, 0.4)}, "model", 1.7
    )
    assert set(collected.rankings) == {"model", "tfidf"}  # a constant score has no ranking
    assert collected.rankings["tfidf"].auc == pytest.approx(1 - collected.rankings["model"].auc)
    assert (sum(collected.negative_scores), sum(collected.positive_scores)) == ((labels == 0).sum(), labels.sum())
    assert collected.positive_scores[-1] == ((scores >= 0.95) & (labels == 1)).sum()
    raw = curves.undo_temperature(scores, 1.7)
    assert curves.calibration_error(collected.uncalibrated) == pytest.approx(expected_calibration_error(labels, raw))
    assert curves.calibration_error(collected.calibrated) == pytest.approx(expected_calibration_error(labels, scores))
    assert read_curves(curves.write_curves(collected)) == collected
