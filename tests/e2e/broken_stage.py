"""Runs a stage whose rows break a table check and contain a canary; test_privacy.py starts it as a process."""

import sys
from dataclasses import replace

from pyspark.sql import functions as F
from reviewgen_spark.jobs import clean

from reviewgen_spark.orchestration.job import run_job

STAGE = replace(
    clean.STAGE,
    version=99,
    run=lambda inputs: {
        name: rows.withColumn("lang_score", F.lit(2.0)) for name, rows in clean.STAGE.run(inputs).items()
    },
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
