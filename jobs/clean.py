"""Clean: normalise and mask texts, replace user ids by keyed hashes."""

import sys

from reviewgen_spark.assets import user_key
from reviewgen_spark.job import run_job
from reviewgen_spark.stage import Stage
from reviewgen_spark.transforms.clean import clean_reviews

STAGE = Stage(
    name="clean",
    version=1,
    scope="batch",
    reads=("bronze_reviews",),
    writes=("silver_reviews",),
    sections=("clean",),
    libraries=("ftfy", "opencc"),
    assets=user_key,
    run=lambda inputs: {
        "silver_reviews": clean_reviews(inputs.tables["bronze_reviews"], inputs.config.clean, inputs.assets)
    },
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
