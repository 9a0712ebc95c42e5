"""Computes the satisfaction of each product from its labels.

Reads gold_product_facts and silver_superseded_reviews, and the clusters and labels of superseded records. Writes
gold_product_satisfaction.
"""

import sys

from pyspark.sql import DataFrame
from reviewgen_spark.jobs import facts, links

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.products.satisfaction import satisfaction_by_product
from reviewgen_spark.transforms.facts import current_product_facts, superseded_facts


def _satisfaction(inputs: Inputs) -> dict[str, DataFrame]:
    counted = current_product_facts(inputs.tables["gold_product_facts"], superseded_facts(inputs.tables))
    return {"gold_product_satisfaction": satisfaction_by_product(counted, inputs.config.satisfaction)}


STAGE = Stage(
    name="satisfaction",
    version=2,
    scope="table",
    reads=("gold_product_facts", "silver_superseded_reviews", "silver_review_clusters", "gold_review_labels"),
    writes=("gold_product_satisfaction",),
    sections=("satisfaction",),
    needs=(facts.STAGE, links.STAGE),
    run=_satisfaction,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
