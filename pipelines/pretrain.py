"""Writes a corpus of unlabelled reviews and pre-trains a language model on it."""

import sys

from reviewgen_spark.jobs import pretrain, pretraining_corpus

from reviewgen_spark.orchestration.job import run_pipeline

STAGES = (pretraining_corpus.STAGE, pretrain.STAGE)

if __name__ == "__main__":
    sys.exit(run_pipeline("pretrain", STAGES))
