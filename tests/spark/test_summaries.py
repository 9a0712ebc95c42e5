"""Tests gold_product_summaries: one row for each product, with its claims or an error."""

import json

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from reviewgen_spark.jobs import summarise
from reviewgen_spark.pipelines import stages_of

from reviewgen_spark.config import Config
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.products.summaries import summaries_by_product
from reviewgen_spark.text.requests.provenance import parse_aigc
from reviewgen_spark.transforms.dictionaries import driver_dictionaries, driver_safety_lists
from reviewgen_spark.warehouse.tables import Warehouse
from tests.conftest import ConfigFactory
from tests.spark.conftest import Table

LISTS = (driver_dictionaries(), driver_safety_lists())
MANY = 100_000

Written = dict[str, Row]


@pytest.fixture(scope="module")
def reviews(spark: SparkSession) -> DataFrame:
    """Returns reviews of products that differ in number of reviews, languages and missing texts."""
    rows = [
        *((f"z{i}", "zh", text, "zh-hans") for i, text in enumerate(["电池很耐用，屏幕清楚。", "电池不错。"] * 4)),
        ("e1", "en", "The battery is great and lasts long.", "en"),
        ("e2", "en", "The battery is great. Call me at [PHONE], the battery is great.", "en"),
        ("e3", "en", "电池不错。", "zh-hans"),
        ("o1", "one", "The battery is great and lasts long.", "en"),
        ("f1", "french", "Très bon produit, je recommande.", "other"),
        ("n1", "empty", None, "other"),
        ("n2", "empty", "  ", "other"),
        ("p1", "prose", "I went there with my brother", "en"),
    ]
    small = spark.createDataFrame(rows, "record_id string, product_id string, text_clean string, lang_code string")
    big = spark.range(MANY).selectExpr(
        "concat('m', id) AS record_id",
        "'many' AS product_id",
        "concat('电池', if(id % 4 = 0, '太差', '很好'), '，第', id, '次买了。') AS text_clean",
        "'zh-hans' AS lang_code",
    )
    return small.unionByName(big)


@pytest.fixture(scope="module")
def written(reviews: DataFrame, spark: SparkSession) -> Written:
    from reviewgen_spark.config import load_config

    config = load_config("local", ["summarise.max_reviews=50"])
    keywords = spark.createDataFrame(
        [("zh", "tfidf", 1, "屏幕"), ("zh", "textrank", 1, "电池")],
        "product_id string, method_code string, place int, word string",
    )
    collected = summaries_by_product(reviews, keywords, config, LISTS, "print").collect()
    rows = {row.product_id: row for row in collected}
    assert len(rows) == len(collected)
    return rows


def test_each_product_with_a_review_has_a_row(written: Written) -> None:
    assert set(written) == {"zh", "en", "one", "french", "empty", "prose", "many"}
    errors = {product: row.error["class"] for product, row in written.items() if row.error}
    assert errors == {"french": "UnsupportedLanguage", "empty": "EmptyText", "prose": "NothingToSay"}
    assert all((row.text is None) == (product in errors) for product, row in written.items())


def test_quotes_cite_one_review_and_counts_cite_all_of_theirs(written: Written) -> None:
    row = written["zh"]
    counts = [claim for claim in row.claims if claim.kind == "count"]
    assert [(c.aspect, c.mention_count, c.positive_count) for c in counts] == [("battery", 8, 8)]
    assert counts[0].source_record_ids == sorted(f"z{i}" for i in range(8))
    quotes = [claim for claim in row.claims if claim.kind == "quote"]
    assert quotes and all(len(claim.source_record_ids) == 1 for claim in quotes)
    assert row.source_record_ids == sorted({i for claim in row.claims for i in claim.source_record_ids})
    assert "8条评价中，8条提到电池（100%肯定，0%否定）" in row.text


def test_quotes_are_in_the_main_language_and_without_masks(written: Written) -> None:
    row = written["en"]
    assert row.lang_code == "en" and "电池" not in row.text and "[PHONE]" not in row.text
    assert row.visible_label == "[AI-generated]"
    assert written["one"].text == "“The battery is great and lasts long.”"


def test_a_summary_of_many_reviews_says_that_it_is_of_a_sample(written: Written) -> None:
    row = written["many"]
    [count] = [claim for claim in row.claims if claim.kind == "count"]
    assert count.mention_count == 50 and len(count.source_record_ids) == 50
    assert f"{MANY}条评价中抽取的50条中，50条提到电池" in row.text
    assert 50 < count.positive_count * 2 < 100  # three quarters of all are positive


def test_rows_have_provenance_and_passed_checks(written: Written) -> None:
    for row in written.values():
        aigc = parse_aigc(row.aigc)
        assert aigc.fits(row.text) and aigc.ProduceID == row.text_id
        assert (row.model_name, row.purpose, row.seed, row.is_synthetic) == ("extractive", "summary", 0, True)
        assert json.loads(row.decoding)["max_reviews"] == 50
        assert all(check.is_passed for check in row.checks) and bool(row.checks) == (row.text is not None)


def test_summaries_do_not_depend_on_partitions(reviews: DataFrame, written: Written, spark: SparkSession) -> None:
    from reviewgen_spark.config import load_config

    config = load_config("local", ["summarise.max_reviews=50"])
    no_words = spark.createDataFrame([], "product_id string, method_code string, place int, word string")
    some = reviews.where("product_id NOT IN ('zh', 'many')").repartition(7, "record_id")
    repartitioned = summaries_by_product(some, no_words, config, LISTS, "print").collect()
    assert {row.product_id: row for row in repartitioned} == {
        name: row for name, row in written.items() if name not in ("zh", "many")
    }
    assert summaries_by_product(reviews.limit(0), no_words, config, LISTS, "print").count() == 0


def test_harmful_sentences_are_not_quoted(spark: SparkSession, config: Config) -> None:
    texts = ("The battery is great, kill yourself.", "The battery is great and lasts long.", "The battery is great.")
    rows = [(str(i), "p", text, "en") for i, text in enumerate(texts)]
    reviews = spark.createDataFrame(rows, "record_id string, product_id string, text_clean string, lang_code string")
    no_words = spark.createDataFrame([], "product_id string, method_code string, place int, word string")
    [row] = summaries_by_product(reviews, no_words, config, LISTS, "print").collect()
    assert row.error is None and "kill" not in row.text and "battery" in row.text


def test_the_stage_writes_its_table_once_for_unchanged_input(
    spark: SparkSession, table: Table, make_config: ConfigFactory
) -> None:
    assert summarise.STAGE in stages_of("generate")
    config = make_config("summarise.min_mentions=1")
    texts = ("电池很耐用，屏幕清楚。", "电池太差，屏幕也不好！")
    warehouse = Warehouse(spark, config)
    with open_run(spark, config, report=lambda line: None) as run:
        names = (*summarise.STAGE.reads, *summarise.STAGE.writes)
        warehouse.converge(names)
        rows = [{"record_id": str(i), "text_clean": text, "lang_code": "zh-hans"} for i, text in enumerate(texts)]
        warehouse.replace_batch("silver_reviews", table("silver_reviews", *rows), 1)
        clusters = [{"record_id": str(i), "cluster_id": str(i)} for i in range(2)]
        warehouse.replace_batch("silver_review_clusters", table("silver_review_clusters", *clusters), 1)
        for stage in ("clean", "dedup"):
            run.ledger.record(stage, 1, "succeeded", "print")
        run.ledger.record("keywords", None, "succeeded", "print")
        run.pipeline([summarise.STAGE])
        [row] = warehouse.read("gold_product_summaries").collect()
        assert row.product_id == "p" and "2条提到电池（50%肯定，50%否定）" in row.text
        version = warehouse.version("gold_product_summaries")
        run.pipeline([summarise.STAGE])
        assert warehouse.version("gold_product_summaries") == version
