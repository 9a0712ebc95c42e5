"""Tests the checks of the promotion gate on synthetic predictions."""

import numpy as np
import pytest

from reviewgen_spark.config import RegisterSection
from reviewgen_spark.models.registry.promotion_gate import ScoredModel, TestRows, flips, judge

ROWS = 1000
RNG = np.random.default_rng(5)
LABELS = RNG.integers(0, 2, ROWS)
CATEGORY = np.asarray(["书", "酒店"], dtype=object)[RNG.integers(0, 2, ROWS)]
SNAPSHOT = TestRows(LABELS, {"category": CATEGORY, "lang": np.full(ROWS, None, dtype=object)})


def contender(
    wrong: int, category: str | None = None, labels: tuple[str, ...] = ("negative", "positive"), size: float = 10
) -> ScoredModel:
    """Returns a model with a number of wrong rows, optionally all of one category."""
    rows = np.arange(ROWS) if category is None else np.flatnonzero(category == CATEGORY)
    predictions = LABELS.copy()
    predictions[rows[:wrong]] ^= 1
    return ScoredModel(predictions, labels, size_mb=size, latency_ms=2.0)


def failed(candidate: ScoredModel, champion: ScoredModel | None, **section: object) -> list[str]:
    verdict = judge(SNAPSHOT, candidate, champion, RegisterSection(**section))
    assert verdict.promoted == (not [check for check in verdict.checks if not check.passed])
    return [check.name for check in verdict.checks if not check.passed]


def test_a_clearly_better_model_passes_and_the_reason_has_the_scores() -> None:
    verdict = judge(SNAPSHOT, contender(40), contender(120), RegisterSection())
    assert verdict.promoted
    assert "test F1 0.95" in verdict.reason and "against 0.8" in verdict.reason and "1,000 rows" in verdict.reason


@pytest.mark.parametrize(("evidence", "expected"), [("interval", ["gain"]), ("point", [])])
def test_a_gain_within_chance_passes_only_as_a_point_estimate(evidence: str, expected: list[str]) -> None:
    ours, theirs = contender(50), contender(52, "书")
    assert failed(ours, theirs, evidence=evidence, max_slice_drop=1) == expected


def test_an_equal_or_worse_model_fails_and_so_does_a_gain_below_the_margin() -> None:
    assert failed(contender(50), contender(50)) == ["gain"]
    assert failed(contender(80), contender(50)) == ["gain"]
    assert failed(contender(40), contender(120), min_f1_gain=0.2) == ["gain"]


def test_a_large_drop_in_one_slice_fails() -> None:
    ours, theirs = contender(60, "书"), contender(160, "酒店")
    assert failed(ours, theirs) == ["slices"]
    assert failed(ours, theirs, max_slice_drop=0.2) == []
    assert failed(ours, theirs, min_slice_rows=900) == []


def test_size_and_latency_limits_hold_for_the_first_model() -> None:
    assert failed(contender(400), None) == []
    assert failed(contender(0), None, max_size_mb=5, max_latency_ms=1) == ["size", "latency"]


def test_a_model_with_other_labels_fails() -> None:
    assert failed(contender(0), contender(300, labels=("bad", "good"))) == ["signature"]


def test_flips_are_counted_by_category() -> None:
    ours, theirs = contender(0).predictions, contender(30, "书").predictions
    first, second = flips(SNAPSHOT, ours, theirs)
    assert first[0] == "书" and first[2] + first[3] == 30 and second[2:] == (0, 0)
    assert first[2] == int((ours > theirs).sum())
