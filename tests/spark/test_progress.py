"""Tests the progress of a run on a terminal: stages of a pipeline, and batches of a stage."""

import re
from pathlib import Path

from pyspark.sql import SparkSession
from reviewgen_spark.jobs import clean, ingest

from reviewgen_spark.operations.demo.sample import write_sample
from reviewgen_spark.orchestration.runner import open_run
from tests.conftest import ConfigFactory
from tests.terminal import open_terminal


def test_a_run_on_a_terminal_shows_stages_and_batches(
    spark: SparkSession, make_config: ConfigFactory, tmp_path: Path
) -> None:
    write_sample(tmp_path / "landing", 60, days=2)
    config = make_config("ingest.max_rows_per_batch=40", "ingest.max_quarantine_pct=60")
    with open_terminal() as screen, open_run(spark, config) as run:
        run.pipeline([ingest.STAGE, clean.STAGE])
    sent = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.text())
    batches = re.search(r"\[ingest\] batch 1 \(1/(\d+)\): \d+ rows", sent)
    assert batches and int(batches[1]) > 1
    for stage in ("ingest", "clean"):
        assert re.search(rf"{stage}: batches .* 1/{batches[1]} \d:\d\d:\d\d left", sent)
    assert re.search(r"stages .* 50% 1/2", sent)
