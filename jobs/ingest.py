"""Reads new files of the landing folder into typed records, and puts bad records into quarantine.

Reads the landing folder, ops_source_files, erasures, and earlier batches of bronze_reviews. Writes the bronze tables.
"""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.user_key import user_key
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.erasure.affected_rows import read_erased
from reviewgen_spark.transforms.ingest.batch_plan import plan_batches
from reviewgen_spark.transforms.ingest.ingest import ingest_batch

STAGE = Stage(
    name="ingest",
    version=3,
    scope="batch",
    reads=("ops_source_files", "ops_erasures", "bronze_erasures"),
    history=("bronze_reviews",),
    writes=(
        "bronze_reviews",
        "bronze_reviews_quarantine",
        "bronze_redeliveries",
        "bronze_gold_labels",
        "bronze_erasures",
    ),
    sections=("ingest",),
    plan=plan_batches,
    resources=user_key,
    keeps_done=True,
    run=lambda inputs: ingest_batch(
        inputs.tables["ops_source_files"],
        inputs.tables["bronze_reviews"],
        read_erased(
            inputs.tables["ops_erasures"],
            inputs.resources,
            inputs.tables["bronze_erasures"],
            (*inputs.sources.values(), inputs.config.ingest.source),
        ),
        inputs.config,
        inputs.batch_id,
    ),
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
