"""Makes rows for B2: distinct texts spliced from sentences of several real reviews, and near copies in clusters.

At every size a fifth of the rows are near copies, and cluster sizes have the same shares: of ten clusters six have two
members, two have three, one has five and one has ten.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from reviews import real_lines

from reviewgen_spark.config import CleanSection
from reviewgen_spark.text.cleaning.cleaner import Cleaner, key_of

COPY_SHARE, HOT_SHARE = 0.2, 0.05
SIZES = (2, 2, 2, 2, 2, 2, 3, 3, 5, 10)
FILES = 4
_SENTENCE = re.compile(r"[^。！？!?；;]{8,60}[。！？!?；;]")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("review_id", pa.string()),
        ("product_id", pa.string()),
        ("text_clean", pa.string()),
        ("text_hash", pa.string()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("batch_id", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Row:
    """A text and the number of its planted cluster; -1 for none."""

    text: str
    cluster: int


def near_copy(text: str, draw: random.Random) -> str:
    """Returns a copy with one edit for each 12 to 60 characters."""
    characters = list(text)
    for _ in range(max(1, len(text) // draw.randrange(12, 60))):
        index = draw.randrange(len(characters))
        characters[index : index + 1] = draw.choice(([], [characters[index]] * 2, [draw.choice(text)]))
        characters = characters or [text[0]]
    return "".join(characters)


def spliced_rows(rows: int, seed: int = 3, hot: bool = False) -> Iterator[Row]:
    """Returns `rows` texts in a random order; with `hot` one text is 5 % of them."""
    draw = random.Random(seed)
    sentences = sorted({sentence for line in real_lines() for sentence in _SENTENCE.findall(line)})
    texts: list[Row] = []
    hot_text = "".join(draw.sample(sentences, 3))
    if hot:
        texts += [Row(hot_text, -1)] * round(rows * HOT_SHARE)
    copies, cluster = 0, 0
    while copies < rows * COPY_SHARE:
        original = "".join(draw.sample(sentences, draw.randint(2, 5)))
        size = SIZES[cluster % len(SIZES)]
        texts.append(Row(original, cluster))
        texts += [Row(near_copy(original, draw), cluster) for _ in range(size - 1)]
        copies, cluster = copies + size - 1, cluster + 1
    while len(texts) < rows:
        texts.append(Row("".join(draw.sample(sentences, draw.randint(2, 5))), -1))
    texts = texts[:rows]
    draw.shuffle(texts)
    return iter(texts)


def write_silver(folder: Path, rows: list[Row], first: int, batch_id: int) -> None:
    """Writes the rows with the columns of silver_reviews that the dedup stage reads, as Parquet files."""
    folder.mkdir(parents=True)
    cleaner, size = Cleaner(CleanSection(mask_pii=False)), -(-len(rows) // FILES)
    for start in range(0, len(rows), size):
        part = [
            (first + start + index, cleaner.clean(row.text)) for index, row in enumerate(rows[start : start + size])
        ]
        columns = {
            "record_id": [f"{number:010}" for number, _ in part],
            "review_id": [f"R{number}" for number, _ in part],
            "product_id": ["P"] * len(part),
            "text_clean": [text.text_clean for _, text in part],
            "text_hash": [text.text_hash for _, text in part],
            "created_at": [_NOW] * len(part),
            "batch_id": [batch_id] * len(part),
        }
        pq.write_table(pa.table(columns, _SCHEMA), folder / f"part-{start:09}.parquet", row_group_size=50_000)


def write_keys(folder: Path, rows: list[Row]) -> None:
    """Writes the rows of rivals: the same normal form, with spaces between characters for their word n-grams."""
    folder.mkdir(parents=True)
    keys = [" ".join(key_of(row.text)) for row in rows]
    pq.write_table(pa.table({"id": list(range(len(keys))), "text": keys}), folder / "part.parquet")
