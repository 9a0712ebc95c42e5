"""Writes the unlabelled reviews for pre-training, as Parquet shards with a manifest.

Reads silver_reviews, silver_review_clusters and silver_review_splits. Writes files only.
"""

import sys
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.transforms.corpus import unlabelled_reviews
from reviewgen_spark.transforms.corpus_files import SPLITS, write_shards

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _pretraining_corpus(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Writes the unlabelled reviews of train and validation in the format of the labelled corpus."""
    names = ("silver_reviews", "silver_review_clusters", "silver_review_splits")
    rows = unlabelled_reviews(*(inputs.tables[name] for name in names)).persist()
    splits = SPLITS[:2]
    sizes = F.sum(F.length("text")).alias("characters")
    totals = {row["split"]: row for row in rows.groupBy("split").agg(F.count("*").alias("rows"), sizes).collect()}
    counts = {split: totals[split]["rows"] if split in totals else 0 for split in splits}
    characters = {split: totals[split]["characters"] if split in totals else 0 for split in splits}
    write_shards(inputs.out, inputs.fingerprint, rows, splits, rows_by_split=counts, characters_by_split=characters)
    inputs.report(", ".join(f"{split} {counts[split]:,} rows, {characters[split]:,} characters" for split in splits))
    return {}


STAGE = Stage(
    name="pretraining_corpus",
    version=1,
    scope="table",
    reads=("silver_reviews", "silver_review_clusters", "silver_review_splits"),
    writes=(),
    makes_files=True,
    run=_pretraining_corpus,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
