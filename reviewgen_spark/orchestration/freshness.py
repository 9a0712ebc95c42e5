"""Checks whether the newest input is recent and as large as usual. If not, the run ends with exit code 3."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from reviewgen_spark.config import FreshnessSection

USUAL_DAYS = 14


@dataclass(frozen=True)
class Arrival:
    """Counts the records reserved from one delivered file, with the time the file was written."""

    modified_at: datetime
    record_count: int


def check_freshness(arrivals: Iterable[Arrival], section: FreshnessSection, now: datetime) -> list[str]:
    """Returns the faults of the newest input, one line each; the list is empty if there are none.

    The newest day is compared with the days with input among the 14 days before it. Their median is used, because one
    back-fill must not make every later night look too small.

    Args:
        arrivals: All deliveries so far.
        section: Limits; None switches a check off.
        now: The current time, in UTC.
    """
    by_day: dict[date, int] = {}
    newest: datetime | None = None
    for arrival in arrivals:
        day = arrival.modified_at.date()
        by_day[day] = by_day.get(day, 0) + arrival.record_count
        newest = max(newest, arrival.modified_at) if newest else arrival.modified_at
    if newest is None:
        has_limits = any(value is not None for value in section.model_dump().values())
        return ["freshness: nothing has ever been delivered"] if has_limits else []
    faults = []
    age_hours = (now - newest) / timedelta(hours=1)
    if section.max_age_hours is not None and age_hours > section.max_age_hours:
        faults.append(
            f"freshness.max_age_hours: the newest file is {age_hours:.1f} hours old, "
            f"the limit is {section.max_age_hours:g}"
        )
    return faults + _volume_faults(by_day, newest.date(), section)


def _volume_faults(by_day: Mapping[date, int], newest: date, section: FreshnessSection) -> list[str]:
    count = by_day[newest]
    faults = []
    if section.min_records is not None and count < section.min_records:
        faults.append(
            f"freshness.min_records: {count:,} records on {newest}, at least {section.min_records:,} expected"
        )
    window = newest - timedelta(days=USUAL_DAYS)
    before = [records for day, records in by_day.items() if window <= day < newest]
    if section.min_share_of_usual_pct is not None and before:
        usual = median(before)
        if count < usual * section.min_share_of_usual_pct / 100:
            faults.append(
                f"freshness.min_share_of_usual_pct: {count:,} records on {newest}, usually {usual:,.0f}; at least "
                f"{section.min_share_of_usual_pct:g} % of that expected"
            )
    return faults
