"""Ranks the words of a set of reviews by TextRank (Mihalcea and Tarau 2004).

Words are the nodes of a graph. An edge joins two words that occur within a window of each other. Its weight counts
these occurrences. The rank of a word is its PageRank in this graph, so neighbours of important words are important.
"""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

_DAMPING = 0.85  # as in Brin and Page 1998
_ROUNDS, _TOLERANCE = 100, 1e-6


def rank_words(
    words: Numbers, reviews: Numbers, frequency: Numbers, window: int, max_words: int
) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """Returns the ranked words, the most frequent first, and their ranks, which sum to 1.

    The result does not depend on the order of the reviews.

    Args:
        words: The number of each word of all reviews, in order. Numbers follow the alphabetical order of words.
        reviews: The number of the review of each entry of `words`.
        frequency: Number of reviews that contain a word, by the number of the word.
        window: Size of the window in words. A window of 2 joins only neighbours.
        max_words: Number of the most frequent words that are ranked. It limits the size of the graph.

    >>> numbers = np.array([1, 0, 1, 2, 1, 3])  # 房间 next to 干净, 安静 and 很小
    >>> chosen, ranks = rank_words(
    ...     numbers, np.array([0, 0, 1, 1, 2, 2]), np.bincount(numbers), window=2, max_words=100
    ... )
    >>> int(chosen[ranks.argmax()]), round(float(ranks.sum()), 6)
    (1, 1.0)
    """
    chosen = np.argsort(-frequency, kind="stable")[:max_words]
    size = len(chosen)
    if not size:
        return chosen, np.zeros(0)
    index_by_word = np.full(len(frequency), -1)
    index_by_word[chosen] = np.arange(size)
    is_ranked = index_by_word[words] >= 0
    weights = _weights(index_by_word[words[is_ranked]], reviews[is_ranked], size, window)
    strength = weights.sum(axis=0)
    links = np.divide(weights, strength, out=np.zeros_like(weights), where=strength > 0)
    ranks = np.full(size, 1 / size)
    for _ in range(_ROUNDS):
        # The rank of words without neighbours is spread over all words, so that the ranks still sum to 1.
        isolated = ranks[strength == 0].sum()
        renewed = (1 - _DAMPING) / size + _DAMPING * (links @ ranks + isolated / size)
        is_stable = np.abs(renewed - ranks).sum() < _TOLERANCE
        ranks = renewed
        if is_stable:
            break
    return chosen, ranks


def _weights(words: Numbers, reviews: Numbers, size: int, window: int) -> npt.NDArray[np.float64]:
    """Counts how often two words occur within the window, (size, size). The counts are symmetric. The diagonal is 0."""
    pairs = np.zeros(size * size)
    for distance in range(1, window):
        first, second = words[:-distance], words[distance:]
        is_edge = (reviews[:-distance] == reviews[distance:]) & (first != second)
        pairs += np.bincount(first[is_edge] * size + second[is_edge], minlength=size * size)
    counts = pairs.reshape(size, size)
    return counts + counts.T
