"""Writes a labelled corpus, fine-tunes a classifier on it, evaluates it and registers it."""

import sys

from reviewgen_spark.jobs import corpus, evaluate, finetune, register

from reviewgen_spark.orchestration.job import run_pipeline

STAGES = (corpus.STAGE, finetune.STAGE, evaluate.STAGE, register.STAGE)

if __name__ == "__main__":
    sys.exit(run_pipeline("train", STAGES))
