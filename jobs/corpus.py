"""Corpus: the labelled reviews that a model learns from, as Parquet shards with a manifest."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import corpus_labels
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.corpus_files import write_corpus

STAGE = Stage(
    name="corpus",
    version=2,
    scope="table",
    reads=(
        "silver_reviews",
        "silver_review_clusters",
        "silver_review_splits",
        "bronze_gold_labels",
        "silver_weak_labels",
    ),
    writes=(),
    assets=corpus_labels,
    makes_files=True,
    run=write_corpus,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
