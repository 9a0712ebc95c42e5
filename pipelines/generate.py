"""Writes summaries, replies, product copy and training texts from the nightly tables."""

import sys

from reviewgen_spark.jobs import generate, reply, summarise

from reviewgen_spark.orchestration.job import run_pipeline

WITHOUT_MODEL = (summarise.STAGE, reply.STAGE)  # they extract or fill templates, unless reply.writer is another
STAGES = (*WITHOUT_MODEL, generate.STAGE)

if __name__ == "__main__":
    sys.exit(run_pipeline("generate", STAGES))
