"""Tests settings of Spark stages at a second value: each reaches its function and changes the rows."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from reviewgen_spark.jobs import generate, reply

from reviewgen_spark.config import (
    Config,
    DedupSection,
    IngestSection,
    ReportSection,
    SatisfactionSection,
    WeakLabelsSection,
)
from reviewgen_spark.operations.maintenance import maintain
from reviewgen_spark.orchestration.lease import Lease
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.reports.nightly.report import collect
from reviewgen_spark.transforms.dictionaries import driver_dictionaries
from reviewgen_spark.transforms.ingest.listing import list_deliveries
from reviewgen_spark.transforms.weak_labels import label_weakly
from reviewgen_spark.warehouse.tables import Warehouse
from tests.conftest import ConfigFactory
from tests.spark.conftest import DAY, Table, values_by_id
from tests.spark.test_dedup import Batches, review, text
from tests.spark.test_report import tables as report_tables
from tests.spark.test_satisfaction import labelled, satisfaction

SPLITS, RUNS = "silver_review_splits", "ops_stage_runs"


def test_deliveries_are_read_from_the_configured_folders(spark: SparkSession, tmp_path: Path) -> None:
    for folder in ("reviews", "gold_labels", "incoming", "judged"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jsonl").touch()

    def deliveries(**settings: str) -> list[tuple[str, str]]:
        files = list_deliveries(spark, str(tmp_path), IngestSection(**settings))
        return sorted((file.feed_code, file.path) for file in files)

    assert deliveries() == [("gold_labels", "gold_labels/a.jsonl"), ("reviews", "reviews/a.jsonl")]
    changed = deliveries(reviews="incoming", gold_labels="judged")
    assert changed == [("gold_labels", "judged/a.jsonl"), ("reviews", "incoming/a.jsonl")]


@pytest.mark.parametrize(
    "settings",
    [{"kinds": ("exact",)}, {"min_jaccard": 0.99}, {"ngram": 10}, {"bands": 1}, {"rows": 20}],
    ids=lambda settings: next(iter(settings)),
)
def test_dedup_settings_decide_what_a_near_copy_is(settings: dict[str, Any], table: Table) -> None:
    original = text(3, 80)
    near = original[:20] + "甲" + original[21:60] + "乙" + original[61:]

    def kind(section: DedupSection) -> str | None:
        rows = Batches(table, section).add(review("a", original), review("b", near))
        return rows["b"].duplicate_kind or rows["a"].duplicate_kind

    assert kind(DedupSection()) == "near"
    assert kind(DedupSection(**settings)) is None


def test_a_label_below_the_minimum_probability_is_left_out(table: Table) -> None:
    reviews = table("silver_reviews", {"record_id": "a", "text_clean": "质量很好", "rating": 1, "lang_code": "zh-hans"})
    tokens = table("silver_tokens", {"record_id": "a", "tokens": ["质量", "非常", "好"]})
    right = {"lexicon": "positive", "vader": "positive", "textblob": "positive", "rating": "negative"}
    earlier = table("silver_weak_labels", *({"record_id": f"e{i}", "votes": right} for i in range(50)))

    def label(section: WeakLabelsSection) -> str | None:
        tables = label_weakly(tokens, reviews, earlier, section, driver_dictionaries())
        return values_by_id(tables["silver_weak_labels"], "weak_label")["a"]

    assert label(WeakLabelsSection()) == "positive"
    assert label(WeakLabelsSection(min_probability=1.0)) is None


def test_prior_weight_pulls_scores_to_the_mean_of_the_shop(table: Table) -> None:
    rows = labelled(table, ("p", "positive"), ("q", "negative"))

    def scores(**settings: float) -> dict[str, float]:
        products = satisfaction(rows, SatisfactionSection(**settings)).collect()
        return {row.product_id: row.satisfaction_score for row in products}

    assert scores(prior_weight=0) == {"p": 1.0, "q": 0.0}
    assert scores(prior_weight=1) == {"p": pytest.approx(0.75), "q": pytest.approx(0.25)}


def test_the_lists_of_the_report_have_the_configured_lengths(spark: SparkSession) -> None:
    ids = [f"r{index:02d}" for index in range(20)]
    words = [["差", "坏"]] * 10 + [["好"]] * 10
    labels = ["negative"] * 10 + ["positive"] * 10
    plain = {"batch_id": 1, "created_at": DAY, "category": "书", "lang_code": "zh-hans", "source": "shop"}
    shop = report_tables(
        spark,
        bronze_reviews=[{**plain, "record_id": key, "review_id": key} for key in ids],
        silver_reviews=[{**plain, "record_id": key, "review_id": key, "text_clean": "x"} for key in ids],
        silver_review_clusters=[{"record_id": key, "cluster_id": key, "batch_id": 1} for key in ids],
        silver_tokens=[
            {"record_id": key, "content_words": content_words, "batch_id": 1}
            for key, content_words in zip(ids, words, strict=True)
        ],
        gold_review_labels=[
            {"record_id": key, "sentiment_label": label, "model_name": "m", "model_version": 1, "batch_id": 1}
            for key, label in zip(ids, labels, strict=True)
        ],
        gold_product_satisfaction=[
            {"product_id": f"p{index}", "category": "书", "review_count": 9, "positive_count": index,
             "satisfaction_score": index / 10, "satisfaction_pct": 10.0 * index, "has_enough_reviews": True}
            for index in range(6)
        ],
    )  # fmt: skip
    long, short = collect(shop, ReportSection()), collect(shop, ReportSection(top_words=1, top_products=2))
    assert ({word.word for word in long.words}, len(short.words)) == ({"差", "坏"}, 1)
    assert (len(long.best_products), len(short.best_products)) == (6, 2)
    assert len(short.worst_products) == 2


@pytest.fixture
def collect_requests(table: Table, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, dict[str, Any]]]:
    """Returns a function that runs a text stage up to its requests and returns them by record or product."""
    stars = {"bad": 2, "worse": 1, "good": 5, "fine": 5}
    labels = {"bad": "positive", "worse": "positive", "good": "positive", "fine": "positive"}
    input_tables = {
        "silver_reviews": table(
            "silver_reviews",
            *(
                {"record_id": key, "rating": value, "text_clean": "屏幕很清晰，电池很耐用", "lang_code": "zh-hans",
                 "category": "手机", "rule_counts": None, "quality_flags": []}
                for key, value in stars.items()
            ),
        ),
        "silver_review_clusters": table(
            "silver_review_clusters", *({"record_id": key, "cluster_id": key} for key in stars)
        ),
        "silver_review_splits": table(
            "silver_review_splits", *({"record_id": key, "cluster_id": key, "split": "train"} for key in stars)
        ),
        "gold_review_labels": table(
            "gold_review_labels",
            *(
                {"record_id": key, "sentiment_label": label, "model_name": "m", "model_version": 1, "fingerprint": "f"}
                for key, label in labels.items()
            ),
        ),
        "silver_tokens": table(
            "silver_tokens",
            *(
                {"record_id": key, "tokens": ["屏幕"], "content_words": ["屏幕", "电池"], "token_count": 1}
                for key in stars
            ),
        ),
    }  # fmt: skip

    def run(stage: Any, config: Config) -> dict[str, dict[str, Any]]:
        captured: list[DataFrame] = []
        monkeypatch.setattr(
            stage, "write_batch", lambda config, writing, requests, *rest: captured.append(requests) or requests
        )
        tables = {name: input_tables[name] for name in stage.STAGE.reads if name in input_tables}
        nowhere = Path("nowhere")
        stage.STAGE.run(Inputs(tables, config, None, {}, nowhere, nowhere, "f", 1, lambda line: None))
        rows = captured[0].collect()
        return {row.record_id or row.product_id: json.loads(row.request) for row in rows}

    return run


def test_reply_settings_select_reviews_and_length(
    collect_requests: Callable[..., dict[str, Any]], make_config: ConfigFactory
) -> None:
    plain = collect_requests(reply, make_config())
    assert set(plain) == {"bad", "worse"} and plain["bad"]["length"] == "medium"
    assert set(collect_requests(reply, make_config("reply.max_stars=1"))) == {"worse"}
    changed = collect_requests(reply, make_config("reply.length=long", "generation.seed=7"))["bad"]
    assert changed["length"] == "long" and changed["seed"] != plain["bad"]["seed"]


def test_generate_settings_select_the_texts(
    collect_requests: Callable[..., dict[str, Any]], make_config: ConfigFactory
) -> None:
    every = "generate.augmentation_pct=100"
    assert set(collect_requests(generate, make_config(every))) == {"bad", "worse", "good", "fine"}
    assert collect_requests(generate, make_config("generate.augmentation_pct=0")) == {}
    varied = collect_requests(generate, make_config(every, "generate.keywords=1"))["good"]
    assert varied["keywords"] == ["屏幕"]
    copies = ("generate.purposes=[product_copy]",)
    plain = collect_requests(generate, make_config(*copies))["p"]
    changed = collect_requests(generate, make_config(*copies, "generate.sources=2", "generate.length=long"))["p"]
    assert (len(plain["sources"]), plain["length"]) == (4, "medium")
    assert (len(changed["sources"]), changed["length"]) == (2, "long")


@pytest.mark.parametrize(("days", "expired"), [(30, 1), (50, 0)])
def test_retention_days_limit_the_history(
    days: int, expired: int, spark: SparkSession, make_config: ConfigFactory
) -> None:
    config = make_config(f"tables.retention_days={days}")
    warehouse = Warehouse(spark, config)
    warehouse.converge([RUNS])
    for key in ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration"):
        assert warehouse.log(RUNS).metadata().properties[key] == f"interval {days} days"
    old = datetime.now(UTC) - timedelta(days=40)
    plain = {"run_id": "r", "stage": "tokens", "batch_id": 1, "fingerprint": "f", "at": old}
    states = ("started", "succeeded")
    rows = [{**plain, "sequence": index, "state": state} for index, state in enumerate(states, start=1)]
    warehouse.append(RUNS, warehouse.rows(RUNS, rows))
    stale = Path(config.paths.artifacts) / "_checkpoints" / "a"
    stale.mkdir(parents=True)
    os.utime(stale, (old.timestamp(), old.timestamp()))
    with open_run(spark, config, report=lambda line: None) as run:
        done = maintain(run, is_dry=True)
    assert (done.expired_runs, len(done.folders)) == (expired, expired)


def test_configured_tables_are_exported(spark: SparkSession, make_config: ConfigFactory) -> None:
    values = [{"record_id": "a", "cluster_id": "a", "split": "train", "batch_id": 1}]
    stage = Stage(name="split", version=1, scope="batch", reads=(), writes=(SPLITS,), run=lambda inputs: {})
    for exported in ("[]", f"[{SPLITS}]"):
        config = make_config(f"tables.parquet_exports={exported}")
        warehouse = Warehouse(spark, config)
        warehouse.converge([SPLITS])
        with open_run(spark, config, report=lambda line: None) as run:
            run.publisher.publish(stage, {1: "f"}, {SPLITS: warehouse.rows(SPLITS, values)})
        assert (Path(config.paths.exports) / SPLITS / "batch_id=1").is_dir() == (exported != "[]")


def test_a_lease_has_its_duration_and_is_renewed(spark: SparkSession, make_config: ConfigFactory) -> None:
    for overrides, seconds in (((), 180), (("lease.ttl_s=600", "lease.heartbeat_s=0.3"), 600)):
        config = make_config(*overrides)
        warehouse = Warehouse(spark, config)
        lease = Lease(warehouse, config, "run-1")
        lease.acquire()
        try:
            row = lease._row()
            assert (row.expires_at - row.heartbeat_at).total_seconds() == seconds
            if overrides:
                deadline = time.monotonic() + 60
                while lease._row().heartbeat_at == row.heartbeat_at:
                    assert time.monotonic() < deadline, "the lease is not renewed"
                    time.sleep(0.2)
        finally:
            lease.release()
