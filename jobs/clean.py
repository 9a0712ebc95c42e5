"""Cleans reviews: normalises and masks texts, and replaces user ids by keyed hashes.

Reads bronze_reviews, and ops_source_files for the time of delivery. Writes good reviews to silver_reviews, reviews that
break a quality rule to silver_reviews_quarantine, and counts to ops_clean_metrics.
"""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.user_key import user_key
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.clean import clean_batch

STAGE = Stage(
    name="clean",
    version=4,
    scope="batch",
    reads=("bronze_reviews", "ops_source_files"),
    writes=("silver_reviews", "silver_reviews_quarantine", "ops_clean_metrics"),
    sections=("clean", "quality"),
    libraries=("ftfy", "opencc"),
    resources=user_key,
    run=lambda inputs: clean_batch(
        inputs.tables["bronze_reviews"],
        inputs.tables["ops_source_files"],
        inputs.config.clean,
        inputs.config.quality,
        inputs.resources,
    ),
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
