"""Each transform on a few rows with values worked out by hand, on no rows, and on 1 against 7 partitions."""

import math
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.products.keywords import keywords_by_product
from reviewgen_spark.products.satisfaction import satisfaction_by_product
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.sections import KeywordsSection, SatisfactionSection, SplitSection
from reviewgen_spark.transforms.clean import clean_batch, clean_reviews
from reviewgen_spark.transforms.corpus import labelled_aspects, labelled_reviews, unlabelled_reviews
from reviewgen_spark.transforms.dedup import cluster_reviews
from reviewgen_spark.transforms.dictionaries import driver_dictionaries
from reviewgen_spark.transforms.split import split_reviews
from reviewgen_spark.transforms.tokens import tokenise_reviews
from reviewgen_spark.transforms.views import current_unique_reviews, mark_current
from reviewgen_spark.transforms.weak_labels import label_weakly

DAY = datetime(2026, 1, 5, tzinfo=UTC)
Table = Callable[..., DataFrame]


def by_id(rows: DataFrame, *columns: str) -> dict[str, Any]:
    return {
        row.record_id: tuple(row[c] for c in columns) if len(columns) > 1 else row[columns[0]] for row in rows.collect()
    }


# -- clean ---------------------------------------------------------------------------------------------------------


def bronze(table: Table) -> DataFrame:
    return table(
        "bronze_reviews",
        {
            "record_id": "a",
            "text_raw": "质量<b>很好</b>，电话13800000000",
            "title": "Ａ级",
            "user_id": "u1",
            "rating": 5,
        },
        {"record_id": "b", "text_raw": "", "user_id": None},
        {"record_id": "c", "text_raw": None, "user_id": "u1"},
        {"record_id": "d", "text_raw": "此用户没有填写评价。", "user_id": "u2"},
    )


def test_clean_masks_normalises_and_hashes_the_user(table: Table, config: Config) -> None:
    cleaned = clean_reviews(bronze(table), config.clean, b"key")
    assert "user_id" not in cleaned.columns
    found = {row.record_id: row for row in cleaned.collect()}
    assert "13800000000" not in found["a"].text_clean and "[PHONE]" in found["a"].text_clean
    assert "<b>" not in found["a"].text_clean
    assert found["a"].title_clean == "A级"
    assert found["a"].pii_counts == {"PHONE": 1}
    assert found["a"].lang_code == "zh-hans"
    assert found["a"].user_key == found["c"].user_key != found["d"].user_key
    assert found["b"].user_key is None
    assert found["b"].text_clean is None and not found["b"].is_boilerplate
    assert found["c"].text_clean is None and found["c"].text_hash is None
    assert found["d"].is_boilerplate


def test_another_key_gives_other_user_keys(table: Table, config: Config) -> None:
    one = by_id(clean_reviews(bronze(table), config.clean, b"key"), "user_key")
    other = by_id(clean_reviews(bronze(table), config.clean, b"other"), "user_key")
    assert one["a"] != other["a"]


# -- split ---------------------------------------------------------------------------------------------------------


def clusters(spark: SparkSession, count: int, partitions: int) -> DataFrame:
    return spark.range(0, count, 1, partitions).select(
        F.col("id").cast("string").alias("record_id"),
        F.concat(F.lit("c"), F.col("id").cast("string")).alias("cluster_id"),
        F.array().cast("array<string>").alias("near_clusters"),
        F.lit(1).cast("long").alias("batch_id"),
    )


def test_shares_are_as_configured_and_copies_stay_together(spark: SparkSession) -> None:
    rows = split_reviews(clusters(spark, 20_000, 4), SplitSection())
    shares = {row["split"]: row["count"] / 20_000 for row in rows.groupBy("split").count().collect()}
    # three standard deviations of a binomial share at 20,000 rows are 0.85 points
    assert shares["train"] == pytest.approx(0.8, abs=0.0085)
    assert shares["validation"] == pytest.approx(0.1, abs=0.0064)
    one = clusters(spark, 50, 1).withColumn("cluster_id", F.lit("same"))
    assert split_reviews(one, SplitSection()).select("split").distinct().count() == 1


def test_the_split_ignores_order_partitions_and_growth(spark: SparkSession) -> None:
    few = by_id(split_reviews(clusters(spark, 100, 1), SplitSection()), "split")
    many = by_id(split_reviews(clusters(spark, 1_000, 7).orderBy(F.desc("record_id")), SplitSection()), "split")
    assert few == {key: many[key] for key in few}
    other = by_id(split_reviews(clusters(spark, 100, 1), SplitSection(seed="split-2")), "split")
    assert other != few


def test_a_record_near_clusters_of_different_splits_has_none(spark: SparkSession) -> None:
    found = by_id(split_reviews(clusters(spark, 200, 1), SplitSection()), "split")
    train = [f"c{key}" for key, split in found.items() if split == "train"][:3]
    test = [f"c{key}" for key, split in found.items() if split == "test"][:1]
    rows = spark.createDataFrame(
        [("alike", train[0], train[1:], 1), ("bridge", train[0], test, 1)],
        "record_id string, cluster_id string, near_clusters array<string>, batch_id long",
    )
    assert by_id(split_reviews(rows, SplitSection()), "split") == {"alike": "train", "bridge": "none"}


# -- tokens and weak labels ----------------------------------------------------------------------------------------


def test_tokens_of_unique_reviews_and_what_the_lexicon_says(table: Table, config: Config) -> None:
    reviews = table(
        "silver_reviews",
        {"record_id": "good", "text_clean": "质量非常好，很满意", "rating": 5},
        {"record_id": "bad", "text_clean": "质量太差了，很失望", "rating": 5},
        {"record_id": "copy", "text_clean": "质量太差了，很失望"},
        {"record_id": "empty", "text_clean": None},
    )
    places = table(
        "silver_review_clusters",
        *({"record_id": i, "cluster_id": i} for i in ("good", "bad", "empty")),
        {"record_id": "copy", "cluster_id": "bad", "duplicate_of": "bad", "duplicate_kind": "exact"},
    )
    words = tokenise_reviews(reviews, places, config.tokens, driver_dictionaries()).cache()
    tokens = by_id(words, "tokens")
    assert set(tokens) == {"good", "bad", "empty"}
    assert tokens["empty"] == []
    assert "".join(tokens["good"]) == "质量非常好，很满意"
    assert {row.token_count == len(row.tokens) for row in words.collect()} == {True}
    told = label_weakly(words, reviews, table("silver_weak_labels"), config.weak_labels, driver_dictionaries())
    votes = by_id(told["silver_weak_labels"], "weak_label", "votes", "majority_label")
    assert votes["good"] == ("positive", {"lexicon": "positive", "rating": "positive"}, "positive")
    assert votes["bad"] == (None, {"lexicon": "negative", "rating": "positive"}, None)
    assert votes["empty"] == (None, {}, None)
    voters = {row.voter: row for row in told["ops_weak_voters"].collect()}
    assert (voters["lexicon"].row_count, voters["lexicon"].vote_count, voters["lexicon"].conflict_count) == (3, 2, 1)
    assert voters["vader"].vote_count == 0 and voters["vader"].estimated_accuracy is None


def test_the_votes_of_earlier_batches_weigh(table: Table, config: Config) -> None:
    """By itself a batch with one disputed review knows nothing; the lexicon was right among three voters before."""
    reviews = table(
        "silver_reviews", {"record_id": "a", "text_clean": "质量非常好，很满意", "rating": 1, "lang_code": "zh-hans"}
    )
    tokens = table("silver_tokens", {"record_id": "a", "tokens": ["质量", "非常", "好"]})
    right = {"lexicon": "positive", "vader": "positive", "textblob": "positive", "rating": "negative"}
    earlier = table("silver_weak_labels", *({"record_id": f"e{i}", "votes": right} for i in range(50)))
    alone = label_weakly(tokens, reviews, table("silver_weak_labels"), config.weak_labels, driver_dictionaries())
    after = label_weakly(tokens, reviews, earlier, config.weak_labels, driver_dictionaries())
    assert by_id(alone["silver_weak_labels"], "weak_label") == {"a": None}
    assert by_id(after["silver_weak_labels"], "weak_label") == {"a": "positive"}


# -- views and roll-ups --------------------------------------------------------------------------------------------


def test_the_newest_record_of_a_review_is_current(table: Table) -> None:
    later = datetime(2026, 1, 9, tzinfo=UTC)
    reviews = table(
        "silver_reviews",
        {"record_id": "old", "review_id": "r", "created_at": DAY},
        {"record_id": "edited", "review_id": "r", "created_at": DAY, "updated_at": later},
        {"record_id": "twin-1", "review_id": "s", "source_line": 1},
        {"record_id": "twin-2", "review_id": "s", "source_line": 2},
    )
    assert by_id(mark_current(reviews), "is_current") == {
        "old": False,
        "edited": True,
        "twin-1": False,
        "twin-2": True,
    }
    places = table("silver_review_clusters", *({"record_id": i, "cluster_id": i} for i in ("old", "edited", "twin-1")))
    assert set(by_id(current_unique_reviews(reviews, places), "review_id")) == {"edited"}


def labelled(table: Table, *rows: tuple[str, str | None]) -> DataFrame:
    reviews = table(
        "silver_reviews",
        *({"record_id": str(i), "product_id": p, "category": "图书", "rating": 4} for i, (p, _) in enumerate(rows)),
    )
    labels = table(
        "gold_review_labels",
        *(
            {"record_id": str(i), "sentiment_label": label, "model_name": "m", "model_version": 1, "fingerprint": "f"}
            for i, (_, label) in enumerate(rows)
        ),
    )
    return reviews.join(labels.drop("batch_id"), on="record_id", how="inner")


def test_satisfaction_is_shrunk_to_the_shop_mean(table: Table) -> None:
    rows = labelled(table, ("p", "positive"), ("q", "negative"), ("q", "negative"), ("q", "positive"), ("q", None))
    found = {r.product_id: r for r in satisfaction_by_product(rows, SatisfactionSection(min_reviews=3)).collect()}
    # shop mean 2/4, prior weight 10: p (1 + 5) / 11, q (1 + 5) / 13
    assert found["p"].satisfaction_score == pytest.approx(6 / 11)
    assert found["q"].satisfaction_score == pytest.approx(6 / 13)
    assert found["q"].review_count == 3 and found["q"].satisfaction_pct == pytest.approx(100 / 3)
    assert (found["p"].has_enough_reviews, found["q"].has_enough_reviews) == (False, True)
    assert found["p"].first_review_date == date(2026, 1, 5)


def test_satisfaction_never_mixes_the_scores_of_two_models(table: Table) -> None:
    rows = labelled(table, *[("p", "positive")] * 3, ("q", "negative"), ("q", "positive"), ("r", "negative"))
    # A new model has come as far as records 4 and 5: one review of q, and all of r.
    half = rows.withColumn("model_version", F.when(F.col("record_id") >= "4", 2).otherwise(1))
    found = {row.product_id: row for row in satisfaction_by_product(half, SatisfactionSection()).collect()}
    assert {row.model_version for row in found.values()} == {1}
    assert {name: (row.review_count, row.coverage_pct) for name, row in found.items()} == {"p": (3, 100), "q": (1, 50)}
    even = rows.withColumn("model_version", F.when(F.col("record_id") >= "3", 2).otherwise(1))
    found = {row.product_id: row for row in satisfaction_by_product(even, SatisfactionSection()).collect()}
    assert {name: row.model_version for name, row in found.items()} == {"q": 2, "r": 2}  # as many: the newer


def test_the_corpus_takes_the_newest_gold_label_and_no_contradicting_copies(table: Table) -> None:
    ids = ("a", "b", "c", "c2", "e", "n")
    reviews = table(
        "silver_reviews", *({"record_id": i, "text_clean": None if i == "e" else f"text {i}", "rating": 3} for i in ids)
    )
    places = table(
        "silver_review_clusters",
        *({"record_id": i, "cluster_id": i} for i in ("a", "b", "c", "e", "n")),
        {"record_id": "c2", "cluster_id": "c", "duplicate_of": "c", "duplicate_kind": "exact"},
    )
    splits = table("silver_review_splits", *({"record_id": i, "cluster_id": i, "split": "train"} for i in ids))
    gold = table(
        "bronze_gold_labels",
        *(
            {"review_id": i, "task": "sentiment", "label": label, "source": "s", "batch_id": batch}
            for i, label, batch in (
                ("a", "negative", 1),
                ("a", "positive", 2),
                ("b", "negative", 1),
                ("c", "negative", 1),
                ("c2", "positive", 1),
                ("e", "positive", 1),
            )
        ),
    )
    weak = table("silver_weak_labels", {"record_id": "n", "weak_label": "positive"})
    assert by_id(labelled_reviews(reviews, places, splits, gold, weak, "gold"), "label") == {"a": 1, "b": 0}
    assert by_id(labelled_reviews(reviews, places, splits, gold, weak, "weak"), "label") == {"n": 1}
    assert by_id(labelled_reviews(reviews, places, splits, gold, weak, "rating"), "label") == {}


def test_a_corpus_of_aspects_has_a_row_a_review_and_aspect(table: Table) -> None:
    ids = ("a", "b", "c", "c2", "e")
    reviews = table(
        "silver_reviews",
        *(
            {"record_id": i, "review_id": i, "text_clean": None if i == "e" else f"text {i}", "category": "手机"}
            for i in ids
        ),
    )
    places = table(
        "silver_review_clusters",
        *({"record_id": i, "cluster_id": i} for i in ("a", "b", "c", "e")),
        {"record_id": "c2", "cluster_id": "c", "duplicate_of": "c", "duplicate_kind": "exact"},
    )
    splits = table(
        "silver_review_splits",
        *({"record_id": i, "cluster_id": i, "split": "none" if i == "b" else "train"} for i in ids),
    )
    gold = table(
        "bronze_gold_labels",
        *(
            {"review_id": i, "task": task, "label": label, "source": "s", "batch_id": batch}
            for i, task, label, batch in (
                ("a", "aspect:屏幕", "negative", 1),
                ("a", "aspect:屏幕", "positive", 2),
                ("a", "aspect:电池:容量", "neutral", 1),
                ("a", "sentiment", "negative", 3),
                ("b", "aspect:屏幕", "positive", 1),
                ("c", "aspect:屏幕", "negative", 1),
                ("c", "aspect:电池", "negative", 1),
                ("c2", "aspect:屏幕", "positive", 1),
                ("e", "aspect:屏幕", "positive", 1),
            )
        ),
    )
    found = labelled_aspects(reviews, places, splits, gold)
    assert sorted(tuple(row) for row in found.select("text", "aspect", "polarity", "category", "split").collect()) == [
        ("text a", "屏幕", "positive", "手机", "train"),
        ("text a", "电池:容量", "neutral", "手机", "train"),
        ("text c", "电池", "negative", "手机", "train"),  # its copy says the opposite of the screen only
    ]
    assert labelled_aspects(reviews, places, splits, gold.limit(0)).count() == 0
    spread = labelled_aspects(reviews.repartition(7), places, splits, gold.repartition(7))
    assert sorted(map(tuple, spread.collect())) == sorted(map(tuple, found.collect()))


def test_the_pretraining_corpus_never_reads_the_test_split(table: Table) -> None:
    ids = {"train": "train", "validation": "validation", "test": "test", "none": "none", "copy": "train"}
    ids |= {"empty": "train", "default": "train"}
    reviews = table(
        "silver_reviews",
        *(
            {"record_id": i, "text_clean": None if i == "empty" else f"text {i}", "quality_flags": []}
            | ({"quality_flags": ["boilerplate"]} if i == "default" else {})
            for i in ids
        ),
    )
    places = table(
        "silver_review_clusters",
        *({"record_id": i, "cluster_id": i} for i in ids if i != "copy"),
        {"record_id": "copy", "cluster_id": "train", "duplicate_of": "train", "duplicate_kind": "exact"},
    )
    splits = table("silver_review_splits", *({"record_id": i, "cluster_id": i, "split": s} for i, s in ids.items()))
    found = by_id(unlabelled_reviews(reviews, places, splits), "text", "split")
    assert found == {"train": ("text train", "train"), "validation": ("text validation", "validation")}


def test_keywords_of_a_product(table: Table) -> None:
    words = [
        ("hotel", ["房间", "干净", "早餐", "[开心]", "2019"]),
        ("hotel", ["房间", "安静", "早餐", "房间"]),
        ("hotel", ["房间", "很", "早餐"]),
        ("book", ["故事", "很", "翻译"]),
        ("book", ["故事", "很"]),
    ]
    rows = table("silver_tokens", *({"record_id": str(i), "content_words": w} for i, (_, w) in enumerate(words)))
    products = rows.sparkSession.createDataFrame(
        [(str(i), p) for i, (p, _) in enumerate(words)], "record_id string, product_id string"
    )
    section = KeywordsSection(min_reviews=2, top=2)
    found = keywords_by_product(rows.join(products, "record_id"), section).collect()
    of = {(row.product_id, row.method_code, row.place): row for row in found}
    assert {row.word for row in found if row.product_id == "hotel"} == {"房间", "早餐"}
    # 3 of 3 reviews, in 1 of 2 products
    assert of["hotel", "tfidf", 1].score == pytest.approx(math.log(3 / 2) + 1)
    assert (of["hotel", "tfidf", 1].word, of["hotel", "tfidf", 1].review_count) == ("房间", 3)
    assert of["book", "textrank", 1].score == pytest.approx(0.5)
    assert {of["book", "textrank", n].word for n in (1, 2)} == {"故事", "很"}
    few = keywords_by_product(rows.join(products, "record_id"), KeywordsSection(min_reviews=2, max_reviews=1)).count()
    assert few == 0
    assert keywords_by_product(rows.join(products, "record_id").limit(0), section).count() == 0


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


def test_bad_texts_are_rows_with_flags_or_quarantined(table: Table, config: Config) -> None:
    rows = table(
        "bronze_reviews", *({"record_id": i, "review_id": i, "text_raw": text} for i, text in BAD_TEXTS.items())
    )
    told = {name: found.collect() for name, found in chain(rows.coalesce(1), table, config).items()}
    kept = {row.record_id: row for row in told["silver_reviews"]}
    refused = {row.record_id for row in told["silver_reviews_quarantine"]}
    assert set(kept) | refused == set(BAD_TEXTS) and not set(kept) & refused
    assert {i for i, row in kept.items() if row.text_clean is None} >= {"null", "empty", "blank", "controls"}
    assert all("empty_text" in row.quality_flags for row in kept.values() if row.text_clean is None)
    assert kept["long"].rule_counts["truncated"] == 1 and len(kept["long"].text_clean) <= config.clean.max_chars
    assert kept["nul"].text_clean == "很好" and kept["right_to_left"].text_clean.startswith("很好")
    for name in ("silver_review_clusters", "silver_review_splits", "silver_tokens", "silver_weak_labels"):
        assert len(told[name]) <= len(kept)
    assert len(told["silver_review_clusters"]) == len(kept)


# -- no rows, and 1 against 7 partitions ---------------------------------------------------------------------------


def chain(reviews: DataFrame, table: Table, config: Config) -> dict[str, DataFrame]:
    parted = clean_batch(reviews, table("ops_source_files"), config.clean, config.quality, b"key")
    cleaned = parted["silver_reviews"]
    history = table("silver_review_clusters"), table("silver_minhash_bands")
    found = cluster_reviews(cleaned, *history, config.dedup, 1)
    placed = found["silver_review_clusters"]
    words = tokenise_reviews(cleaned, placed, config.tokens, driver_dictionaries())
    return {
        **parted,
        **found,
        "silver_review_splits": split_reviews(placed, config.split),
        "silver_tokens": words,
        **label_weakly(words, cleaned, table("silver_weak_labels"), config.weak_labels, driver_dictionaries()),
    }


def test_no_rows_give_no_rows_of_the_right_shape(table: Table, config: Config) -> None:
    for name, rows in chain(table("bronze_reviews"), table, config).items():
        assert set(rows.columns) == set(TABLES[name].columns.names), name
        assert rows.count() == 0


def test_partitions_change_nothing(table: Table, config: Config) -> None:
    one = chain(bronze(table).coalesce(1), table, config)
    seven = chain(bronze(table).repartition(7), table, config)
    for name in one:
        columns = sorted(one[name].columns)
        assert sorted(map(str, one[name].select(columns).collect())) == sorted(
            map(str, seven[name].select(columns).collect())
        ), name


def test_corpora_of_benchmarks_are_split_as_the_pipeline_splits(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from corpora import split_of

    rows = [(f"r{number}", f"c{number}", []) for number in range(200)]
    clusters = spark.createDataFrame(rows, "record_id string, cluster_id string, near_clusters array<string>")
    found = split_reviews(clusters.withColumn("batch_id", F.lit(1)), SplitSection(train_pct=75, validation_pct=5))
    expected = {name: split_of(name) for _, name, _ in rows}
    assert {row.cluster_id: row.split for row in found.collect()} == expected
    assert set(expected.values()) == {"train", "validation", "test"}
