"""Writes corpora, pre-trains and fine-tunes a model that writes texts for requests, evaluates it and registers it."""

import sys

from reviewgen_spark.jobs import (
    corpus,
    evaluate_generator,
    finetune_generator,
    pretrain_generator,
    pretraining_corpus,
    register_generator,
)

from reviewgen_spark.orchestration.job import run_pipeline

STAGES = (
    pretraining_corpus.STAGE,
    pretrain_generator.STAGE,
    corpus.STAGE,
    finetune_generator.STAGE,
    evaluate_generator.STAGE,
    register_generator.STAGE,
)

if __name__ == "__main__":
    sys.exit(run_pipeline("train_generator", STAGES))
