"""Tests TextRank on graphs whose ranks can be computed by hand."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from reviewgen_spark.text.words.textrank import rank_words


def text_rank(reviews: Sequence[Sequence[str]], window: int, max_words: int) -> dict[str, float]:
    """Calls `rank_words` with words instead of their numbers."""
    words = sorted({word for review in reviews for word in review})
    numbers = np.array([words.index(word) for review in reviews for word in review], np.int64)
    review_indices = np.repeat(np.arange(len(reviews)), [len(review) for review in reviews])
    frequency = np.array([sum(word in review for review in reviews) for word in words], np.int64)
    chosen, ranks = rank_words(numbers, review_indices, frequency, window, max_words)
    return {words[number]: rank for number, rank in zip(chosen.tolist(), ranks.tolist(), strict=True)}


def test_the_centre_of_a_star_has_the_highest_rank() -> None:
    reviews = [["房间", word] for word in ("干净", "安静", "宽敞", "明亮")]
    ranks = text_rank(reviews, window=2, max_words=10)
    # PageRank of a star with n leaves, solved by hand for n = 4 and d = 0.85
    leaf = (0.15 / 5 + 0.85 * 0.15 / 5 / 4) / (1 - 0.85**2)
    assert ranks["干净"] == pytest.approx(leaf, abs=1e-5)
    assert ranks["房间"] == pytest.approx(1 - 4 * leaf, abs=1e-5)


def test_words_without_neighbours_have_equal_ranks() -> None:
    assert text_rank([["好"], ["坏"]], window=5, max_words=10) == {"坏": pytest.approx(0.5), "好": pytest.approx(0.5)}
    assert text_rank([], window=5, max_words=10) == {}
    assert text_rank([[]], window=5, max_words=10) == {}


def test_ranks_do_not_depend_on_the_order_of_reviews_and_are_at_most_max_words() -> None:
    draw = random.Random(1)
    reviews = [[f"w{draw.randrange(50)}" for _ in range(20)] for _ in range(40)]
    ranks = text_rank(reviews, window=3, max_words=30)
    draw.shuffle(reviews)
    assert text_rank(reviews, window=3, max_words=30) == pytest.approx(ranks)
    assert len(ranks) == 30 and sum(ranks.values()) == pytest.approx(1)
