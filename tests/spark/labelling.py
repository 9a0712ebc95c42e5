"""Makes a model and reviews for the tests of labelling and shipping."""

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, Row, SparkSession

from reviewgen_spark.config import LabelSection
from reviewgen_spark.models.classifier.model_folder import MODEL_FILES
from tests.models.conftest import BAD, GOOD, THINGS

INPUT = "record_id string, batch_id long, text_clean string"
SECTION = LabelSection(max_chars=200, tokens_per_batch=256)


@dataclass(frozen=True)
class Model:
    name: str
    version: int
    sha256: str
    path: Path

    @property
    def uri(self) -> str:
        return self.path.as_uri()


@dataclass(frozen=True)
class Held:
    """Replaces a broadcast."""

    value: dict[str, bytes]


def read_files(model: Model) -> dict[str, bytes]:
    return {name: (model.path / name).read_bytes() for name in MODEL_FILES}


def make_reviews(spark: SparkSession, partitions: int = 2) -> DataFrame:
    rows: list[tuple[str, int, str | None]] = [
        (f"id{index:03d}", 7, THINGS[index % 8] + (GOOD + BAD)[index % 12] * (1 + index % 9)) for index in range(120)
    ]
    rows += [("null", 7, None), ("empty", 7, ""), ("spaces", 7, " \n"), ("long", 7, "好" * 201), ("cut", 7, "好" * 90)]
    rows += [("million", 7, "好" * 1_000_000)]
    return spark.createDataFrame(rows, INPUT).repartition(partitions)


def by_id(frame: DataFrame) -> dict[str, Row]:
    """Returns the rows by record_id, and checks that each id occurs once."""
    rows = frame.collect()
    by_record = {row.record_id: row for row in rows}
    assert len(by_record) == len(rows)
    return by_record
