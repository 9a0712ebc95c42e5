"""TextRank on graphs that can be worked out by hand."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from reviewgen_spark.text.words.textrank import rank_words


def text_rank(reviews: Sequence[Sequence[str]], window: int, max_words: int) -> dict[str, float]:
    """`rank_words` of words instead of their numbers."""
    words = sorted({word for review in reviews for word in review})
    numbers = np.array([words.index(word) for review in reviews for word in review], np.int64)
    places = np.repeat(np.arange(len(reviews)), [len(review) for review in reviews])
    frequency = np.array([sum(word in review for review in reviews) for word in words], np.int64)
    chosen, ranks = rank_words(numbers, places, frequency, window, max_words)
    return {words[number]: rank for number, rank in zip(chosen.tolist(), ranks.tolist(), strict=True)}


def test_the_hub_of_a_star_leads() -> None:
    reviews = [["房间", word] for word in ("干净", "安静", "宽敞", "明亮")]
    ranks = text_rank(reviews, window=2, max_words=10)
    # PageRank of a star with n leaves: hub = (d + (1 - d) / (n + 1) ... ) solved by hand for n = 4, d = 0.85
    leaf = (0.15 / 5 + 0.85 * 0.15 / 5 / 4) / (1 - 0.85**2)
    assert ranks["干净"] == pytest.approx(leaf, abs=1e-5)
    assert ranks["房间"] == pytest.approx(1 - 4 * leaf, abs=1e-5)


def test_a_word_beside_nothing_keeps_its_share() -> None:
    assert text_rank([["好"], ["坏"]], window=5, max_words=10) == {"坏": pytest.approx(0.5), "好": pytest.approx(0.5)}
    assert text_rank([], window=5, max_words=10) == {}
    assert text_rank([[]], window=5, max_words=10) == {}


def test_the_order_of_reviews_changes_nothing_and_the_graph_is_bounded() -> None:
    draw = random.Random(1)
    reviews = [[f"w{draw.randrange(50)}" for _ in range(20)] for _ in range(40)]
    ranks = text_rank(reviews, window=3, max_words=30)
    draw.shuffle(reviews)
    assert text_rank(reviews, window=3, max_words=30) == pytest.approx(ranks)
    assert len(ranks) == 30 and sum(ranks.values()) == pytest.approx(1)
