"""Compares the words and keywords that are renewed for changed products with those computed from everything."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from reviewgen_spark.jobs import keywords

from reviewgen_spark.config import KeywordsSection
from reviewgen_spark.orchestration.backlog import Force
from reviewgen_spark.orchestration.runner import Run, open_run
from reviewgen_spark.products import changed_words
from reviewgen_spark.products.changed_words import ReadBefore, product_words_now
from reviewgen_spark.products.keywords import keywords_by_product, words_by_product
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.views import current_unique_reviews
from reviewgen_spark.warehouse.tables import Warehouse
from tests.conftest import ConfigFactory
from tests.spark.conftest import DAY, Table

WORDS = [f"词{n}" for n in range(9)]
SECTION = KeywordsSection(min_reviews=2, max_reviews=4, top=3)


@dataclass
class Shop:
    """Draws the history of a warehouse: deliveries of two sources, edits, copies, erasures, batches cut again."""

    table: Table
    draw: random.Random
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    batches: dict[int, str] = field(default_factory=dict)
    sources: dict[int, str] = field(default_factory=dict)

    def deliver(self, batch: int, source: str, size: int = 8) -> None:
        self.batches[batch], self.sources[batch] = f"f{batch}", source
        for line in range(size):
            day = datetime(2026, 1, self.draw.randint(1, 20), tzinfo=UTC)
            self.records[f"{batch}-{line}"] = {
                "record_id": f"{batch}-{line}",
                "review_id": f"r{self.draw.randrange(14)}",  # often an edit, and often of another product
                "product_id": f"p{self.draw.randrange(5)}",
                "created_at": day,
                "updated_at": day + timedelta(days=3) if self.draw.random() < 0.5 else None,
                "source_line": line,
                "batch_id": batch,
                "duplicate_of": "x" if self.draw.random() < 0.2 else None,
                "content_words": self.draw.choices(WORDS, k=self.draw.randrange(6)),
            }

    def erase(self) -> set[str]:
        """Removes records, lets a copy be unique, and returns the products that the erasure deletes."""
        gone = [self.records.pop(name) for name in self.draw.sample(sorted(self.records), 3)]
        for record in self.draw.sample([row for row in self.records.values() if row["duplicate_of"]], 1):
            record["duplicate_of"] = None
        return {record["product_id"] for record in gone}

    def cut_again(self, batch: int) -> None:
        """Gives a batch other words, and so another fingerprint."""
        self.batches[batch] += "+"
        for record in self.records.values():
            if record["batch_id"] == batch:
                record["content_words"] = self.draw.choices(WORDS, k=4)

    def tables(self) -> dict[str, DataFrame]:
        rows = list(self.records.values())
        unique = [row for row in rows if row["duplicate_of"] is None]
        return {
            "silver_reviews": self.table("silver_reviews", *rows),
            "silver_review_clusters": self.table("silver_review_clusters", *rows),
            "silver_tokens": self.table("silver_tokens", *unique),
        }

    def now(self, words: list[Row], through: int, rules: str = "rules") -> list[Row]:
        """Returns the renewed rows of gold_product_words, after comparing them with those of everything."""
        tables = self.tables()
        before = self.table("gold_product_words")
        before = before.sparkSession.createDataFrame(words, before.schema)
        renewed = product_words_now(
            tables, ReadBefore(before, through), self.batches, rules, SECTION, self.sources
        ).persist()
        current = current_unique_reviews(tables["silver_reviews"], tables["silver_review_clusters"], self.sources)
        own = current.select("product_id", "record_id")
        full = words_by_product(own.join(tables["silver_tokens"], "record_id"), SECTION).persist()
        rows = renewed.collect()
        assert plain(renewed.drop("reviews_hash").collect()) == plain(full.collect())
        assert plain(keywords_by_product(renewed, SECTION).collect()) == plain(
            keywords_by_product(full, SECTION).collect()
        )
        assert any(row.ranked for row in rows)
        return rows


def plain(rows: list[Row]) -> list[str]:
    return sorted(str(row.asDict(recursive=True)) for row in rows)


@pytest.mark.parametrize(("seed", "broadcast_keys"), [(1, 200_000), (2, 0)])
def test_renewed_words_equal_those_of_everything(
    table: Table, monkeypatch: pytest.MonkeyPatch, seed: int, broadcast_keys: int
) -> None:
    monkeypatch.setattr(changed_words, "_BROADCAST_KEYS", broadcast_keys)
    shop = Shop(table, random.Random(seed))
    shop.deliver(1, "a", 30)
    words = shop.now([], 0)
    shop.deliver(2, "a")
    words = shop.now(words, 1)
    shop.deliver(3, "b")  # the second source: a review_id alone is no longer the key of a review
    shop.deliver(4, "a", 2)
    words = shop.now(words, 2)
    erased = shop.erase()
    words = shop.now([row for row in words if row.product_id not in erased], 0)
    shop.cut_again(2)
    words = shop.now(words, 0)
    assert shop.now(words, 4) == words
    assert {row.reviews_hash for row in shop.now(words, 0, "other rules")}.isdisjoint(row.reviews_hash for row in words)


def test_words_of_unchanged_products_are_not_read(table: Table) -> None:
    shop = Shop(table, random.Random(4))
    shop.deliver(1, "a", 30)
    words = shop.now([], 0)
    shop.deliver(2, "a", 1)
    new = shop.records["2-0"]
    new |= {"review_id": "new", "product_id": "p1", "duplicate_of": None, "content_words": WORDS}
    for record in shop.records.values():
        if record["product_id"] != "p1":
            record["content_words"] = ["unread"]  # with the fingerprint of the old words
    before = table("gold_product_words").sparkSession.createDataFrame(words, table("gold_product_words").schema)
    for through in (0, 1):
        before_run = ReadBefore(before, through)
        renewed = product_words_now(shop.tables(), before_run, shop.batches, "rules", SECTION, shop.sources).collect()
        old, now = ({row.product_id: row for row in rows} for rows in (words, renewed))
        assert {name for name in now if now[name] != old[name]} == {"p1"}
        assert now["p1"].size == min(old["p1"].size + 1, SECTION.max_reviews)


def keep(warehouse: Warehouse, opened: Run, batch: int, *reviews: tuple[str, str, str]) -> None:
    """Writes a batch as `clean`, `dedup` and `tokens` would: review, product and word of each record."""
    rows = [
        {"record_id": f"{batch}-{review}", "review_id": review, "product_id": product, "batch_id": batch,
         "created_at": DAY + timedelta(days=batch), "cluster_id": review, "is_first_of_text": True,
         "tokens": [word], "content_words": [word], "token_count": 1}
        for review, product, word in reviews
    ]  # fmt: skip
    for name in keywords.STAGE.reads:
        warehouse.append(name, warehouse.rows(name, rows))
        opened.ledger.record(TABLES[name].stage, batch, "succeeded", f"f{batch}")


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Records `through` and the number of kept rows that each run of the stage gets."""
    calls: list[tuple[int, int]] = []

    def spy(tables: Any, before: ReadBefore, *rest: Any) -> DataFrame:
        calls.append((before.through, before.words.count()))
        return product_words_now(tables, before, *rest)

    monkeypatch.setattr(keywords, "product_words_now", spy)
    return calls


def test_a_run_continues_where_the_last_one_ended(
    spark: SparkSession, make_config: ConfigFactory, searched: list[tuple[int, int]]
) -> None:
    config = make_config("keywords.min_reviews=1", "lease.ttl_s=3600", "lease.heartbeat_s=600")
    warehouse = Warehouse(spark, config)

    def night(batch: int | None = None, *reviews: tuple[str, str, str], force: Force | None = None, **keys: Any) -> Any:
        section = config.keywords.model_copy(update=keys)
        used = config.model_copy(update={"keywords": section})
        with open_run(spark, used, force, report=lambda line: None) as opened:
            if batch is not None:
                opened.warehouse.converge(keywords.STAGE.reads)
                keep(warehouse, opened, batch, *reviews)
            opened.pipeline([keywords.STAGE])
        rows = warehouse.read("gold_product_keywords").where("method_code = 'tfidf'").collect()
        return sorted((row.product_id, row.word, row.review_count) for row in rows)

    first = night(1, ("r1", "p1", "电池"), ("r2", "p1", "电池"), ("r3", "p2", "屏幕"))
    assert first == [("p1", "电池", 2), ("p2", "屏幕", 1)]
    moved = [("p1", "电池", 1), ("p2", "屏幕", 1), ("p3", "键盘", 1)]
    assert night(2, ("r1", "p3", "键盘")) == moved
    assert night() == moved  # nothing to do
    assert searched == [(0, 0), (1, 2)]
    assert night(3, ("r3", "p1", "鼠标"), ("r4", "p4", "耳机"))[-2:] == [("p3", "键盘", 1), ("p4", "耳机", 1)]
    assert searched.pop() == (2, 3)
    everything = night(force=Force("keywords"))
    assert searched.pop() == (0, 0)
    assert night(min_reviews=2) == []
    assert night() == everything
    assert searched[-2:] == [(0, 3), (0, 3)]
    warehouse.delete(
        "gold_product_words", warehouse.rows("gold_product_words", [{"product_id": "p1"}]), ("product_id",)
    )
    assert night(4, ("r5", "p5", "袜子")) == [*everything, ("p5", "袜子", 1)]
    assert searched.pop() == (0, 2)
    with open_run(spark, config, report=lambda line: None) as opened:
        opened.ledger.record("keywords", None, "started", "killed")
    assert night(5, ("r6", "p6", "袜子"))[-1] == ("p6", "袜子", 1)
    assert searched.pop() == (0, 4)
