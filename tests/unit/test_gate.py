"""The gate's questions, on made-up predictions."""

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
    wrong: int, where: str | None = None, labels: tuple[str, ...] = ("negative", "positive"), size: float = 10
) -> ScoredModel:
    """Wrong on so many rows, of one category where asked."""
    rows = np.arange(ROWS) if where is None else np.flatnonzero(where == CATEGORY)
    predictions = LABELS.copy()
    predictions[rows[:wrong]] ^= 1
    return ScoredModel(predictions, labels, size_mb=size, latency_ms=2.0)


def failed(candidate: ScoredModel, champion: ScoredModel | None, **section: object) -> list[str]:
    verdict = judge(SNAPSHOT, candidate, champion, RegisterSection(**section))
    assert verdict.promoted == (not [check for check in verdict.checks if not check.passed])
    return [check.name for check in verdict.checks if not check.passed]


def test_clearly_better_passes_and_says_by_how_much() -> None:
    verdict = judge(SNAPSHOT, contender(40), contender(120), RegisterSection())
    assert verdict.promoted
    assert "test F1 0.95" in verdict.reason and "against 0.8" in verdict.reason and "1,000 rows" in verdict.reason


@pytest.mark.parametrize(("evidence", "expected"), [("interval", ["gain"]), ("point", [])])
def test_a_gain_within_chance_needs_to_be_asked_for(evidence: str, expected: list[str]) -> None:
    ours, theirs = contender(50), contender(52, "书")
    assert failed(ours, theirs, evidence=evidence, max_slice_drop=1) == expected


def test_equal_or_worse_fails_and_the_margin_counts() -> None:
    assert failed(contender(50), contender(50)) == ["gain"]
    assert failed(contender(80), contender(50)) == ["gain"]
    assert failed(contender(40), contender(120), min_f1_gain=0.2) == ["gain"]


def test_no_slice_may_pay_for_the_rest() -> None:
    ours, theirs = contender(60, "书"), contender(160, "酒店")
    assert failed(ours, theirs) == ["slices"]
    assert failed(ours, theirs, max_slice_drop=0.2) == []
    assert failed(ours, theirs, min_slice_rows=900) == []


def test_limits_hold_for_the_first_model_too() -> None:
    assert failed(contender(400), None) == []
    assert failed(contender(0), None, max_size_mb=5, max_latency_ms=1) == ["size", "latency"]


def test_other_labels_do_not_fit() -> None:
    assert failed(contender(0), contender(300, labels=("bad", "good"))) == ["signature"]


def test_flips_are_counted_by_category() -> None:
    ours, theirs = contender(0).predictions, contender(30, "书").predictions
    first, second = flips(SNAPSHOT, ours, theirs)
    assert first[0] == "书" and first[2] + first[3] == 30 and second[2:] == (0, 0)
    assert first[2] == int((ours > theirs).sum())
