"""Runs `links` and `facts` by the runner: only what is due, also after a new label and an erasure, and when alone."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from reviewgen_spark.jobs import facts, links, report, satisfaction
from reviewgen_spark.pipelines import nightly

from reviewgen_spark.config import Config
from reviewgen_spark.operations.erasure.request import ErasureRequest
from reviewgen_spark.orchestration.backlog import Force
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.reports.nightly.report import collect
from reviewgen_spark.warehouse.batch_sources import batch_sources
from reviewgen_spark.warehouse.tables import Warehouse
from tests.spark.conftest import DAY
from tests.spark.full_queries import full_figures, full_satisfaction
from tests.spark.test_erasure import configure, contents, erase_in, run

LABELS = "gold_review_labels"


def label(spark: SparkSession, config: Config, batch: int, version: int) -> None:
    """Labels the unique reviews of a batch, as the stage `label` would with this version of a model."""
    warehouse = Warehouse(spark, config)
    warehouse.converge([LABELS])
    clusters = warehouse.read("silver_review_clusters").where(f"batch_id = {batch} AND duplicate_of IS NULL")
    rows = [
        {
            "record_id": row.record_id,
            "sentiment_label": "positive" if (number + version) % 3 else "negative",
            "sentiment_score": 0.5,
            "model_name": "m",
            "model_version": version,
            "fingerprint": f"f{version}",
            "batch_id": batch,
        }
        for number, row in enumerate(sorted(clusters.collect(), key=lambda row: row.record_id))
    ]
    with open_run(spark, config, report=lambda line: None) as opened:
        written = opened.warehouse.replace_batch(LABELS, warehouse.rows(LABELS, rows), batch)
        opened.ledger.record("label", batch, "succeeded", f"f{version}", versions={LABELS: written.version})


def finished(spark: SparkSession, config: Config) -> dict[str, DataFrame]:
    with open_run(spark, config, report=lambda line: None) as opened:
        names = {*report.STAGE.reads, *facts.STAGE.reads, *facts.STAGE.optional, *satisfaction.STAGE.writes}
        opened.warehouse.converge(sorted(names))
        return {name: opened.inputs._finished_rows(name) for name in names}


def check(spark: SparkSession, config: Config) -> None:
    """Compares satisfaction and report with full queries."""
    tables, sources = finished(spark, config), batch_sources(Warehouse(spark, config))

    def by_product(rows: DataFrame) -> dict[str, Any]:
        return {row.product_id: row.asDict() for row in rows.collect()}

    full = by_product(full_satisfaction(tables, config.satisfaction, sources))
    assert full and by_product(tables["gold_product_satisfaction"]) == full
    sums, figures = collect(tables, config.report, sources), full_figures(tables, config.report, sources)
    assert {name: getattr(sums, name) for name in figures} == figures


# Record, review, batch, the record that it copies, and the day of its last edit.
RECORDS = (
    ("first", "r-first", 1, None, 1),
    ("old", "r-edited", 1, None, 1),
    ("plain", "r-plain", 1, None, 2),
    ("copy", "r-copy", 2, "first", 3),
    ("new", "r-edited", 2, None, 4),
    ("other", "r-other", 2, None, 5),
)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Config:
    """A warehouse of two labelled batches, in which no facts were counted; no stage has to run for it."""
    config = configure(tmp_path_factory.mktemp("facts"), "tables.parquet_exports=[]")
    (Path(config.paths.landing) / "reviews").mkdir(parents=True)
    rows = [
        {"record_id": f"record-{name}", "review_id": review, "batch_id": batch, "product_id": "p", "category": "书",
         "user_id": "u", "source": "shop", "source_file": "f", "source_line": line, "rating": 1 + line % 5,
         "created_at": DAY + timedelta(days=day), "updated_at": DAY + timedelta(days=day), "lang_code": "zh-hans",
         "text_clean": f"text {copied or name}", "text_hash": copied or name, "split": "train", "near_clusters": [],
         "cluster_id": f"record-{copied or name}", "duplicate_of": f"record-{copied}" if copied else None,
         "duplicate_kind": "exact" if copied else None, "is_first_of_text": copied is None,
         "tokens": ["屏幕"], "content_words": ["屏幕"], "token_count": 1}
        for line, (name, review, batch, copied, day) in enumerate(RECORDS, start=1)
    ]  # fmt: skip
    names = ("bronze_reviews", "silver_reviews", "silver_review_clusters", "silver_review_splits", "silver_tokens")
    warehouse = Warehouse(spark, config)
    warehouse.converge(["ops_stage_runs", *names, "silver_minhash_bands"])
    for name in names:
        warehouse.append(name, warehouse.rows(name, rows))
    with open_run(spark, config, report=lambda line: None) as opened:
        for stage in ("ingest", "clean", "dedup", "split", "tokens"):
            for batch in (1, 2):
                opened.ledger.record(stage, batch, "succeeded", "f")
    for batch in (1, 2):
        label(spark, config, batch, 1)
    return config


def test_a_stage_alone_counts_missing_batches_first(night: Config, spark: SparkSession) -> None:
    lines: list[str] = []
    with open_run(spark, night, batches=(2, 2), report=lines.append) as opened:
        opened.pipeline([satisfaction.STAGE])
    started = [line.split(":")[0] for line in lines if line.endswith("started")]
    assert started == [
        "[facts] 2 batches, 1 to 2 (1/1)",
        "[links] 2 batches, 1 to 2 (1/1)",
        "[satisfaction] whole tables",
    ]
    check(spark, night)
    assert run(spark, night, *nightly.FACTS, satisfaction.STAGE) == []


def test_only_the_facts_of_a_batch_with_new_labels_are_due(night: Config, spark: SparkSession) -> None:
    before = contents(spark, night)
    label(spark, night, 1, 2)
    assert run(spark, night, *nightly.FACTS, satisfaction.STAGE) == [
        "[facts] batch 1 (1/1)",
        "[satisfaction] whole tables",
    ]
    check(spark, night)
    after = contents(spark, night)
    assert [row for row in after["gold_word_facts"] if "batch_id=2" in row] == [
        row for row in before["gold_word_facts"] if "batch_id=2" in row
    ]
    assert after["gold_product_facts"] != before["gold_product_facts"]
    assert run(spark, night, *nightly.FACTS, force=Force("links", 2, 2)) == ["[links] batch 2 (1/1)"]
    assert contents(spark, night) == after


def test_counts_of_each_batch_are_in_the_log_of_runs(night: Config, spark: SparkSession) -> None:
    warehouse = Warehouse(spark, night)
    with open_run(spark, night, report=lambda line: None) as opened:
        logged = {(s, b): r.counts for s in ("links", "facts") for b in (1, 2) if (r := opened.ledger.last(s, b))}
    for stage in (links.STAGE, facts.STAGE):
        for name in stage.writes:
            rows = {r.batch_id: r["count"] for r in warehouse.read(name).groupBy("batch_id").count().collect()}
            assert {batch: logged[stage.name, batch][name] for batch in (1, 2)} == {b: rows.get(b, 0) for b in (1, 2)}


def test_an_erasure_leaves_no_count_and_the_next_night_counts_again(night: Config, spark: SparkSession) -> None:
    warehouse = Warehouse(spark, night)
    names = [name for stage in (links.STAGE, facts.STAGE) for name in stage.writes]
    erase_in(spark, night, ErasureRequest(reviews=frozenset({"r-first"})))
    # Batch 1 has the erased record, and batch 2 its copy, which is promoted.
    assert all(warehouse.read(name).isEmpty() for name in names if name != "silver_superseded_reviews")
    started = run(spark, night, satisfaction.STAGE)
    assert {"[links] 2 batches, 1 to 2 (1/1)", "[facts] 2 batches, 1 to 2 (1/1)"} <= {*started}
    check(spark, night)
    sizes = warehouse.read("gold_copy_facts").groupBy("keys").sum("fact_count").collect()
    assert {row["keys"][0]: row[1] for row in sizes if row[1]} == {"once": 5}
