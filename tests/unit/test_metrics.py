import numpy as np
import pytest

from reviewgen_spark.models.evaluation import metrics

LABELS = np.array([1, 1, 1, 0, 0, 0, 0, 0])
SCORES = np.array([0.9, 0.8, 0.3, 0.7, 0.4, 0.2, 0.1, 0.3])
DECIDED = (SCORES >= 0.5).astype(np.int64)


def test_count_metrics_follow_from_the_confusion_matrix() -> None:
    cells = metrics.confusion(LABELS, DECIDED)
    assert cells.tolist() == [4, 1, 1, 2]  # tn fp fn tp
    scores = {name: float(value) for name, value in metrics.count_metrics(cells).items()}
    assert scores == pytest.approx(
        {"accuracy": 6 / 8, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "f1_macro": (2 / 3 + 8 / 10) / 2}
    )


def test_no_positive_predicted_scores_zero() -> None:
    scores = metrics.count_metrics(metrics.confusion(LABELS, np.zeros(8, dtype=np.int64)))
    assert (float(scores["precision"]), float(scores["recall"]), float(scores["f1"])) == (0, 0, 0)


def test_auc_is_the_share_of_ordered_pairs_with_ties_as_half() -> None:
    # 0.9 and 0.8 are above all 5 negatives; 0.3 is above 0.2 and 0.1, and equal to 0.3
    assert metrics.auc(LABELS, SCORES) == pytest.approx((5 + 5 + 2.5) / 15)
    assert metrics.auc(LABELS, np.full(8, 0.5)) == pytest.approx(0.5)


def test_ece_weights_the_gap_of_each_bin() -> None:
    labels, scores = np.array([1, 0, 0, 0]), np.array([0.99, 0.98, 0.01, 0.02])
    # top bin: mean score 0.985, positive share 0.5; bottom bin: mean score 0.015, positive share 0
    assert metrics.expected_calibration_error(labels, scores) == pytest.approx((2 * 0.485 + 2 * 0.015) / 4)
    assert metrics.expected_calibration_error(np.array([1, 0]), np.array([1.0, 0.0])) == 0


def test_bootstrap_interval_matches_the_normal_approximation() -> None:
    cells = np.array([400, 100, 100, 400])
    scores = metrics.bootstrap_counts(cells, samples=4000, seed=1)["accuracy"]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert (scores.value, scores.low, scores.high) == pytest.approx((0.8, 0.8 - half, 0.8 + half), abs=0.002)
    assert scores == metrics.bootstrap_counts(cells, samples=4000, seed=1)["accuracy"]


def test_a_bootstrap_interval_contains_the_score() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 500)
    scores = np.clip(labels * 0.3 + rng.random(500) * 0.7, 0, 1)
    intervals = metrics.bootstrap_scores(labels, scores, samples=300, seed=1)
    assert intervals["auc"].value == metrics.auc(labels, scores)
    assert 0 < intervals["auc"].high - intervals["auc"].low < 0.1
    assert intervals["auc"].low < intervals["auc"].value < intervals["auc"].high


def test_paired_gain_is_zero_for_equal_models_and_narrow_for_similar_ones() -> None:
    same = metrics.paired_f1_gain(LABELS, DECIDED, DECIDED, samples=200, seed=1)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    labels = np.tile([0, 1], 500)
    theirs = labels.copy()
    theirs[:200] = 1 - theirs[:200]
    ours = theirs.copy()
    ours[:50] = labels[:50]  # fixes 50 of their errors and makes no new one
    gain = metrics.paired_f1_gain(labels, ours, theirs, samples=1000, seed=1)
    assert gain.value == pytest.approx(0.05)
    assert 0 < gain.low < gain.value < gain.high


def test_temperature_corrects_overconfident_scores() -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-margins))).astype(np.int64)
    assert metrics.fit_temperature(margins, labels) == pytest.approx(1, abs=0.05)
    assert metrics.fit_temperature(margins * 3, labels) == pytest.approx(3, abs=0.15)


def test_temperature_is_bounded_without_errors() -> None:
    assert metrics.fit_temperature(np.array([5.0, -5.0]), np.array([1, 0])) == pytest.approx(0.05, rel=0.01)


def test_class_metrics_agree_with_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, f1_score

    from reviewgen_spark.models.evaluation.metrics import bootstrap_classes

    rng = np.random.default_rng(2)
    for labels in (2, 5):
        targets = rng.integers(0, labels, 300)
        predictions = np.where(rng.random(300) < 0.7, targets, rng.integers(0, labels, 300))
        scores = bootstrap_classes(targets, predictions, labels, 200, 1)
        assert scores["accuracy"].value == pytest.approx(accuracy_score(targets, predictions))
        assert scores["f1_macro"].value == pytest.approx(f1_score(targets, predictions, average="macro"))
        assert all(one.low < one.value < one.high for one in scores.values())
