"""Counts what the records of each batch are, for all readers that add up batches.

Reads the bronze, silver and gold tables of a batch. Writes gold_product_facts, gold_shop_facts and gold_word_facts.
"""

import sys

from reviewgen_spark.config import Config
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Resources, Stage
from reviewgen_spark.transforms.facts import count_batches


def _timezone(config: Config) -> Resources:
    # The other settings of the report must not enter the fingerprint, because they change no fact.
    return Resources({"timezone": config.report.timezone}, config.report.timezone)


STAGE = Stage(
    name="facts",
    version=1,
    scope="batches",
    reads=("bronze_reviews", "bronze_reviews_quarantine", "bronze_redeliveries"),
    optional=(
        "silver_reviews",
        "silver_reviews_quarantine",
        "silver_review_clusters",
        "silver_review_splits",
        "silver_tokens",
        "silver_weak_labels",
        "gold_review_labels",
    ),
    writes=("gold_product_facts", "gold_shop_facts", "gold_word_facts"),
    resources=_timezone,
    run=lambda inputs: count_batches(inputs.tables, inputs.resources),
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
