"""Makes small tables for tests of transforms, and labelling models for tests of stages."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from reviewgen_spark.config import Config, FinetuneSection, load_config
from reviewgen_spark.models.classifier.model_folder import folder_sha256
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.registry.registration import register
from reviewgen_spark.models.training.finetuning import finetune
from reviewgen_spark.warehouse.tables import Warehouse
from tests.models.conftest import QUICK, make_rows, write_corpus
from tests.spark.labelling import Model

DAY = datetime(2026, 1, 5, tzinfo=UTC)
Table = Callable[..., DataFrame]


@pytest.fixture
def table(spark: SparkSession, config: Config) -> Table:
    """Returns a function that makes a DataFrame of a table from dictionaries; missing fields have defaults."""
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


def values_by_id(rows: DataFrame, *columns: str) -> dict[str, Any]:
    """Returns the value of a column by record_id, or of several columns as a tuple."""
    return {
        row.record_id: tuple(row[c] for c in columns) if len(columns) > 1 else row[columns[0]] for row in rows.collect()
    }


def bronze(table: Table) -> DataFrame:
    return table(
        "bronze_reviews",
        {
            "record_id": "a",
            "text_raw": "质量<b>很好</b>，电话13800000000",
            "title": "Ａ级",
            "user_id": "u1",
            "rating": 5,
        },
        {"record_id": "b", "text_raw": "", "user_id": None},
        {"record_id": "c", "text_raw": None, "user_id": "u1"},
        {"record_id": "d", "text_raw": "此用户没有填写评价。", "user_id": "u2"},
    )


def register_champion(root: Path) -> None:
    """Registers a tiny model as version 1 of `review_sentiment` below a root folder; training takes seconds."""
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
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("label")
    corpus = write_corpus(folder / "corpus", {"train": make_rows(160, 0), "validation": make_rows(40, 1000)})
    section = FinetuneSection(
        max_tokens=32, vocabulary_size=500, epochs=3, learning_rate=3e-3, precision="float32", threads=1
    )
    finetune(corpus, "scratch:tiny", section, folder / "model", lambda line: None)
    return Model("sentiment", 3, folder_sha256(folder / "model"), folder / "model")


@pytest.fixture(scope="session")
def registry_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a root folder whose registry has a champion."""
    root = tmp_path_factory.mktemp("registry")
    register_champion(root)
    return root
