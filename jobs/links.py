"""Links the records of each batch with earlier ones: edits that supersede records, and copies that enlarge groups.

Reads silver_reviews, silver_review_clusters and silver_review_splits up to the batch. Writes silver_superseded_reviews
and gold_copy_facts.
"""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.links import link_batches

STAGE = Stage(
    name="links",
    version=1,
    scope="batches",
    reads=("silver_reviews",),
    optional=("silver_review_clusters", "silver_review_splits"),
    history=("silver_reviews", "silver_review_clusters", "silver_review_splits"),
    writes=("silver_superseded_reviews", "gold_copy_facts"),
    run=lambda inputs: link_batches(
        inputs.tables["silver_reviews"],
        inputs.tables["silver_review_clusters"],
        inputs.tables["silver_review_splits"],
        inputs.batches,
        inputs.sources,
    ),
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
