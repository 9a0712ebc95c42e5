"""Declares tables, and the columns that several tables share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

STRING, LONG, INTEGER, DOUBLE, TIMESTAMP = (
    StringType(),
    LongType(),
    IntegerType(),
    DoubleType(),
    TimestampType(),
)
STRINGS = ArrayType(STRING, containsNull=False)


@dataclass(frozen=True)
class Table:
    """Declares a Delta table. `stage` is its only writer; `checks` are SQL conditions that hold for every row.

    A check must accept NULL explicitly (`x IS NULL OR …`). It must not use a text column, because Delta prints the
    values of a row that breaks it.
    """

    name: str
    comment: str
    stage: str
    key: tuple[str, ...]
    columns: StructType
    partition_by: tuple[str, ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_review_level(self) -> bool:
        """Returns whether the table has one partition for each batch, which is replaced as a whole."""
        return self.partition_by == ("batch_id",)

    def frame(self, spark: SparkSession, values: Sequence[Mapping[str, Any]]) -> DataFrame:
        """Creates a small DataFrame with the columns of the table; missing values are null."""
        rows = [tuple(value.get(name) for name in self.columns.names) for value in values]
        return spark.createDataFrame(rows, self.columns, verifySchema=False)


def column(name: str, kind: DataType, comment: str, nullable: bool = True) -> StructField:
    """Declares a column with its meaning, unit and source."""
    return StructField(name, kind, nullable, {"comment": comment})


def columns(*fields: StructField) -> StructType:
    """Returns the columns of a table, in their order."""
    return StructType(list(fields))


RECORD_ID = column("record_id", STRING, "hash of source, review_id, text_raw, title, rating and created_at; hex", False)
BATCH_ID = column("batch_id", LONG, "the batch that brought the record; grows by one", False)
REVIEW_ID = column("review_id", STRING, "the shop's id of the review, or a hash where the source has none", False)
SOURCE_FILE = column("source_file", STRING, "file the record came from, relative to the landing folder")
SOURCE_LINE = column("source_line", LONG, "its record number in that file, from 1")
MODEL_NAME = column("model_name", STRING, "registered model that predicted", False)
MODEL_VERSION = column("model_version", LONG, "its version in the registry", False)
PRODUCT_ID = column("product_id", STRING, "the shop's product id", False)
CATEGORY = column("category", STRING, "product category as the shop names it")
RATING = column("rating", INTEGER, "stars, 1 to 5")
CREATED_AT = column("created_at", TIMESTAMP, "when the review was written, UTC", False)
UPDATED_AT = column("updated_at", TIMESTAMP, "when it was last edited, UTC, where the source says")
