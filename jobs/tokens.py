"""Splits clean texts into words.

Reads silver_reviews and silver_review_clusters. Writes silver_tokens.
"""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.word_lists import dictionaries
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.tokens import tokenise_reviews

STAGE = Stage(
    name="tokens",
    version=3,
    scope="batch",
    reads=("silver_reviews", "silver_review_clusters"),
    writes=("silver_tokens",),
    sections=("tokens",),
    libraries=("rjieba", "jieba", "spacy"),
    resources=dictionaries,
    run=lambda inputs: {
        "silver_tokens": tokenise_reviews(
            inputs.tables["silver_reviews"],
            inputs.tables["silver_review_clusters"],
            inputs.config.tokens,
            inputs.resources,
        )
    },
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
