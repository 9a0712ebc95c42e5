"""TextRank: which words hold a set of reviews together (Mihalcea and Tarau 2004).

Words are the nodes of a graph, joined where they stand within a window of each other, the edge as heavy as that is
often; a word is as important as the words that it stands beside, which is PageRank on that graph.
"""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

_DAMPING = 0.85  # as in Brin and Page 1998
_ROUNDS, _TOLERANCE = 100, 1e-6


def rank_words(
    words: Numbers, reviews: Numbers, frequency: Numbers, window: int, max_words: int
) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """The words that take part, the most frequent first, and their ranks, which sum to 1.

    Deterministic whatever the order of the reviews.

    Args:
        words: The number of the word at each place, review after review; numbers follow the words' alphabetical order.
        reviews: The number of the review of each place.
        frequency: In how many reviews each word stands, by its number.
        window: Words this far apart are joined: 2 joins neighbours only.
        max_words: The most frequent words that take part; bounds the graph of a product.

    >>> rooms = np.array([1, 0, 1, 2, 1, 3])  # 房间 beside 干净, 安静 and 很小
    >>> chosen, ranks = rank_words(rooms, np.array([0, 0, 1, 1, 2, 2]), np.bincount(rooms), window=2, max_words=100)
    >>> int(chosen[ranks.argmax()]), round(float(ranks.sum()), 6)
    (1, 1.0)
    """
    chosen = np.argsort(-frequency, kind="stable")[:max_words]
    size = len(chosen)
    if not size:
        return chosen, np.zeros(0)
    place = np.full(len(frequency), -1)
    place[chosen] = np.arange(size)
    takes_part = place[words] >= 0
    weights = _weights(place[words[takes_part]], reviews[takes_part], size, window)
    strength = weights.sum(axis=0)
    links = np.divide(weights, strength, out=np.zeros_like(weights), where=strength > 0)
    ranks = np.full(size, 1 / size)
    for _ in range(_ROUNDS):
        # what words without a neighbour hold goes to all, so that the ranks stay a distribution
        lost = ranks[strength == 0].sum()
        renewed = (1 - _DAMPING) / size + _DAMPING * (links @ ranks + lost / size)
        done = np.abs(renewed - ranks).sum() < _TOLERANCE
        ranks = renewed
        if done:
            break
    return chosen, ranks


def _weights(words: Numbers, reviews: Numbers, size: int, window: int) -> npt.NDArray[np.float64]:
    """How often two words stand within the window of each other, (size, size); symmetric, nothing beside itself."""
    pairs = np.zeros(size * size)
    for distance in range(1, window):
        one, other = words[:-distance], words[distance:]
        is_edge = (reviews[:-distance] == reviews[distance:]) & (one != other)
        pairs += np.bincount(one[is_edge] * size + other[is_edge], minlength=size * size)
    found = pairs.reshape(size, size)
    return found + found.T
