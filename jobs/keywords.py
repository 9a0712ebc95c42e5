"""Ranks the keywords of the reviews of each product.

Reads silver_reviews, silver_review_clusters and silver_tokens. Writes gold_product_keywords.
"""

import sys

from pyspark.sql import DataFrame

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.products.keywords import keywords_by_product
from reviewgen_spark.transforms.views import current_unique_reviews


def _keywords(inputs: Inputs) -> dict[str, DataFrame]:
    tables = inputs.tables
    current = current_unique_reviews(tables["silver_reviews"], tables["silver_review_clusters"], inputs.sources)
    words = tables["silver_tokens"].select("record_id", "content_words")
    review_words = current.select("product_id", "record_id").join(words, "record_id")
    return {"gold_product_keywords": keywords_by_product(review_words, inputs.config.keywords)}


STAGE = Stage(
    name="keywords",
    version=2,
    scope="table",
    reads=("silver_reviews", "silver_review_clusters", "silver_tokens"),
    writes=("gold_product_keywords",),
    sections=("keywords",),
    libraries=("numpy",),
    run=_keywords,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
