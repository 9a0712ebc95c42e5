"""Compares de-duplication with plain Python on random histories of batches, and its filters with plain searches."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reviewgen_spark.config import DedupSection
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.text.cleaning.cleaner import key_of
from reviewgen_spark.text.similarity.minhash import MinHash, jaccard
from reviewgen_spark.transforms.candidates import pairs_of, sieve_of, texts_with_bands
from reviewgen_spark.transforms.components import Pair, Seen, components
from tests.spark.test_dedup import Batches, Table, day, review, text

Row = dict[str, Any]


class PlainDedup:
    """De-duplicates batches by the definition of `cluster_reviews`, with loops over everything."""

    def __init__(self, section: DedupSection) -> None:
        self._section = section
        self._minhash = MinHash(section.ngram, section.bands, section.rows)
        self._rows: list[Row] = []
        self._bands: dict[Seen, frozenset[int]] = {}
        self._texts: dict[str, str] = {}

    def add(self, batch: int, reviews: list[Row]) -> dict[str, Row]:
        """Returns the rows of silver_review_clusters of a batch, by record_id."""
        reviews = sorted(reviews, key=lambda row: (row["created_at"], row["record_id"]))
        known = {row["text_hash"]: row for row in self._rows if row["is_first_of_text"] and row["text_hash"]}
        firsts: dict[str, Row] = {}
        for row in reviews:
            if row["text_hash"] and row["text_hash"] not in known:
                firsts.setdefault(row["text_hash"], row)
        new = {_seen(row, batch): row for row in firsts.values()}
        for seen, row in new.items():
            [hashes] = self._minhash.band_hashes([key_of(row["text_clean"])])
            self._bands[seen] = frozenset(hashes.tolist())
            self._texts[seen[2]] = key_of(row["text_clean"])
        near = {row["record_id"]: row for row in components(self._pairs(new.keys()))}
        for row in reviews:
            first = firsts.get(row["text_hash"], row)
            earlier, component = known.get(row["text_hash"]), near.get(first["record_id"], {})
            self._rows.append(
                row
                | {
                    "batch_id": batch,
                    "cluster_id": earlier["cluster_id"]
                    if earlier
                    else component.get("component_id", first["record_id"]),
                    "near_clusters": earlier["near_clusters"] if earlier else component.get("component_near", []),
                    "is_first_of_text": not earlier and row is first,
                    "duplicate_of": None,
                    "duplicate_kind": None,
                }
            )
        now = [row for row in self._rows if row["batch_id"] == batch]
        for row in now:
            first = self._canonical(row["cluster_id"], now)
            if first["review_id"] != row["review_id"]:
                row["duplicate_of"] = first["record_id"]
                row["duplicate_kind"] = "near" if row["is_first_of_text"] else "exact"
        return {row["record_id"]: row for row in now}

    def _canonical(self, cluster_id: str, now: list[Row]) -> Row:
        earlier = [row for row in self._rows if row["cluster_id"] == cluster_id and row not in now]
        unique = [row for row in earlier if row["duplicate_of"] is None]
        started = [row for row in now if row["record_id"] == cluster_id]
        return min(unique or started, key=lambda row: _seen(row, row["batch_id"]))

    def _pairs(self, new: Any) -> Iterator[Pair]:
        batch = max((seen[0] for seen in new), default=0)
        newest = {number: max(s[1] for s in self._bands if s[0] == number) for number in {s[0] for s in self._bands}}
        days = self._section.window_days
        searched = {
            seen: bands
            for seen, bands in self._bands.items()
            if days is None or newest[batch] - newest[seen[0]] <= days * 86_400_000_000
        }
        for one in new:
            for band in self._bands[one]:
                bucket = [seen for seen, bands in searched.items() if band in bands]
                for other in {min(bucket), max(bucket)} - {one}:
                    first, later = sorted((one, other))
                    texts = (self._texts[first[2]], self._texts[later[2]])
                    if jaccard([texts], self._section.ngram)[0] >= self._section.min_jaccard:
                        yield Pair(later, first if first[0] == batch else None, self._cluster(first, batch))

    def _cluster(self, seen: Seen, batch: int) -> Seen | None:
        if seen[0] == batch:
            return None
        [cluster_id] = [row["cluster_id"] for row in self._rows if row["record_id"] == seen[2]]
        first = self._canonical(cluster_id, [])
        return (*_seen(first, first["batch_id"])[:2], cluster_id)


def _seen(row: Row, batch: int) -> Seen:
    return batch, round(row["created_at"].timestamp() * 1e6), row["record_id"]


def histories(seed: int, batches: int, size: int) -> Iterator[list[Row]]:
    """Draws batches of new texts, near copies, exact copies, edits and reviews without text."""
    draw = random.Random(seed)
    texts: list[str] = []
    for batch in range(1, batches + 1):
        rows = []
        for number in range(size):
            kind = draw.random()
            if kind < 0.3 or not texts:
                texts.append(text(draw.randrange(10**6), draw.randint(4, 40)))
                chosen: str | None = texts[-1]
            elif kind < 0.75:
                characters = list(draw.choice(texts))
                characters[draw.randrange(len(characters))] = draw.choice("甲乙丙")
                texts.append("".join(characters))
                chosen = texts[-1]
            elif kind < 0.95:
                chosen = draw.choice(texts)
            else:
                chosen = None
            row = review(
                f"{draw.randrange(10**6):06}-{batch}-{number}",
                chosen,
                review_id=f"r{draw.randrange(size)}",
                created_at=day(draw.randint(1, 5) + 5 * batch),
            )
            rows.append(row)
        yield rows


CHECKED = ("cluster_id", "duplicate_of", "duplicate_kind", "is_first_of_text", "near_clusters")


@pytest.mark.parametrize(("seed", "window_days"), [(1, None), (2, None), (3, 7.0)])
def test_rows_equal_those_of_plain_python(table: Table, seed: int, window_days: float | None) -> None:
    section = DedupSection(bands=6, rows=2, min_jaccard=0.5, window_days=window_days)
    batches, plain = Batches(table, section), PlainDedup(section)
    kinds = set()
    for batch, rows in enumerate(histories(seed, 4, 30), start=1):
        expected = plain.add(batch, rows)
        result = batches.add(*rows)
        assert result.keys() == expected.keys()
        for record_id, row in result.items():
            assert {name: row[name] for name in CHECKED} == {name: expected[record_id][name] for name in CHECKED}
            kinds |= {row.duplicate_kind, "two clusters" if row.near_clusters else "one cluster"}
    assert kinds >= {None, "near", "exact", "one cluster"} | ({"two clusters"} if seed == 1 else set())


def test_a_window_bounds_the_search_for_near_copies_alone(table: Table) -> None:
    original = text(3, 80)
    near = original[:40] + "甲" + original[41:]

    def kinds(window_days: float | None, newest: datetime) -> tuple[str | None, str | None]:
        batches = Batches(table, DedupSection(window_days=window_days))
        batches.add(review("a", original, created_at=day(1)))
        rows = batches.add(
            review("b", near, created_at=day(1)), review("c", original), review("d", text(4), created_at=newest)
        )
        return rows["b"].duplicate_kind, rows["c"].duplicate_kind

    assert kinds(None, day(31)) == kinds(9, day(10)) == ("near", "exact")
    assert kinds(9, day(10) + timedelta(seconds=1)) == (None, "exact")


BANDS = arrow_schema(TABLES["silver_minhash_bands"].columns)


def banded(draw: random.Random, count: int, batch: int) -> list[Row]:
    numbers = [0, 1, 2**24, 2**62, -(2**63), -1, *range(100, 140)]
    return [
        {"record_id": f"{batch}-{number}", "created_at": day(draw.randint(1, 9)),
         "band_hashes": draw.choices(numbers, k=3), "batch_id": batch}
        for number in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_filtered_bands_give_the_pairs_of_all_bands(seed: int) -> None:
    draw = random.Random(seed)
    earlier, new = banded(draw, 40, 1) + banded(draw, 40, 2), banded(draw, 12, 3)
    wanted = np.unique([band for row in new for band in row["band_hashes"]])
    batches = pa.Table.from_pylist(earlier, BANDS).to_batches(max_chunksize=30)
    found = list(chain.from_iterable(texts_with_bands(batch, wanted, sieve_of(wanted)) for batch in batches))
    kept = [row for batch in found for row in batch.to_pylist()]
    assert {band for row in kept for band in row["band_hashes"]} <= set(wanted.tolist())
    assert len(kept) < len(earlier)

    def pairs(rows: list[Row]) -> set[tuple[str, str]]:
        batches = pairs_of(pa.Table.from_pylist(rows, BANDS), 3)
        found = [(row["one_seen"], row["other_seen"]) for batch in batches for row in batch.to_pylist()]
        assert len(found) == len({(one["record_id"], other["record_id"]) for one, other in found})
        return {(one["record_id"], other["record_id"]) for one, other in found}

    def order(row: Row) -> tuple[int, datetime, str]:
        return row["batch_id"], row["created_at"], row["record_id"]

    expected = set()
    for row in new:
        for band in row["band_hashes"]:
            bucket = sorted((one for one in earlier + new if band in one["band_hashes"]), key=order)
            for other in (bucket[0], bucket[-1]):
                first, later = sorted((row, other), key=order)
                expected |= {(later["record_id"], first["record_id"])} if first is not later else set()
    assert pairs(kept + new) == pairs(earlier + new) == expected
    assert pairs([]) == set()
