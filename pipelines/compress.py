"""Trains a small model on the champion's predictions, prunes and exports it, and registers it under its own alias."""

import sys

from reviewgen_spark.jobs import compress, corpus, distil, pretraining_corpus, register_compressed

from reviewgen_spark.orchestration.job import run_pipeline

STAGES = (corpus.STAGE, pretraining_corpus.STAGE, distil.STAGE, compress.STAGE, register_compressed.STAGE)

if __name__ == "__main__":
    sys.exit(run_pipeline("compress", STAGES))
