"""Weak labels: what the lexicons say of a review."""

import sys

from reviewgen_spark.assets import dictionaries
from reviewgen_spark.job import run_job
from reviewgen_spark.stage import Stage
from reviewgen_spark.transforms.weak_labels import vote_on_reviews

STAGE = Stage(
    name="weak_labels",
    version=1,
    scope="batch",
    reads=("silver_tokens",),
    writes=("silver_weak_labels",),
    sections=("weak_labels",),
    assets=dictionaries,
    run=lambda inputs: {
        "silver_weak_labels": vote_on_reviews(inputs.tables["silver_tokens"], inputs.config.weak_labels, inputs.assets)
    },
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
