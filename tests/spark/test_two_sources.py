"""Two sources that number their reviews alike: neither hides, edits, erases or labels the other's reviews."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from reviewgen_spark.pipelines import nightly

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.operations.counts import count_records
from reviewgen_spark.operations.erasure.erase import erase
from reviewgen_spark.operations.erasure.request import ErasureOutcome, ErasureRequest
from reviewgen_spark.operations.maintenance import maintain
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.serving.sql.catalog import register_tables
from reviewgen_spark.transforms.gold_labels import label_records
from reviewgen_spark.transforms.views import current_unique_reviews, mark_current
from reviewgen_spark.warehouse.batch_sources import batch_sources
from reviewgen_spark.warehouse.tables import Warehouse
from tests.spark.conftest import Table, values_by_id

STAGES = nightly.PREPARE[:3]
HEADER = "review_id,product_id,user_id,rating,text,created_at"
SHARED = "屏幕清晰，电池一般，这一句两家店都有，快递也很快"
FIRST = [  # the same numbers in both shops, of other users
    f"tm-1,P-tm,u1,2,{SHARED},2026-01-02T10:00:00",
    "tm-2,P-tm,u2,3,客服态度差，退货麻烦，等了三天才有人回复,2026-01-03T10:00:00",
    "tm-3,P-tm,u3,5,颜色漂亮，尺码合适，老人很喜欢这件衣服,2026-01-03T11:00:00",
]
SECOND = [
    f"tm-1,P-jd,v1,5,{SHARED},2026-02-02T10:00:00",
    "tm-2,P-jd,u2,5,酒店的早餐种类很多，房间也非常干净舒服,2026-02-03T10:00:00",
    "tm-3,P-jd,v3,1,键盘手感太差，用了两天就坏了，不推荐购买,2026-02-03T11:00:00",
]
EDIT = "tm-3,P-tm,,4,颜色漂亮，尺码偏小，老人穿着有一点紧,2026-01-09T11:00:00"


def deliver(root: Path, name: str, rows: list[str], label: str | None = None) -> None:
    for folder in ("reviews", "gold_labels"):
        (root / "landing" / folder).mkdir(parents=True, exist_ok=True)
    (root / "landing" / "reviews" / f"{name} {name}.csv").write_text(
        "\n".join([HEADER, *rows]) + "\n", encoding="utf-8"
    )
    if label:
        line = {"review_id": "tm-2", "task": "sentiment", "label": label}
        (root / "landing" / "gold_labels" / f"{name}.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")


def configure(root: Path, source: str) -> Config:
    settings = ("lease.ttl_s=3600", "lease.heartbeat_s=600")
    return load_config("local", [f"paths.root={root}", f"ingest.source={source}", *settings])


def run(spark: SparkSession, config: Config, *stages: Any) -> None:
    with open_run(spark, config, report=lambda line: None) as opened:
        opened.pipeline(stages)


def erase_in(spark: SparkSession, config: Config, request: ErasureRequest, rewrite: bool = False) -> ErasureOutcome:
    with open_run(spark, config, report=lambda line: None) as opened:
        return erase(opened, request, rewrite)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> tuple[Config, Warehouse]:
    """A warehouse after a night of one shop, a night of another, and an edit that the first delivers later.

    Its root has the characters that SQL, URIs and file systems treat in a special way.
    """
    root = tmp_path_factory.mktemp("shops") / "it's #1 50%"
    deliver(root, "a", FIRST, "negative")
    run(spark, configure(root, "shop-a"), *STAGES)
    deliver(root, "b", SECOND, "positive")
    run(spark, configure(root, "shop-b"), *STAGES)
    deliver(root, "c", [EDIT])
    config = configure(root, "shop-a")
    run(spark, config, *STAGES)
    return config, Warehouse(spark, config)


def keys(warehouse: Warehouse) -> set[tuple[str, str, str]]:
    rows = warehouse.read("bronze_reviews").select("source", "review_id", "text_raw").collect()
    return {(row.source, row.review_id, row.text_raw) for row in rows}


def test_no_review_hides_that_of_the_other_shop(spark: SparkSession, shops: tuple[Config, Warehouse]) -> None:
    config, warehouse = shops
    assert batch_sources(warehouse) == {1: "shop-a", 2: "shop-b", 3: "shop-a"}
    counts = count_records(warehouse)  # before tokens and label ran
    assert (counts.bronze, counts.current, counts.duplicates, counts.labelled) == (7, 6, 1, 0)
    assert counts.faults == [] and counts.uncleaned == counts.unclustered == 0
    register_tables(spark, config)
    shown = spark.sql("SELECT product_id, review_id, created_at FROM silver_unique_reviews").collect()
    assert sorted((row.product_id, row.review_id) for row in shown) == [
        ("P-jd", "tm-2"),
        ("P-jd", "tm-3"),
        ("P-tm", "tm-1"),
        ("P-tm", "tm-2"),
        ("P-tm", "tm-3"),
    ]
    (edited,) = [row for row in shown if (row.product_id, row.review_id) == ("P-tm", "tm-3")]
    assert edited.created_at.day == 9, "within a shop the edit replaces its review"
    # the shared text is a copy from another review, because another shop delivered it
    copies = warehouse.read("silver_review_clusters").where("duplicate_of IS NOT NULL").collect()
    assert [(row.batch_id, row.review_id, row.duplicate_kind) for row in copies] == [(2, "tm-1", "exact")]


def test_an_erasure_keeps_the_reviews_of_the_other_shop(spark: SparkSession, shops: tuple[Config, Warehouse]) -> None:
    config, warehouse = shops
    root = Path(config.paths.root)
    with pytest.raises(ConfigError, match=r"--source shop-x: .*known: shop-a, shop-b"):
        erase_in(spark, config, ErasureRequest(reviews=frozenset({"tm-2"}), source="shop-x"))
    outcome = erase_in(spark, config, ErasureRequest(frozenset({"u3"})), rewrite=True)
    assert outcome.record_count == 2, "the review and its edit, which names no user"
    assert outcome.leftovers == [] and outcome.landing == []
    kept = {(source, review) for source, review, _ in keys(warehouse)}
    assert kept == {*((shop, f"tm-{n}") for shop in ("shop-a", "shop-b") for n in (1, 2)), ("shop-b", "tm-3")}
    assert "键盘手感" in (root / "landing" / "reviews" / "b b.csv").read_text(encoding="utf-8")

    # another edit of the erased review comes, and another edit of the other shop's review of that number
    deliver(root, "d", [EDIT.replace("有一点紧", "很紧")])
    run(spark, config, *STAGES[:1])
    deliver(root, "e", ["tm-3,P-jd,,2,键盘换了一个新的，手感还是一般,2026-02-20T11:00:00"])
    run(spark, configure(root, "shop-b"), *STAGES[:1])
    assert [source for source, review, _ in keys(warehouse) if review == "tm-3"] == ["shop-b", "shop-b"]

    # one request for a review of one shop, and later one for a number in all shops
    outcome = erase_in(spark, config, ErasureRequest(reviews=frozenset({"tm-2"}), source="shop-b"), rewrite=True)
    assert (outcome.record_count, outcome.leftovers, outcome.landing) == (1, [], [])
    assert {source for source, review, _ in keys(warehouse) if review == "tm-2"} == {"shop-a"}
    labels = warehouse.read("bronze_gold_labels").collect()
    assert [(row.review_source, row.label) for row in labels] == [("shop-a", "negative")]
    outcome = erase_in(spark, config, ErasureRequest(reviews=frozenset({"tm-1"})), rewrite=True)
    assert (outcome.record_count, outcome.leftovers, outcome.landing) == (2, [], [])
    assert not [key for key in keys(warehouse) if key[1] == "tm-1"]
    with open_run(spark, config, report=lambda line: None) as opened:
        assert maintain(opened).tables


def test_a_label_belongs_to_the_review_of_its_source(table: Table) -> None:
    reviews = table(
        "silver_reviews",
        {"record_id": "a1", "review_id": "1", "batch_id": 1},
        {"record_id": "b1", "review_id": "1", "batch_id": 2},
        {"record_id": "b2", "review_id": "2", "batch_id": 2},
    )
    label = {"task": "sentiment", "source": "team"}
    gold = table(
        "bronze_gold_labels",
        {**label, "review_id": "1", "label": "negative", "review_source": "a", "batch_id": 1},
        {**label, "review_id": "1", "label": "neutral", "batch_id": 2},  # from before the column: of both
        {**label, "review_id": "1", "label": "positive", "review_source": "b", "batch_id": 2},
        {**label, "review_id": "2", "label": "positive", "review_source": "a", "batch_id": 1},  # a has no review 2
    )
    several = label_records(reviews, gold, {1: "a", 2: "b"})
    assert values_by_id(several, "label") == {"a1": "negative", "b1": "positive", "b2": "positive"}
    assert several.count() == 3
    one = label_records(reviews, gold.where("batch_id = 1"), {1: "a", 2: "a"})
    assert values_by_id(one, "label") == {"a1": "negative", "b1": "negative", "b2": "positive"}


def test_current_is_decided_within_a_source(table: Table) -> None:
    reviews = table(
        "silver_reviews",
        *({"record_id": f"{name}{n}", "review_id": "r", "batch_id": n} for n, name in enumerate("aba", start=1)),
    )
    places = table("silver_review_clusters", *({"record_id": i, "cluster_id": i} for i in ("a1", "b2", "a3")))
    sources = {1: "a", 2: "b", 3: "a"}
    assert values_by_id(mark_current(reviews, sources), "is_current") == {"a1": False, "b2": True, "a3": True}
    assert values_by_id(mark_current(reviews), "is_current") == {"a1": False, "b2": False, "a3": True}
    assert set(values_by_id(current_unique_reviews(reviews, places, sources), "review_id")) == {"b2", "a3"}


def test_the_source_of_a_batch_is_read_where_its_statistics_are_cut(
    spark: SparkSession, config: Config, table: Table
) -> None:
    warehouse = Warehouse(spark, config)
    assert batch_sources(warehouse) == {}
    warehouse.converge(["bronze_reviews"])
    long = "a name of more than thirty-two characters"
    for batch, name in ((1, "short"), (2, long), (3, "it's")):
        row = {"record_id": name, "text_raw": "t", "source": name, "batch_id": batch}
        warehouse.append("bronze_reviews", table("bronze_reviews", row))
    assert batch_sources(warehouse) == {1: "short", 2: long, 3: "it's"}
