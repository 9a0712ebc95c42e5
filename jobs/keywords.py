"""Ranks the keywords of the reviews of each product.

Reads silver_reviews, silver_review_clusters, silver_tokens, and its own gold_product_words. Writes
gold_product_keywords and gold_product_words.
"""

import sys

from pyspark.sql import DataFrame

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Inputs, Resources, Stage, fingerprint
from reviewgen_spark.products.changed_words import ReadBefore, product_words_now
from reviewgen_spark.products.keywords import keywords_by_product


def _keywords(inputs: Inputs) -> dict[str, DataFrame]:
    words = product_words_now(
        inputs.tables,
        ReadBefore(inputs.tables["gold_product_words"], inputs.read_through),
        inputs.batches_of("tokens"),
        fingerprint(STAGE, inputs.config, Resources(), {}),
        inputs.config.keywords,
        inputs.sources,
    ).persist()
    return {"gold_product_keywords": keywords_by_product(words, inputs.config.keywords), "gold_product_words": words}


STAGE = Stage(
    name="keywords",
    version=2,
    scope="table",
    reads=("silver_reviews", "silver_review_clusters", "silver_tokens"),
    history=("gold_product_words",),
    writes=("gold_product_keywords", "gold_product_words"),
    sections=("keywords",),
    libraries=("numpy",),
    run=_keywords,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
