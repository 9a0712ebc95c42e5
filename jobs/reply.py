"""Writes a reply of the shop to each review that complains.

Reads silver_reviews, silver_review_clusters and gold_review_labels. Writes gold_review_replies.
"""

import sys

from pyspark.sql import DataFrame

from reviewgen_spark.inference.generation.attempts import EXPECTED_ERRORS
from reviewgen_spark.inference.generation.batch import write_batch
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.writers import writing
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.transforms.text_requests import reply_requests
from reviewgen_spark.transforms.tokens import unique_reviews


def _reply(inputs: Inputs) -> dict[str, DataFrame]:
    tables, config = inputs.tables, inputs.config
    reviews = unique_reviews(tables["silver_reviews"], tables["silver_review_clusters"])
    requests = reply_requests(reviews, tables["gold_review_labels"], config.reply, config.generation.seed)
    return {
        "gold_review_replies": write_batch(
            config, inputs.resources, requests, "gold_review_replies", inputs.fingerprint, inputs.report
        )
    }


STAGE = Stage(
    name="reply",
    version=3,
    scope="batch",
    reads=("silver_reviews", "silver_review_clusters", "gold_review_labels"),
    writes=("gold_review_replies",),
    sections=("reply", "checks", "tokens", "provenance"),
    libraries=("rjieba", "tokenizers"),
    resources=lambda config: writing(config, config.reply.writer, ("reply",)),
    expected_errors=EXPECTED_ERRORS,
    max_error_pct=lambda config: config.reply.max_error_pct,
    newest_first=True,
    run=_reply,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
