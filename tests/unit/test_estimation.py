import pytest

from reviewgen_spark.models.evaluation.metrics import Interval
from reviewgen_spark.operations.estimation import (
    LabellingEstimate,
    TimedBatch,
    estimate_seconds,
    estimate_tokens,
    sampling_fractions,
)


def test_equal_batches_give_an_interval_of_zero_width() -> None:
    batches = [TimedBatch(1_000, 0.5)] * 30
    estimate = estimate_seconds(batches, tokens=80_000, workers=4, fixed_seconds=3.0)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((13.0, 13.0, 13.0))


def test_unequal_batches_widen_the_interval_around_the_value() -> None:
    batches = [TimedBatch(1_000, seconds) for seconds in (0.2, 0.3, 0.4, 0.5, 0.6) * 4]
    estimate = estimate_seconds(batches, tokens=100_000, workers=1, fixed_seconds=0.0)
    assert estimate.value == pytest.approx(40)
    assert 30 < estimate.low < estimate.value < estimate.high < 50


def test_a_long_batch_counts_by_its_tokens() -> None:
    batches = [TimedBatch(100, 0.2), TimedBatch(900, 0.8)]
    assert estimate_seconds(batches, 10_000, 1, 0.0).value == pytest.approx(10.0)


def test_without_batches_the_estimate_is_the_fixed_time() -> None:
    assert estimate_seconds([], 0, 2, 1.5) == Interval(1.5, 1.5, 1.5)


def test_a_stratum_without_a_sample_has_the_mean_of_all() -> None:
    assert estimate_tokens({1: 10, 2: 10, 7: 4}, {1: (2, 10), 2: (2, 30)}) == 50 + 150 + 40
    assert estimate_tokens({}, {}) == 0


def test_small_strata_are_sampled_completely() -> None:
    fractions = sampling_fractions({0: 5, 3: 10_000, 9: 200}, 1_000)
    assert fractions[0] == 1.0
    assert fractions[3] == pytest.approx(1_000 / 10_205)
    assert fractions[9] == 0.1


def test_the_lines_show_time_and_cost() -> None:
    estimate = LabellingEstimate(
        "m version 2 (float32)", 7, 1, 50, 7, 21, 2, 1.5, 2.5, Interval(7_200, 3_600, 10_800), 2.0
    )
    assert " ".join(estimate.lines()[-1].split()) == "cost 4.0000 95 %: 2.0000 to 6.0000, at 2 an hour"
    assert "3,600.0 to 10,800.0 s" in estimate.lines()[-2]
