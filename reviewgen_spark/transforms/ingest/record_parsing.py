"""Parses a delivered record of plain values into a typed review, or returns the reasons why it is refused.

Pure Python, one pass a record. A bad value gives a reason, never an exception, so no error message can print it.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from reviewgen_spark.schemas.tasks import ASPECT_TASK
from reviewgen_spark.transforms.ingest.columns import REQUIRED_GOLD_COLUMNS, REVIEW_COLUMNS, Feed
from reviewgen_spark.transforms.ingest.json_text import write_json

_EXACT = 2**53  # a float from here on may stand for several integers
_MILLISECONDS = 10**11  # a number of seconds from here on is after the year 5138
_FIRST_SECOND = 10**8  # 1973; a smaller number is rather a date without separators
_LOCAL_TIME = re.compile(r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?")
_REVIEW_COLUMNS = frozenset(REVIEW_COLUMNS)
ASPECT_LABELS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Parsed:
    """Holds a record's typed values, or the reasons why it has none."""

    values: dict[str, Any]
    reasons: tuple[str, ...]


class ReviewParser:
    """Parses the records of one file in order.

    It counts equal records without a review_id, because their number within the file distinguishes them. So 100,000
    anonymous default reviews stay 100,000 reviews, and the same file delivered twice gives the same ids.

    `occurrences` counts the records that the parser has had by their hash. Its first content is of the records before.
    """

    def __init__(self, source: str, timezone: ZoneInfo, occurrences: Counter[str] | None = None) -> None:
        self._source = source
        self._timezone = timezone
        self._occurrences = Counter() if occurrences is None else occurrences

    def parse(self, record: Mapping[str, Any]) -> Parsed:
        """Converts the values of a record to their types.

        Reasons: `<column>_missing` for a required value that is absent, `<column>_wrong_type`, `<column>_not_exact` for
        an id that was delivered as a float of 2**53 or more, `rating_out_of_range`, `extra_too_deep`. A text that is
        empty or null is accepted here; the quality rules judge it. One that is absent is missing.
        """
        reasons: list[str] = []
        product_id = _identifier(record, "product_id", reasons, required=True)
        user_id = _identifier(record, "user_id", reasons)
        review_id = _identifier(record, "review_id", reasons)
        text = "" if record.get("text", "") is None else _string(record, "text", reasons, required=True)
        title = _string(record, "title", reasons)
        category = _string(record, "category", reasons)
        rating = _rating(record.get("rating"), reasons)
        created_at = _timestamp(record, "created_at", self._timezone, reasons, required=True)
        updated_at = _timestamp(record, "updated_at", self._timezone, reasons)
        extra = _extra(record, reasons)
        if reasons:
            return Parsed({}, tuple(reasons))
        assert created_at is not None
        instant = created_at.isoformat()  # in UTC, so the same for the same moment
        if review_id is None:
            anonymous = _hash(self._source, product_id, user_id, instant, text)
            self._occurrences[anonymous] += 1
            review_id = _hash(anonymous, self._occurrences[anonymous])
        record_id = _hash(self._source, review_id, text, title, rating, instant)
        values = {
            "record_id": record_id,
            "review_id": review_id,
            "product_id": product_id,
            "user_id": user_id,
            "category": category,
            "rating": rating,
            "title": title,
            "text_raw": text,
            "created_at": created_at,
            "updated_at": updated_at,
            "source": self._source,
            "extra": extra,
        }
        return Parsed(values, ())


def parser_of(
    feed_code: str, source: str, timezone: ZoneInfo, occurrences: Counter[str] | None = None
) -> Callable[[Mapping[str, Any]], Parsed]:
    """Returns a new parser for one file of a feed; it must be called with the records in their order.

    See `ReviewParser` for `occurrences`.
    """
    if feed_code == "reviews":
        return ReviewParser(source, timezone, occurrences).parse
    return partial(parse_gold_label, review_source=source)


def parse_gold_label(record: Mapping[str, Any], review_source: str | None = None) -> Parsed:
    """Converts the values of a human label to their types; the reasons are those of a review, and two more.

    `aspect_missing`: a task `aspect:<aspect>` without an aspect. `polarity_unknown`: such a task with another label
    than negative, neutral or positive. Other tasks and their labels are not checked here.

    Args:
        record: the values of the record.
        review_source: the source of the labelled review, if the record has no column review_source.
    """
    reasons: list[str] = []
    values = {name: _identifier(record, name, reasons, required=True) for name in REQUIRED_GOLD_COLUMNS}
    values["source"] = _identifier(record, "source", reasons) or "unknown"
    values["review_source"] = _identifier(record, "review_source", reasons) or review_source
    task = values["task"] or ""
    if task.startswith(ASPECT_TASK):
        aspect = task.removeprefix(ASPECT_TASK).strip()
        values["task"] = ASPECT_TASK + aspect
        if not aspect:
            reasons.append("aspect_missing")
        if values["label"] is not None and values["label"] not in ASPECT_LABELS:
            reasons.append("polarity_unknown")
    return Parsed({} if reasons else values, tuple(reasons))


def _hash(*values: Any) -> str:
    """Returns 128 bits of BLAKE2b over the values as a JSON array, so that different lists give different bytes."""
    return hashlib.blake2b(orjson.dumps(values), digest_size=16).hexdigest()


def _extra(record: Mapping[str, Any], reasons: list[str]) -> dict[str, str]:
    """Returns the columns that are not known, as JSON texts."""
    if record.keys() <= _REVIEW_COLUMNS:  # nearly always
        return {}
    try:
        return {
            str(name): write_json(value)
            for name, value in record.items()
            if name not in REVIEW_COLUMNS and value is not None
        }
    except ValueError:
        reasons.append("extra_too_deep")
        return {}


def _identifier(record: Mapping[str, Any], name: str, reasons: list[str], required: bool = False) -> str | None:
    """Returns a string, also for a whole number; an empty string counts as absent."""
    value = record.get(name)
    if isinstance(value, str):  # nearly always
        if value == "" and required:
            reasons.append(f"{name}_missing")
        return value or None
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= _EXACT:
            reasons.append(f"{name}_not_exact")
            return None
        value = int(value)  # pandas writes integers as floats if one value is missing
    if isinstance(value, float) and math.isnan(value):
        value = None  # pandas' missing value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        if required:
            reasons.append(f"{name}_missing")
        return None
    if not isinstance(value, str):
        reasons.append(f"{name}_wrong_type")
        return None
    return value


def _string(record: Mapping[str, Any], name: str, reasons: list[str], required: bool = False) -> str | None:
    """Returns a string, also for a number, because writers take a category or a text of digits for one."""
    value = record.get(name)
    if isinstance(value, str):
        return value
    if value is None:
        if required:
            reasons.append(f"{name}_missing")
        return None
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value):
        value = f"{value:g}" if isinstance(value, float) and abs(value) < _EXACT else str(value)
    if not isinstance(value, str):
        reasons.append(f"{name}_wrong_type")
        return None
    return value


def _rating(value: Any, reasons: list[str]) -> int | None:
    if type(value) is int and 1 <= value <= 5:  # nearly always
        return value
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise ValueError
        number = float(value)
        if not math.isfinite(number) or not number.is_integer():
            raise ValueError
    except (ValueError, OverflowError):
        reasons.append("rating_wrong_type")
        return None
    if not 1 <= number <= 5:
        reasons.append("rating_out_of_range")
        return None
    return int(number)


def _timestamp(
    record: Mapping[str, Any], name: str, timezone: ZoneInfo, reasons: list[str], required: bool = False
) -> datetime | None:
    """Returns a time as UTC; one without a zone is in `timezone`. See `parse_time` for what is read."""
    value = record.get(name)
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        if required:
            reasons.append(f"{name}_missing")
        return None
    try:
        return parse_time(value, timezone)
    except (ValueError, OverflowError):
        reasons.append(f"{name}_wrong_type")
        return None


def parse_time(value: Any, timezone: ZoneInfo) -> datetime:
    """Returns a time as UTC.

    Reads ISO 8601 (`2026-01-05T10:00:00+08:00`, `2026-01-05 10:00`, `20260105`), dates with slashes or dots as year,
    month, day (`2026/1/5 10:00`), seconds and milliseconds since 1970 as numbers, dates and datetimes.

    Raises:
        ValueError: it is none of these, or outside of the years 1970 to 9998.
        OverflowError: likewise.
    """
    if isinstance(value, str):
        value = _time_of_text(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if abs(value) >= _MILLISECONDS else value
        if seconds < _FIRST_SECOND:
            raise ValueError
        value = datetime.fromtimestamp(seconds, UTC)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise ValueError
    at = (value if value.tzinfo else value.replace(tzinfo=timezone)).astimezone(UTC)
    if not 1970 <= at.year <= 9998:
        raise ValueError
    return at


def _time_of_text(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        parts = _LOCAL_TIME.fullmatch(text)
        if parts is None:
            raise
        year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups())
        return datetime(year, month, day, hour, minute, second)


def is_whole_record(values: Mapping[str, Any], feed: Feed, timezone: ZoneInfo) -> bool:
    """Returns whether no required column is blank, and times and rating can be read, as of a whole record.

    The rating counts, because the last line of a long text can have as many separators as a record, and ends with the
    time of its own record.
    """
    if any(not str(values.get(name, "")).strip() for name in feed.required):
        return False
    reasons: list[str] = []
    present = {name: value for name, value in values.items() if value != ""}
    for name in ("created_at", "updated_at"):
        if name in feed.known:
            _timestamp(present, name, timezone, reasons)
    if "rating" in feed.known:
        _rating(present.get("rating"), reasons)
    return not reasons
