"""Label: the champion model says what each unique review feels."""

import sys

from reviewgen_spark.inference.stage import champion_assets, label_batch
from reviewgen_spark.job import run_job
from reviewgen_spark.stage import Stage

STAGE = Stage(
    name="label",
    version=1,
    scope="batch",
    reads=("silver_reviews", "silver_review_clusters"),
    writes=("gold_review_labels",),
    sections=("label",),
    libraries=("tokenizers",),
    assets=champion_assets,
    max_error_pct=lambda config: config.label.max_error_pct,
    run=label_batch,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
