"""Tables of a few rows for the tests of transforms."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.models.evaluation import Score
from reviewgen_spark.models.finetuning import finetune
from reviewgen_spark.models.registration import register
from reviewgen_spark.tables import Warehouse
from tests.models.conftest import QUICK, make_rows, write_corpus

DAY = datetime(2026, 1, 5, tzinfo=UTC)
Table = Callable[..., DataFrame]


@pytest.fixture
def table(spark: SparkSession, config: Config) -> Table:
    """A DataFrame of a table's shape from dictionaries; what they leave out has a plain value."""
    plain = {
        "product_id": "p",
        "created_at": DAY,
        "batch_id": 1,
        "source": "shop",
        "source_file": "f",
        "source_line": 1,
    }

    def make(name: str, *rows: dict[str, Any]) -> DataFrame:
        filled = [{**plain, "review_id": row.get("record_id", "r"), **row} for row in rows]
        return Warehouse(spark, config).rows(name, filled)

    return make


def register_champion(root: Path) -> None:
    """Give the registry below a root folder version 1 of `review_sentiment`, tiny and trained for seconds."""
    corpus = write_corpus(root / "corpus", {"train": make_rows(160, 0), "validation": make_rows(40, 1000)})
    model = finetune(corpus, "scratch:tiny", QUICK, root / "model", lambda line: None)
    register(
        model.folder,
        [Score("model", "test", "all", "f1", 0.9, 0.8, 0.95, 40)],
        "first",
        {},
        {},
        "review_sentiment",
        load_config("local", [f"paths.root={root}"]).paths.tracking_uri,
        root / "mlflow" / "artifacts",
        lambda champion: (True, "the first"),
    )


@pytest.fixture(scope="session")
def registry_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder whose registry has a champion."""
    root = tmp_path_factory.mktemp("registry")
    register_champion(root)
    return root
