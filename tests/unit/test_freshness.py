from datetime import UTC, datetime, timedelta

from reviewgen_spark.config import FreshnessSection
from reviewgen_spark.orchestration.freshness import Arrival, check_freshness, future_files

NOW = datetime(2026, 1, 20, 6, tzinfo=UTC)


def arrivals(*counts: int) -> list[Arrival]:
    """Returns one delivery a day, the last one an hour ago."""
    return [Arrival(NOW - timedelta(days=len(counts) - 1 - i, hours=1), count) for i, count in enumerate(counts)]


def test_without_limits_there_are_no_faults() -> None:
    assert check_freshness([], FreshnessSection(), NOW) == []
    assert check_freshness(arrivals(1), FreshnessSection(), NOW) == []


def test_input_older_than_the_limit_is_a_fault() -> None:
    section = FreshnessSection(max_age_hours=24)
    assert check_freshness(arrivals(5), section, NOW) == []
    late = check_freshness(arrivals(5), section, NOW + timedelta(hours=24))
    assert len(late) == 1 and "25.0 hours old, the limit is 24" in late[0]
    assert check_freshness([], section, NOW) == ["freshness: nothing has ever been delivered"]


def test_a_small_delivery_is_compared_with_the_median_not_the_mean() -> None:
    section = FreshnessSection(min_share_of_usual_pct=50)
    assert check_freshness(arrivals(100, 100, 9_000, 60), section, NOW) == []
    assert len(check_freshness(arrivals(100, 100, 9_000, 40), section, NOW)) == 1


def test_fewer_records_than_the_minimum_are_a_fault() -> None:
    section = FreshnessSection(min_records=10)
    assert check_freshness(arrivals(10), section, NOW) == []
    assert len(check_freshness(arrivals(9), section, NOW)) == 1


def test_a_file_dated_in_the_future_counts_from_its_arrival() -> None:
    section = FreshnessSection(max_age_hours=24, min_records=10)
    wrong = Arrival(datetime(2099, 1, 1, tzinfo=UTC), 3, "reviews/a b.csv", NOW - timedelta(days=4))
    faults = check_freshness([wrong], section, NOW)
    assert len(faults) == 2 and "96.0 hours old" in faults[0] and "3 records on 2026-01-16" in faults[1]
    fresh = Arrival(NOW - timedelta(hours=1), 12, "reviews/b.csv", NOW)
    assert check_freshness([wrong, fresh], section, NOW) == [], "the day of the newest file is not 2099"
    assert check_freshness([Arrival(datetime(2099, 1, 1, tzinfo=UTC), 12)], section, NOW) == []


def test_a_file_dated_in_the_future_is_named_for_two_weeks() -> None:
    skewed = Arrival(NOW + timedelta(minutes=1), 3, "reviews/skewed.csv", NOW)
    wrong = Arrival(datetime(2099, 1, 1, tzinfo=UTC), 3, "reviews/a.csv", NOW)
    (line,) = future_files([skewed, wrong, wrong, *arrivals(5, 5)], NOW)
    assert line.startswith("reviews/a.csv: its time 2099-01-01 00:00 UTC is in the future")
    assert future_files([wrong], NOW + timedelta(days=15)) == []
