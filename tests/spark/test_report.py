import math
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType
from reviewgen_spark.jobs import facts, links
from reviewgen_spark.jobs.report import STAGE

from reviewgen_spark.config import ReportSection
from reviewgen_spark.reports.nightly.complaint_words import PRIOR_WORDS, complaint_words
from reviewgen_spark.reports.nightly.figures import ModelScore, Sentiment, SourceFile, StageTiming, VoterScore, Word
from reviewgen_spark.reports.nightly.report import ReportData, collect, render, write_report
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.facts import count_batches, word_facts
from reviewgen_spark.transforms.links import link_batches

SECRET = "secret words of a customer"


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)


def table(spark: SparkSession, name: str, *rows: dict):
    """Returns rows as a table of schemas/; missing fields are null."""
    fields = TABLES[name].columns.fields
    schema = StructType([type(field)(field.name, field.dataType, True) for field in fields])
    return spark.createDataFrame([tuple(row.get(field.name) for field in fields) for row in rows], schema)


def tables(spark: SparkSession, **rows: list[dict]):
    """Returns all tables of a shop of one batch, with its facts; the days are those of Shanghai."""
    names = {*STAGE.reads, *facts.STAGE.reads, *facts.STAGE.optional}
    plain = {name: table(spark, name, *({"batch_id": 1, **row} for row in rows.get(name, []))) for name in names}
    linked = link_batches(*(plain[name] for name in links.STAGE.history), [1])
    return {**plain, **linked, **count_batches(plain, "Asia/Shanghai")}


def test_empty_tables_give_an_empty_report(spark: SparkSession, tmp_path) -> None:
    section = ReportSection(timezone="UTC")
    path = write_report(tables(spark), section, tmp_path / "new")
    assert path.read_text("utf-8") == render(ReportData())


@pytest.fixture(scope="module")
def shop(spark: SparkSession):
    """Returns five records of one file: r2 is a copy of r1, r4 has a label error, r5 is an edit of r1's review."""
    records = ["r1", "r2", "r3", "r4", "r5"]
    review_ids = ["v1", "v2", "v3", "v4", "v1"]
    categories = ["书", "书", "酒店", "酒店", "书"]
    hours = [12, 12, 17, 12, 12]  # 17 UTC is the next day in Shanghai
    unique = ["r1", "r3", "r4", "r5"]
    sentiments = ["negative", "positive", None, "positive"]
    weak = ["negative", "negative", None, None]
    votes = [{"lexicon": "negative"}, {"lexicon": "negative"}, {}, {"lexicon": "negative", "rating": "positive"}]
    review = {"created_at": at(5), "source_file": "a.jsonl"}
    base = [
        {**review, "record_id": r, "review_id": v, "category": c, "created_at": at(5, h), "text_raw": SECRET}
        for r, v, c, h in zip(records, review_ids, categories, hours, strict=True)
    ]
    silver = [
        {
            **row,
            "text_clean": SECRET,
            "lang_code": None if row["record_id"] == "r4" else "zh-hans",
            "pii_counts": {"PHONE": 2} if row["record_id"] in ("r1", "r2") else {},
            "rule_counts": {"html": 3, "width": 0} if row["record_id"] == "r3" else None,
            "quality_flags": ["empty_text"] if row["record_id"] == "r4" else [],
            "updated_at": at(6) if row["record_id"] == "r5" else None,
            "batch_id": 1,
            "source_line": 1,
        }
        for row in base
    ]
    clusters = [
        {
            "record_id": r,
            "review_id": v,
            "cluster_id": "r1" if r == "r2" else r,
            "duplicate_of": "r1" if r == "r2" else None,
            "duplicate_kind": "exact" if r == "r2" else None,
            "near_clusters": ["r4"] if r == "r3" else [],
            "batch_id": 1,
        }
        for r, v in zip(records, review_ids, strict=True)
    ]
    labels = [
        {
            "record_id": r,
            "sentiment_label": label,
            "sentiment_score": {"positive": 1.0, "negative": 0.07}.get(label),
            "error": None if label else ("EmptyText", "no text", "label"),
            "model_name": "review_sentiment",
            "model_version": 2,
        }
        for r, label in zip(unique, sentiments, strict=True)
    ]
    evaluations = [
        {
            "fingerprint": f,
            "model_fingerprint": f"model {f}",
            "model": m,
            "labels": "gold",
            "split": s,
            "slice": c,
            "metric": "accuracy",
            "value": v,
        }
        | {"metric": "accuracy", "value": v, "row_count": 9, "evaluated_at": when}
        for f, m, s, c, v, when in [
            ("old", "model", "test", "all", 0.1, at(5)),
            ("new", "model", "test", "all", 0.8, at(6)),
            ("new", "model", "test", "category=书", 0.2, at(6)),
            ("new", "model", "validation", "all", 0.3, at(6)),
            ("new", "majority", "test", "all", 0.5, at(6)),
            ("candidate", "model", "test", "all", 0.4, at(7)),
        ]
    ]
    decision = {"model_name": "review_sentiment", "reason": "", "decided_by": "register"}
    promotions = [
        {
            **decision,
            "model_version": version,
            "is_promoted": promoted,
            "model_fingerprint": model_fingerprint,
            "decided_at": when,
        }
        for version, promoted, model_fingerprint, when in [
            (1, True, "model old", at(5)),
            (2, True, "model new", at(6)),
            (3, False, "model candidate", at(7)),
            (1, True, None, at(8)),  # rolled back by hand
            (2, True, None, at(9)),  # promoted again by hand
        ]
    ]
    products = [
        {"product_id": p, "category": "书", "review_count": n, "positive_count": k, "has_enough_reviews": enough}
        | {"satisfaction_pct": 100 * k / n, "satisfaction_score": k / n, "rating_mean": None}
        for p, n, k, enough in [("p1", 10, 9, True), ("p2", 10, 1, True), ("p3", 10, 5, True), ("p4", 1, 0, False)]
    ]
    file = {"feed_code": "reviews", "batch_id": 1, "at": at(5)}
    run = {"stage": "clean", "batch_id": 1, "at": at(5)}
    refused = {"feed_code": "reviews", "source_file": "a.jsonl", "raw_record": SECRET}
    return tables(
        spark,
        bronze_reviews=base,
        bronze_reviews_quarantine=[
            {**refused, "source_line": 6, "reasons": ["rating_wrong_type", "product_id_missing"]},
            {**refused, "source_line": 7, "reasons": ["product_id_missing"]},
            {"feed_code": "reviews", "source_file": "b.gz", "reasons": ["file_rejected"]},
            {"feed_code": "gold_labels", "source_file": "g.csv", "source_line": 1, "reasons": ["label_missing"]},
        ],
        bronze_redeliveries=[{"record_id": "r1", "source_file": "a.jsonl", "source_line": 8}],
        silver_reviews=silver,
        silver_reviews_quarantine=[
            {"record_id": "q1", "reasons": ["binary_noise", "impossible_date"]},
            {"record_id": "q2", "reasons": ["impossible_date"]},
        ],
        silver_review_clusters=clusters,
        silver_review_splits=[
            {"record_id": r, "cluster_id": r, "split": "test" if r == "r4" else "train"} for r in records
        ],
        silver_weak_labels=[
            {"record_id": r, "weak_label": w, "majority_label": w, "votes": v}
            for r, w, v in zip(unique, weak, votes, strict=True)
        ],
        ops_weak_voters=[
            {"voter": "lexicon", "estimated_accuracy": 0.5 + batch / 10, "batch_id": batch} for batch in (1, 2)
        ],
        bronze_gold_labels=[
            {"review_id": v, "task": "sentiment", "label": label, "batch_id": batch}
            for v, label, batch in [("v1", "positive", 1), ("v1", "negative", 2), ("v3", "positive", 1)]
        ],
        gold_review_labels=labels,
        gold_product_satisfaction=products,
        ops_model_evaluations=evaluations,
        ops_model_promotions=promotions,
        ops_source_files=[
            {**file, "sequence": 1, "path": "a.jsonl", "state": "reserved", "first_row": 1, "last_row": 5},
            {**file, "sequence": 2, "path": "a.jsonl", "state": "reserved", "first_row": 6, "last_row": 8},
            {**file, "sequence": 3, "path": "b.gz", "state": "rejected", "batch_id": None},
            {**file, "sequence": 4, "path": "g.csv", "feed_code": "gold_labels", "state": "reserved"}
            | {"first_row": 1, "last_row": 100},
        ],
        ops_stage_runs=[
            {**run, "sequence": 1, "state": "started"},
            {**run, "sequence": 2, "state": "failed", "seconds": 9.0},
            {**run, "sequence": 3, "state": "succeeded", "seconds": 2.0, "counts": {"silver_reviews": 4, "x": 1}},
            {**run, "sequence": 4, "state": "succeeded", "seconds": 3.0, "counts": {"silver_reviews": 1}, "at": at(6)},
        ],
    )


@pytest.fixture(scope="module")
def data(shop) -> ReportData:
    return collect(shop, ReportSection(timezone="Asia/Shanghai", top_products=2))


def test_the_report_has_the_figures_of_a_small_shop(data: ReportData) -> None:
    assert (data.delivered, data.bronze, data.quarantined, data.redelivered) == (8, 5, 2, 1)
    assert (data.clean, data.unique, data.copies, data.rejected_files) == (5, 4, 1, 1)
    assert (data.labelled, data.label_errors) == (3, 1)
    assert data.days == {"2026-01-05": 4, "2026-01-06": 1}
    assert data.files == (SourceFile("b.gz", "rejected", 0, 0, 0), SourceFile("a.jsonl", "reserved", 5, 2, 1))
    assert data.quarantine == {"product_id_missing": 2, "rating_wrong_type": 1}
    assert data.languages == {"zh-hans": 4, "no text": 1}
    assert (data.masks, data.rules, data.quality_flags) == ({"PHONE": 4}, {"html": 1}, {"empty_text": 1})
    assert (data.broken, data.quality_errors) == (2, {"impossible_date": 2, "binary_noise": 1})
    assert data.copy_groups == {"once": 3, "twice": 1}
    assert data.splits == (Sentiment("train", 2, 1),)
    # r1 was edited by r5 and is no longer current; r4 has no label
    assert set(data.categories) == {Sentiment("书", 1, 0), Sentiment("酒店", 1, 0)}
    assert data.sentiment_days == (Sentiment("2026-01-05", 1, 0), Sentiment("2026-01-06", 1, 0))
    assert data.score_bins[1] == 1 and data.score_bins[19] == 2 and sum(data.score_bins) == 3
    assert data.weak_votes == {
        ("negative", "negative"): 1,
        ("negative", "positive"): 1,
        (None, None): 1,
        (None, "positive"): 1,
    }
    # r1 and r3 have gold labels, and so has r5, the edit of r1's review
    assert data.voters == (
        VoterScore("lexicon", 3, 1, 0.7, 3, 2),
        VoterScore("rating", 1, 1, None, 1, 0),
        VoterScore("label model", 2, 0, None, 2, 1),
        VoterScore("majority vote", 2, 0, None, 2, 1),
    )
    assert data.split_sizes == {"train": 3, "test": 1}
    # r3 is near r4, which is in the other split
    assert data.straddling == 1
    assert {row.attribute for row in data.split_balance} == {"category", "rating", "lang_code"}
    assert data.models_in_use == {("review_sentiment", 2): 4}
    assert data.evaluation is not None and data.evaluation.split == "test"
    assert data.evaluation.scores == (ModelScore("majority", "accuracy", 0.5), ModelScore("model", "accuracy", 0.8))
    assert [product.product_id for product in data.best_products] == ["p1", "p3"]
    assert [product.product_id for product in data.worst_products] == ["p2", "p3"]
    assert data.product_count == 4 and data.satisfaction_pct == pytest.approx(100 * 15 / 31)
    assert data.stages == (StageTiming("clean", 2, 1, 5, 5.0, 3.0),)
    assert data.updated_at == at(6)


def test_no_review_text_is_on_the_page(data: ReportData) -> None:
    assert "secret" not in render(data)


def test_complaint_words_have_the_scores_of_the_paper(spark: SparkSession) -> None:
    # 差 is in 8 negative and 2 positive reviews, 好 in 2 and 8, 罕 in too few, 4; each counts once in a review
    rows = [("negative", ["差", "差"])] * 8 + [("positive", ["差", "[PHONE]", "12"])] * 2
    rows += [("negative", ["好"])] * 2 + [("positive", ["好", "[PHONE]"])] * 8 + [("negative", ["罕", "12"])] * 4
    tokens = table(
        spark, "silver_tokens", *[{"record_id": str(i), "content_words": w} for i, (_, w) in enumerate(rows)]
    )
    labels = table(
        spark,
        "gold_review_labels",
        *[{"record_id": str(i), "sentiment_label": label, "batch_id": i % 3} for i, (label, _) in enumerate(rows)],
        {"record_id": "unlabelled"},
    )
    # By hand: counts 8 of 10 and 2 of 10, prior of half the prior's words
    prior = PRIOR_WORDS / 2
    y, x = 8 + prior, 2 + prior
    delta = math.log(y / (10 + PRIOR_WORDS - y)) - math.log(x / (10 + PRIOR_WORDS - x))
    assert complaint_words(word_facts(tokens, labels), top=5) == (
        Word("差", 8, 2, pytest.approx(delta / math.sqrt(1 / y + 1 / x))),
    )
    only = word_facts(tokens, labels).where("word = '差'")
    assert complaint_words(only, top=5) == ()  # a shop with a single frequent word
    negative = labels.where("sentiment_label = 'negative'")
    assert complaint_words(word_facts(tokens, negative), top=5) == ()
