"""Checks whether the newest input is recent and as large as usual. If not, the run ends with exit code 3."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from reviewgen_spark.config import FreshnessSection

USUAL_DAYS = 14
_CLOCK_TOLERANCE = timedelta(minutes=5)  # clocks of two machines differ by seconds


@dataclass(frozen=True)
class Arrival:
    """Counts the records reserved from one delivered file, with the time the file was written.

    Attributes:
        modified_at: Time of the file, which may be wrong.
        record_count: Number of records.
        path: Path of the file below the landing folder.
        arrived_at: Time when a run first saw the file, by the clock of this machine; None means now.
    """

    modified_at: datetime
    record_count: int
    path: str = ""
    arrived_at: datetime | None = None

    def written_at(self, now: datetime) -> datetime:
        """Returns the time of the file, or its arrival if that was earlier: a time in the future is not believed."""
        return min(self.modified_at, self.arrived_at or now, now)


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
        written_at = arrival.written_at(now)
        day = written_at.date()
        by_day[day] = by_day.get(day, 0) + arrival.record_count
        newest = max(newest, written_at) if newest else written_at
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


def future_files(arrivals: Iterable[Arrival], now: datetime) -> list[str]:
    """Returns a line for each file of the last 14 days whose time was in the future when it arrived."""
    lines = {}
    for arrival in arrivals:
        arrived_at = arrival.arrived_at or now
        is_recent = arrived_at > now - timedelta(days=USUAL_DAYS)
        if is_recent and arrival.modified_at > arrived_at + _CLOCK_TOLERANCE:
            lines[arrival.path] = (
                f"{arrival.path}: its time {arrival.modified_at:%Y-%m-%d %H:%M} UTC is in the future; it counts as "
                f"delivered at {arrived_at:%Y-%m-%d %H:%M} UTC. Check the clock of the machine that wrote it"
            )
    return list(lines.values())


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
