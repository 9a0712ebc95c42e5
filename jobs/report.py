"""Writes the nightly report, one HTML page.

Reads the bronze, silver, gold and ops tables. Writes a file only.
"""

import sys

from pyspark.sql import DataFrame

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.reports.nightly.report import write_report


def _report(inputs: Inputs) -> dict[str, DataFrame]:
    write_report(inputs.tables, inputs.config.report, inputs.out, inputs.sources)
    return {}


STAGE = Stage(
    name="report",
    version=3,
    scope="table",
    reads=(
        "bronze_reviews",
        "bronze_reviews_quarantine",
        "bronze_redeliveries",
        "bronze_gold_labels",
        "silver_reviews",
        "silver_reviews_quarantine",
        "silver_review_clusters",
        "silver_review_splits",
        "silver_tokens",
        "silver_weak_labels",
        "ops_weak_voters",
        "gold_review_labels",
        "gold_product_satisfaction",
        "ops_stage_runs",
        "ops_source_files",
        "ops_model_evaluations",
        "ops_model_promotions",
    ),
    writes=(),
    sections=("report",),
    makes_files=True,
    run=_report,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
