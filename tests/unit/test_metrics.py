import numpy as np
import pytest

from reviewgen_spark.models.evaluation import metrics

LABELS = np.array([1, 1, 1, 0, 0, 0, 0, 0])
SCORES = np.array([0.9, 0.8, 0.3, 0.7, 0.4, 0.2, 0.1, 0.3])
DECIDED = (SCORES >= 0.5).astype(np.int64)


def test_counts_and_their_ratios() -> None:
    cells = metrics.confusion(LABELS, DECIDED)
    assert cells.tolist() == [4, 1, 1, 2]  # tn fp fn tp
    found = {name: float(value) for name, value in metrics.count_metrics(cells).items()}
    assert found == pytest.approx(
        {"accuracy": 6 / 8, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "f1_macro": (2 / 3 + 8 / 10) / 2}
    )


def test_no_positive_predicted_scores_zero() -> None:
    found = metrics.count_metrics(metrics.confusion(LABELS, np.zeros(8, dtype=np.int64)))
    assert (float(found["precision"]), float(found["recall"]), float(found["f1"])) == (0, 0, 0)


def test_auc_counts_pairs_and_half_of_ties() -> None:
    # positives 0.9 and 0.8 beat all 5 negatives; 0.3 beats 0.2 and 0.1 and ties with 0.3
    assert metrics.auc(LABELS, SCORES) == pytest.approx((5 + 5 + 2.5) / 15)
    assert metrics.auc(LABELS, np.full(8, 0.5)) == pytest.approx(0.5)


def test_ece_weighs_the_gap_of_each_bin() -> None:
    labels, scores = np.array([1, 0, 0, 0]), np.array([0.99, 0.98, 0.01, 0.02])
    # top bin: promised 0.985, held 0.5; bottom bin: promised 0.015, held 0
    assert metrics.expected_calibration_error(labels, scores) == pytest.approx((2 * 0.485 + 2 * 0.015) / 4)
    assert metrics.expected_calibration_error(np.array([1, 0]), np.array([1.0, 0.0])) == 0


def test_bootstrap_interval_matches_the_normal_approximation() -> None:
    cells = np.array([400, 100, 100, 400])
    found = metrics.bootstrap_counts(cells, samples=4000, seed=1)["accuracy"]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.8 - half, 0.8 + half), abs=0.002)
    assert found == metrics.bootstrap_counts(cells, samples=4000, seed=1)["accuracy"]


def test_bootstrap_of_scores_brackets_them() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 500)
    scores = np.clip(labels * 0.3 + rng.random(500) * 0.7, 0, 1)
    found = metrics.bootstrap_scores(labels, scores, samples=300, seed=1)
    assert found["auc"].value == metrics.auc(labels, scores)
    assert 0 < found["auc"].high - found["auc"].low < 0.1
    assert found["auc"].low < found["auc"].value < found["auc"].high


def test_paired_gain_is_zero_for_the_same_model_and_narrow_for_like_ones() -> None:
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


def test_temperature_repairs_scores_that_are_too_sure() -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-margins))).astype(np.int64)
    assert metrics.fit_temperature(margins, labels) == pytest.approx(1, abs=0.05)
    assert metrics.fit_temperature(margins * 3, labels) == pytest.approx(3, abs=0.15)


def test_temperature_stays_bounded_when_nothing_is_wrong() -> None:
    assert metrics.fit_temperature(np.array([5.0, -5.0]), np.array([1, 0])) == pytest.approx(0.05, rel=0.01)


def test_two_classes_are_the_binary_case_and_many_agree_with_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, f1_score

    from reviewgen_spark.models.evaluation.metrics import bootstrap_classes

    rng = np.random.default_rng(2)
    for labels in (2, 5):
        targets = rng.integers(0, labels, 300)
        predictions = np.where(rng.random(300) < 0.7, targets, rng.integers(0, labels, 300))
        found = bootstrap_classes(targets, predictions, labels, 200, 1)
        assert found["accuracy"].value == pytest.approx(accuracy_score(targets, predictions))
        assert found["f1_macro"].value == pytest.approx(f1_score(targets, predictions, average="macro"))
        assert all(one.low < one.value < one.high for one in found.values())
