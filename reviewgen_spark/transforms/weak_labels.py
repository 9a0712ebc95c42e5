"""Weak labels: words in; what the lexicon says of them, out."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.sections import WeakLabelsSection
from reviewgen_spark.transforms.arrow import arrow_schema, to_batch
from reviewgen_spark.transforms.dictionaries import ship_dictionaries, shipped_dictionaries


def vote_on_reviews(tokens: DataFrame, section: WeakLabelsSection, dictionaries: Path) -> DataFrame:
    """Score each review by the lexicon; it abstains below `min_abs_score`, and then the review has no weak label.

    Rows in = rows out.

    Args:
        tokens: silver_tokens of a batch.
        section: When a score is a vote.
        dictionaries: Folder on the driver; shipped to the executors.
    """
    schema = TABLES["silver_weak_labels"].columns
    ship_dictionaries(tokens.sparkSession, dictionaries)
    folder, threshold = dictionaries.name, section.min_abs_score

    def vote_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from reviewgen_spark.text.lexicon import Lexicon

        lexicon = Lexicon(shipped_dictionaries(folder))
        out = arrow_schema(schema)
        for batch in batches:
            scores = [lexicon.score(words) for words in batch.column("tokens").to_pylist()]
            labels = [_label(score, threshold) for score in scores]
            columns = {
                "record_id": batch.column("record_id"),
                "votes": [[("lexicon", label)] if label else [] for label in labels],
                "weak_label": labels,
                "weak_score": scores,
                "batch_id": batch.column("batch_id"),
            }
            yield to_batch(columns, out)

    return tokens.select("record_id", "tokens", "batch_id").mapInArrow(vote_batches, schema)


def _label(score: float, threshold: float) -> str | None:
    if abs(score) < threshold or score == 0:
        return None
    return "positive" if score > 0 else "negative"
