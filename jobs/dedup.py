"""De-duplication: find the copies of a text and freeze its cluster."""

import sys

from reviewgen_spark.job import run_job
from reviewgen_spark.stage import Stage
from reviewgen_spark.transforms.dedup import cluster_reviews

STAGE = Stage(
    name="dedup",
    version=1,
    scope="batch",
    reads=("silver_reviews",),
    history=("silver_review_clusters",),
    writes=("silver_review_clusters",),
    sections=("dedup",),
    run=lambda inputs: {
        "silver_review_clusters": cluster_reviews(
            inputs.tables["silver_reviews"], inputs.tables["silver_review_clusters"]
        )
    },
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
