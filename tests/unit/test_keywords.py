"""Tests how a worker counts the words of a product."""

from collections import Counter
from random import Random

import pyarrow as pa
import pytest

from reviewgen_spark.config import KeywordsSection
from reviewgen_spark.products.keywords import product_words

WORDS = ("房间", "干净", "早餐", "Room", "room", "ROOM", "[开心]", "2019", "no.1", "很", "İ")


def counted(rows: list[tuple[str, list[str] | None]], section: KeywordsSection, batch_size: int) -> list[dict]:
    products, words = zip(*rows, strict=True) if rows else ((), ())
    table = pa.table(
        {"product_id": pa.array(products, pa.string()), "content_words": pa.array(words, pa.list_(pa.string()))}
    )
    batches = product_words(table.to_batches(max_chunksize=batch_size), section)
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.fixture
def rows() -> list[tuple[str, list[str] | None]]:
    draw = Random(3)
    sizes = {"a": 30, "b": 1, "c": 80, "d": 4}
    return [(product, draw.choices(WORDS, k=draw.randrange(9))) for product, size in sizes.items() for _ in range(size)]


@pytest.mark.parametrize("most", [7, 1000])
def test_counts_equal_plain_python_at_every_batch_size(rows, most: int) -> None:
    section = KeywordsSection(min_reviews=2, max_reviews=most, top=3)
    whole = counted(rows, section, 1000)
    assert [row["product_id"] for row in whole] == ["a", "b", "c", "d"]
    for row in whole:
        reviews = [words for product, words in rows if product == row["product_id"]][:most]
        plain = [[word.lower() for word in words if word not in ("[开心]", "2019")] for words in reviews]
        counts = Counter(word for words in plain for word in set(words))
        expected = {word: count for word, count in sorted(counts.items()) if count >= 2}
        assert row["size"] == len(reviews)
        assert dict(zip(row["word"], row["review_count"], strict=True)) == expected
        assert row["word"] == sorted(row["word"])
        most_frequent = sorted(expected.values(), reverse=True)
        assert row["least_count"] == (most_frequent[2] if len(expected) > 3 else 0)
        assert [one["word"] for one in row["ranked"]] == [
            one["word"] for one in sorted(row["ranked"], key=lambda one: (-one["score"], one["word"]))
        ]
        assert len(row["ranked"]) == min(3, len(expected))
        assert all(expected[one["word"]] == one["review_count"] for one in row["ranked"])
    for batch_size in (1, 3, 50):
        assert counted(rows, section, batch_size) == whole


def test_only_the_most_frequent_words_are_ranked(rows) -> None:
    c = counted(rows, KeywordsSection(min_reviews=1, max_words=2), 10)[2]
    assert sorted(one["review_count"] for one in c["ranked"]) == sorted(c["review_count"])[-2:]
    assert sum(one["score"] for one in c["ranked"]) == pytest.approx(1)
    without = counted(rows, KeywordsSection(min_reviews=1, methods=("tfidf",)), 10)[2]
    assert without == {**c, "ranked": []}


def test_products_without_words_have_empty_lists() -> None:
    section = KeywordsSection(min_reviews=1)
    assert counted([], section, 10) == []
    result = counted([("a", None), ("a", []), ("b", ["2019"]), ("c", ["好"])], section, 10)
    nothing = {"word": [], "review_count": [], "least_count": 0, "ranked": []}
    assert result == [
        {"product_id": "a", "size": 2, **nothing},
        {"product_id": "b", "size": 1, **nothing},
        {"product_id": "c", "size": 1, "word": ["好"], "review_count": [1], "least_count": 0}
        | {"ranked": [{"word": "好", "review_count": 1, "score": 1.0}]},
    ]
