"""Computes the satisfaction of each product from its labels.

Reads silver_reviews, silver_review_clusters and gold_review_labels. Writes gold_product_satisfaction.
"""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.products.satisfaction import satisfaction_by_product
from reviewgen_spark.transforms.views import VIEWS

STAGE = Stage(
    name="satisfaction",
    version=2,
    scope="table",
    reads=("silver_reviews", "silver_review_clusters", "gold_review_labels"),
    writes=("gold_product_satisfaction",),
    sections=("satisfaction",),
    run=lambda inputs: {
        "gold_product_satisfaction": satisfaction_by_product(
            VIEWS["gold_labelled_reviews"](inputs.tables.__getitem__, inputs.sources), inputs.config.satisfaction
        )
    },
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
