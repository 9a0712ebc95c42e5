"""Pre-training corpus: the unlabelled reviews that a language model reads, as Parquet shards with a manifest."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.corpus_files import write_pretraining_corpus

STAGE = Stage(
    name="pretraining_corpus",
    version=1,
    scope="table",
    reads=("silver_reviews", "silver_review_clusters", "silver_review_splits"),
    writes=(),
    makes_files=True,
    run=write_pretraining_corpus,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
