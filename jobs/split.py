"""Assigns train, validation or test to each review, by a hash of its frozen cluster.

Reads silver_review_clusters. Writes silver_review_splits.
"""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.split import split_reviews

STAGE = Stage(
    name="split",
    version=2,
    scope="batch",
    reads=("silver_review_clusters",),
    writes=("silver_review_splits",),
    sections=("split",),
    run=lambda inputs: {
        "silver_review_splits": split_reviews(inputs.tables["silver_review_clusters"], inputs.config.split)
    },
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
