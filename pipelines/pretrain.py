"""Pre-training: a corpus of unlabelled reviews from the tables, and a language model that has read it."""

import sys

from reviewgen_spark.jobs import pretrain, pretraining_corpus

from reviewgen_spark.orchestration.job import run_pipeline

STAGES = (pretraining_corpus.STAGE, pretrain.STAGE)

if __name__ == "__main__":
    sys.exit(run_pipeline("pretrain", STAGES))
