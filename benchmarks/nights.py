"""Makes deliveries of reviews and a fast champion for benchmarks of nightly runs."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from b3_label import build_model

from reviewgen_spark.config import load_config
from reviewgen_spark.models.classifier.model_folder import CURVE_FILE
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.registry.registration import register

REVIEWS_A_PRODUCT = 200
ROWS_A_FILE = 50_000
_START = datetime(2026, 1, 1, tzinfo=UTC)


def deliver(root: Path, name: str, texts: Sequence[str], first: int = 0) -> None:
    """Writes reviews into the landing folder as Parquet files; `first` is the number of the first review."""
    folder, draw = root / "landing" / "reviews", random.Random(first)
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(texts), ROWS_A_FILE):
        part = range(first + start, first + min(start + ROWS_A_FILE, len(texts)))
        columns = {
            "review_id": [f"R{row}" for row in part],
            "product_id": [f"P{row // REVIEWS_A_PRODUCT}" for row in part],
            "user_id": [f"u{row // 3}" for row in part],
            "category": ["酒店"] * len(part),
            "rating": [draw.randint(1, 5) for _ in part],
            "title": [""] * len(part),
            "text": [texts[row - first] for row in part],
            "created_at": [_START + timedelta(seconds=row) for row in part],
        }
        pq.write_table(pa.table(columns), folder / f"{name}-{start:09}.parquet")


def register_champion(root: Path, base: str) -> None:
    """Registers a model of this base with a random head, or a trained folder; speed does not depend on training."""
    config = load_config("local", [f"paths.root={root}"])
    (root / "model").mkdir(parents=True)
    folder = build_model(base, root / "model")
    if not (folder / CURVE_FILE).is_file():
        (folder / CURVE_FILE).write_text("[]", encoding="utf-8")
    register(
        folder,
        [Score("model", "test", "all", "f1", 0.5, 0.5, 0.5, 1)],
        "a benchmark",
        {},
        {},
        config.models.name,
        config.paths.tracking_uri,
        Path(config.paths.model_artifacts),
        lambda champion: (True, "a benchmark"),
    )
