"""Ingest: new files of the landing folder into typed records, refused ones apart."""

import sys

from reviewgen_spark.job import run_job
from reviewgen_spark.stage import Stage
from reviewgen_spark.transforms.ingest import ingest_batch
from reviewgen_spark.transforms.landing import plan_batches

STAGE = Stage(
    name="ingest",
    version=3,
    scope="batch",
    reads=("ops_source_files",),
    history=("bronze_reviews",),
    writes=("bronze_reviews", "bronze_reviews_quarantine", "bronze_redeliveries", "bronze_gold_labels"),
    sections=("ingest",),
    plan=plan_batches,
    keeps_done=True,
    run=lambda inputs: ingest_batch(
        inputs.tables["ops_source_files"], inputs.tables["bronze_reviews"], inputs.config, inputs.batch_id
    ),
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
