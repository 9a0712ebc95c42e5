"""Processes delivered reviews: cleans, de-duplicates, splits, tokenises and labels them, then reports by product."""

import sys

from reviewgen_spark.jobs import (
    clean,
    dedup,
    facts,
    ingest,
    keywords,
    label,
    links,
    report,
    satisfaction,
    split,
    tokens,
    weak_labels,
)

from reviewgen_spark.orchestration.delivery_gate import check_night
from reviewgen_spark.orchestration.job import run_pipeline

PREPARE = (ingest.STAGE, clean.STAGE, dedup.STAGE, split.STAGE, tokens.STAGE, weak_labels.STAGE)
FACTS = (links.STAGE, facts.STAGE)
STAGES = (*PREPARE, keywords.STAGE, label.STAGE, *FACTS, satisfaction.STAGE, report.STAGE)
CHECK = check_night

if __name__ == "__main__":
    sys.exit(run_pipeline("nightly", STAGES, CHECK))
