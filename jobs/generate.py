"""Generates training texts similar to sampled training reviews, and copy for reviewed products.

Reads reviews, clusters, splits, tokens and labels; for product copy also those of earlier batches. Writes
gold_generated_texts.
"""

import sys
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.inference.generation.attempts import EXPECTED_ERRORS
from reviewgen_spark.inference.generation.batch import write_batch
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.writers import writing
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.transforms.text_requests import augmentation_requests, copy_requests
from reviewgen_spark.transforms.tokens import unique_reviews


def _generate(inputs: Inputs) -> dict[str, DataFrame]:
    tables, section, seed = inputs.tables, inputs.config.generate, inputs.config.generation.seed
    reviews = unique_reviews(tables["silver_reviews"], tables["silver_review_clusters"])
    labels, words = tables["gold_review_labels"], tables["silver_tokens"]
    batch = inputs.batch_id or 0
    own = [table.where(F.col("batch_id") == batch) for table in (reviews, labels)]
    builders = {
        "augmentation": lambda: augmentation_requests(
            *own, tables["silver_review_splits"], words.where(F.col("batch_id") == batch), section, seed
        ),
        "product_copy": lambda: copy_requests(reviews, labels, words, batch, section, seed),
    }
    requests = reduce(DataFrame.unionByName, (builders[purpose]() for purpose in section.purposes))
    return {
        "gold_generated_texts": write_batch(
            inputs.config, inputs.resources, requests, "gold_generated_texts", inputs.fingerprint, inputs.report
        )
    }


STAGE = Stage(
    name="generate",
    version=3,
    scope="batch",
    reads=(
        "silver_reviews",
        "silver_review_clusters",
        "silver_review_splits",
        "silver_tokens",
        "gold_review_labels",
    ),
    writes=("gold_generated_texts",),
    # Earlier reviews of a product. Earlier stages have written all of them, so batches can run in any order.
    history=("silver_reviews", "silver_review_clusters", "silver_tokens", "gold_review_labels"),
    sections=("generate", "checks", "tokens", "provenance"),
    libraries=("rjieba", "tokenizers"),
    resources=lambda config: writing(config, config.generate.writer, config.generate.purposes),
    expected_errors=EXPECTED_ERRORS,
    max_error_pct=lambda config: config.generate.max_error_pct,
    newest_first=True,
    run=_generate,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
