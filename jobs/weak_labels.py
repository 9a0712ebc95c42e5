"""Labels reviews by votes of simple classifiers that use no gold labels, weighted by a label model.

Reads silver_tokens, silver_reviews and the weak labels of earlier batches. Writes silver_weak_labels and
ops_weak_voters.
"""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.word_lists import dictionaries
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.weak_labels import label_weakly

STAGE = Stage(
    name="weak_labels",
    version=3,
    scope="batch",
    reads=("silver_tokens", "silver_reviews"),
    history=("silver_weak_labels",),
    writes=("silver_weak_labels", "ops_weak_voters"),
    sections=("weak_labels",),
    libraries=("vaderSentiment", "textblob", "snownlp"),
    resources=dictionaries,
    run=lambda inputs: label_weakly(
        inputs.tables["silver_tokens"],
        inputs.tables["silver_reviews"],
        inputs.tables["silver_weak_labels"],
        inputs.config.weak_labels,
        inputs.resources,
    ),
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
