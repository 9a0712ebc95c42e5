from datetime import UTC, datetime, timedelta

from reviewgen_spark.config import FreshnessSection
from reviewgen_spark.orchestration.freshness import Arrival, check_freshness

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
