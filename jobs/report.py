"""Writes the nightly report, one HTML page.

Reads the facts of all batches, the ops tables, and for superseded records and gold labels single columns of bronze,
silver and gold tables. Writes a file only.
"""

import sys

from pyspark.sql import DataFrame
from reviewgen_spark.jobs import facts, links

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
        "gold_shop_facts",
        "gold_copy_facts",
        "gold_word_facts",
        "silver_superseded_reviews",
        "silver_review_clusters",
        "gold_review_labels",
        "bronze_gold_labels",
        "silver_reviews",
        "silver_weak_labels",
        "ops_weak_voters",
        "gold_product_satisfaction",
        "ops_stage_runs",
        "ops_source_files",
        "ops_model_evaluations",
        "ops_model_promotions",
    ),
    writes=(),
    sections=("report",),
    needs=(facts.STAGE, links.STAGE),
    makes_files=True,
    run=_report,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
