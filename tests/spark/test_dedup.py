"""Tests de-duplication: exact and near copies, within a batch and across batches."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame

from reviewgen_spark.config import DedupSection
from reviewgen_spark.text.cleaning.cleaner import hash_of, key_of
from reviewgen_spark.text.similarity.minhash import jaccard
from reviewgen_spark.transforms.components import Pair, components
from reviewgen_spark.transforms.dedup import cluster_reviews

Table = Callable[..., DataFrame]
EXACT = DedupSection(kinds=("exact",))


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def text(seed: int, length: int = 60) -> str:
    draw = random.Random(seed)
    return "".join(chr(0x4E00 + draw.randrange(2_000)) for _ in range(length))


def review(record_id: str, text_clean: str | None, batch_id: int = 1, **values: Any) -> dict[str, Any]:
    text_hash = hash_of(key_of(text_clean)) if text_clean else None
    return {"record_id": record_id, "text_clean": text_clean, "text_hash": text_hash, "batch_id": batch_id, **values}


class Batches:
    """De-duplicates batches one after another, each with the history of the earlier ones."""

    def __init__(self, table: Table, section: DedupSection) -> None:
        self._table, self._section = table, section
        self._reviews: list[dict[str, Any]] = []
        self._clusters = table("silver_review_clusters")
        self._bands = table("silver_minhash_bands")
        self._batch = 0

    def add(self, *reviews: dict[str, Any]) -> dict[str, Any]:
        """Returns the rows of the batch by record_id."""
        self._batch += 1
        self._reviews += [{**row, "batch_id": self._batch} for row in reviews]
        result = cluster_reviews(
            self._table("silver_reviews", *self._reviews), self._clusters, self._bands, self._section, self._batch
        )
        rows = result["silver_review_clusters"].collect()
        bands = result["silver_minhash_bands"].collect()
        schemas = self._clusters.schema, self._bands.schema
        spark = self._clusters.sparkSession
        self._clusters = spark.createDataFrame([*self._clusters.collect(), *rows], schemas[0])
        self._bands = spark.createDataFrame([*self._bands.collect(), *bands], schemas[1])
        return {row.record_id: row for row in rows}


def clusters(rows: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {key: (row.cluster_id, row.duplicate_of, row.duplicate_kind) for key, row in rows.items()}


def test_the_first_seen_copy_survives(table: Table) -> None:
    rows = Batches(table, EXACT).add(
        review("b", "很好，推荐", created_at=day(6)),
        review("a", "很好 推荐！", created_at=day(6)),
        review("c", "很好推荐", created_at=day(5)),
        review("d", None),
        review("e", None),
    )
    assert clusters(rows) == {
        "a": ("c", "c", "exact"),
        "b": ("c", "c", "exact"),
        "c": ("c", None, None),
        "d": ("d", None, None),
        "e": ("e", None, None),
    }
    assert [key for key, row in sorted(rows.items()) if row.is_first_of_text] == ["c", "d", "e"]


def test_a_later_batch_is_compared_with_earlier_ones(table: Table) -> None:
    batches = Batches(table, EXACT)
    batches.add(review("z", "很好推荐"))
    assert clusters(batches.add(review("a", "很好推荐"))) == {"a": ("z", "z", "exact")}


def test_an_edit_is_never_a_duplicate_and_shares_the_cluster(table: Table) -> None:
    long = text(1)
    rows = Batches(table, DedupSection()).add(
        review("a", long, review_id="r1", created_at=day(5)),
        review("b", long, review_id="r1", created_at=day(6)),
        review("c", long, review_id="r2", created_at=day(7)),
        review("d", long + "补", review_id="r1", created_at=day(8)),
    )
    assert clusters(rows) == {
        "a": ("a", None, None),
        "b": ("a", None, None),
        "c": ("a", "a", "exact"),
        "d": ("a", None, None),
    }


def test_near_copies_join_across_chains_and_batches(table: Table) -> None:
    batches = Batches(table, DedupSection())
    long = text(2, 100)
    chain = [long, long[12:], long[24:], text(3, 100), "好" * 20]
    ends = jaccard([(chain[0], chain[1]), (chain[1], chain[2]), (chain[0], chain[2])], 3)
    assert min(ends[:2]) > 0.8 > ends[2]
    first = batches.add(*[review(f"r{index}", each, created_at=day(5 + index)) for index, each in enumerate(chain)])
    assert clusters(first) == {
        "r0": ("r0", None, None),
        "r1": ("r0", "r0", "near"),
        "r2": ("r0", "r0", "near"),
        "r3": ("r3", None, None),
        "r4": ("r4", None, None),
    }
    second = batches.add(
        review("a", chain[2] + "再", created_at=day(1)),  # older, but delivered later
        review("b", chain[3][:-1], created_at=day(2)),
        review("c", chain[3][:-1] + "。", created_at=day(3)),
        review("d", text(4, 100)),
    )
    assert clusters(second) == {
        "a": ("r0", "r0", "near"),
        "b": ("r3", "r3", "near"),
        "c": ("r3", "r3", "exact"),
        "d": ("d", None, None),
    }


def test_a_copy_of_two_clusters_joins_the_first_and_names_the_other(table: Table) -> None:
    batches = Batches(table, DedupSection(min_jaccard=0.4, bands=30, rows=2))
    one, other = text(5, 40), text(6, 40)
    batches.add(review("x", other, created_at=day(6)), review("w", one, created_at=day(5)))
    rows = batches.add(review("bridge", one + other), review("same", one + other + "！"))
    for row in rows.values():
        assert (row.cluster_id, row.near_clusters) == ("w", ["x"])
    # a later exact copy of the bridge is one too
    assert batches.add(review("late", one + other))["late"].near_clusters == ["x"]


def test_similar_texts_below_the_limit_and_short_texts_are_not_near_copies(table: Table) -> None:
    long = text(7, 60)
    texts = {"a": long, "b": long[:30] + text(8, 30), "c": "好", "d": "差", "e": "好！"}
    rows = Batches(table, DedupSection()).add(*[review(key, each) for key, each in texts.items()])
    assert {key: row.cluster_id for key, row in rows.items()} == {"a": "a", "b": "b", "c": "c", "d": "d", "e": "c"}


def test_a_near_copy_with_the_opposite_verdict_is_no_copy(table: Table) -> None:
    frame = "{}，物流很快，包装完好，客服态度也很好，非常满意的一次购物，下次还会再来的，推荐大家购买"
    rows = Batches(table, DedupSection()).add(
        review("a", frame.format("质量很好"), created_at=day(1)),
        review("b", frame.format("质量不好"), created_at=day(2)),
        review("c", frame.format("质量好"), created_at=day(3)),
        review("d", frame.format("质量差"), created_at=day(4)),
    )
    assert clusters(rows) == {
        "a": ("a", None, None),
        "b": ("b", None, None),
        "c": ("a", "a", "near"),
        "d": ("b", "b", "near"),
    }


def test_no_bands_are_written_for_exact_copies_only(table: Table) -> None:
    long = text(9)
    history = table("silver_review_clusters"), table("silver_minhash_bands")
    reviews = table("silver_reviews", review("a", long), review("b", long + "补"))
    result = cluster_reviews(reviews, *history, EXACT, 1)
    assert result["silver_minhash_bands"].count() == 0
    assert {row.cluster_id for row in result["silver_review_clusters"].collect()} == {"a", "b"}


def test_components_do_not_depend_on_the_order_of_pairs() -> None:
    def seen(name: str, batch: int = 2) -> tuple[int, int, str]:
        return batch, 0, name

    draw = random.Random(3)
    pairs = []
    for _ in range(300):
        one, other = f"n{draw.randrange(400):03}", f"n{draw.randrange(400):03}"
        pairs.append(Pair(seen(one), seen(other), None))
    for _ in range(40):
        one, cluster = f"n{draw.randrange(400):03}", f"c{draw.randrange(30):02}"
        pairs.append(Pair(seen(one), None, seen(cluster, batch=1)))
    expected = list(components(pairs))
    ids = {row["record_id"]: row["component_id"] for row in expected}
    assert all(ids[pair.one[-1]] == ids[pair.other[-1]] for pair in pairs if pair.other)
    for seed in range(5):
        random.Random(seed).shuffle(pairs)
        assert list(components(pairs)) == expected
