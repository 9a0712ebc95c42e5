"""Tests the chain of transforms on bad texts, on no rows, and on 1 and 7 partitions."""

import random

from pyspark.sql import DataFrame

from reviewgen_spark.config import Config
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.clean import clean_batch
from reviewgen_spark.transforms.dedup import cluster_reviews
from reviewgen_spark.transforms.dictionaries import driver_dictionaries
from reviewgen_spark.transforms.split import split_reviews
from reviewgen_spark.transforms.tokens import tokenise_reviews
from reviewgen_spark.transforms.weak_labels import label_weakly
from tests.spark.conftest import Table, bronze

BAD_TEXTS = {
    "null": None,
    "empty": "",
    "blank": " \t\u3000\u00a0",
    "long": "".join(chr(0x4E00 + i % 5_000) for i in range(100_000)),
    "nul": "很\x00好",
    "controls": "\x01\x02\x7f\u200b",
    "noise": bytes(random.Random(4).randrange(256) for _ in range(400)).decode("latin-1"),
    "right_to_left": "\u202e很好\u202c שלום",
    "replacement": "\ufffd" * 50,
    "unfinished_markup": "<" * 5_000 + "&" * 5_000,
    "combining": "a" + "\u0301" * 3_000,
}


def chain(reviews: DataFrame, table: Table, config: Config) -> dict[str, DataFrame]:
    cleaning = clean_batch(reviews, table("ops_source_files"), config.clean, config.quality, b"key")
    cleaned = cleaning["silver_reviews"]
    history = table("silver_review_clusters"), table("silver_minhash_bands")
    dedup = cluster_reviews(cleaned, *history, config.dedup, 1)
    clusters = dedup["silver_review_clusters"]
    words = tokenise_reviews(cleaned, clusters, config.tokens, driver_dictionaries()).frame()
    return {
        **cleaning,
        **dedup,
        "silver_review_splits": split_reviews(clusters, config.split),
        "silver_tokens": words,
        **label_weakly(words, cleaned, table("silver_weak_labels"), config.weak_labels, driver_dictionaries()),
    }


def test_bad_texts_are_flagged_or_quarantined(table: Table, config: Config) -> None:
    rows = table(
        "bronze_reviews", *({"record_id": i, "review_id": i, "text_raw": text} for i, text in BAD_TEXTS.items())
    )
    tables = {name: table_rows.collect() for name, table_rows in chain(rows.coalesce(1), table, config).items()}
    accepted = {row.record_id: row for row in tables["silver_reviews"]}
    refused = {row.record_id for row in tables["silver_reviews_quarantine"]}
    assert set(accepted) | refused == set(BAD_TEXTS) and not set(accepted) & refused
    assert {i for i, row in accepted.items() if row.text_clean is None} >= {"null", "empty", "blank", "controls"}
    assert all("empty_text" in row.quality_flags for row in accepted.values() if row.text_clean is None)
    assert accepted["long"].rule_counts["truncated"] == 1 and len(accepted["long"].text_clean) <= config.clean.max_chars
    assert accepted["nul"].text_clean == "很好" and accepted["right_to_left"].text_clean.startswith("很好")
    for name in ("silver_review_clusters", "silver_review_splits", "silver_tokens", "silver_weak_labels"):
        assert len(tables[name]) <= len(accepted)
    assert len(tables["silver_review_clusters"]) == len(accepted)


def test_no_rows_give_no_rows_with_the_right_columns(table: Table, config: Config) -> None:
    for name, rows in chain(table("bronze_reviews"), table, config).items():
        assert set(rows.columns) == set(TABLES[name].columns.names), name
        assert rows.count() == 0


def test_the_result_does_not_depend_on_partitions(table: Table, config: Config) -> None:
    one = chain(bronze(table).coalesce(1), table, config)
    seven = chain(bronze(table).repartition(7), table, config)
    for name in one:
        columns = sorted(one[name].columns)
        assert sorted(map(str, one[name].select(columns).collect())) == sorted(
            map(str, seven[name].select(columns).collect())
        ), name
