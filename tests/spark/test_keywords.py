import math
import random
from collections import Counter

import pytest
from pyspark.sql import DataFrame

from reviewgen_spark.config import KeywordsSection
from reviewgen_spark.products.keywords import keywords_by_product, words_by_product
from tests.spark.conftest import Table


def keywords_of(words: DataFrame, section: KeywordsSection) -> DataFrame:
    return keywords_by_product(words_by_product(words, section).persist(), section)


def test_keywords_are_ranked_by_product(table: Table) -> None:
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
    rows_found = keywords_of(rows.join(products, "record_id"), section).collect()
    by_rank = {(row.product_id, row.method_code, row.place): row for row in rows_found}
    assert {row.word for row in rows_found if row.product_id == "hotel"} == {"房间", "早餐"}
    # 3 of 3 reviews, in 1 of 2 products
    assert by_rank["hotel", "tfidf", 1].score == pytest.approx(math.log(3 / 2) + 1)
    assert (by_rank["hotel", "tfidf", 1].word, by_rank["hotel", "tfidf", 1].review_count) == ("房间", 3)
    assert by_rank["book", "textrank", 1].score == pytest.approx(0.5)
    assert {by_rank["book", "textrank", n].word for n in (1, 2)} == {"故事", "很"}
    few = keywords_of(rows.join(products, "record_id"), KeywordsSection(min_reviews=2, max_reviews=1)).count()
    assert few == 0
    assert keywords_of(rows.join(products, "record_id").limit(0), section).count() == 0


def test_the_best_words_are_found_exactly(table: Table) -> None:
    draw = random.Random(5)
    frequent, rare = [f"w{n}" for n in range(12)], [f"r{n}" for n in range(60)]
    reviews = [
        (f"p{product}", [*draw.sample(frequent, 4), *draw.sample(rare[product * 5 : product * 5 + 10], 2)])
        for product in range(10)
        for _ in range(25)
    ]
    rows = table("silver_tokens", *({"record_id": str(i), "content_words": w} for i, (_, w) in enumerate(reviews)))
    products = rows.sparkSession.createDataFrame(
        [(str(i), product) for i, (product, _) in enumerate(reviews)], "record_id string, product_id string"
    )
    section = KeywordsSection(min_reviews=2, top=5, methods=("tfidf",))
    rows_found = keywords_of(rows.join(products, "record_id"), section).collect()

    counts = {
        f"p{n}": Counter(word for product, words in reviews if product == f"p{n}" for word in words) for n in range(10)
    }
    spread = Counter(word for count in counts.values() for word, reviews in count.items() if reviews >= 2)
    for product, count in counts.items():
        scores = {
            word: number / 25 * (math.log(11 / (1 + spread[word])) + 1) for word, number in count.items() if number >= 2
        }
        first = sorted(scores, key=lambda word: (-scores[word], word))[:5]
        ranked = sorted((row for row in rows_found if row.product_id == product), key=lambda row: row.place)
        assert [row.word for row in ranked] == first
        assert [row.score for row in ranked] == pytest.approx([scores[word] for word in first])
        assert [row.place for row in ranked] == [1, 2, 3, 4, 5]
