"""Tables of a few rows for the tests of transforms."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.tables import Warehouse

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
