"""Summarises the reviews of each product by quoted sentences and counts.

Reads silver_reviews, silver_review_clusters and gold_product_keywords. Writes gold_product_summaries.
"""

import sys

from pyspark.sql import DataFrame

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.word_lists import word_and_safety_lists
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.products.summaries import summaries_by_product
from reviewgen_spark.transforms.views import current_unique_reviews


def _summarise(inputs: Inputs) -> dict[str, DataFrame]:
    tables, config = inputs.tables, inputs.config
    summaries = summaries_by_product(
        current_unique_reviews(tables["silver_reviews"], tables["silver_review_clusters"], inputs.sources),
        tables["gold_product_keywords"],
        config,
        inputs.resources,
        inputs.fingerprint,
    )
    return {"gold_product_summaries": summaries}


STAGE = Stage(
    name="summarise",
    version=2,
    scope="table",
    reads=("silver_reviews", "silver_review_clusters", "gold_product_keywords"),
    writes=("gold_product_summaries",),
    sections=("summarise", "tokens", "checks", "provenance"),
    libraries=("rjieba", "jieba", "spacy"),
    resources=word_and_safety_lists,
    run=_summarise,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
