"""TextRank: which words hold a set of reviews together (Mihalcea and Tarau 2004).

Words are the nodes of a graph, joined where they stand within a window of each other, the edge as heavy as that is
often; a word is as important as the words that it stands beside, which is PageRank on that graph.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

_DAMPING = 0.85  # as in Brin and Page 1998
_ROUNDS, _TOLERANCE = 100, 1e-6


def text_rank(reviews: Sequence[Sequence[str]], window: int, max_words: int) -> dict[str, float]:
    """The rank of each word, which sum to 1; deterministic whatever the order of the reviews.

    Args:
        reviews: Content words of each review, in order.
        window: Words this far apart are joined: 2 joins neighbours only.
        max_words: The most frequent words (by reviews) that take part; bounds the graph of a product.

    >>> ranks = text_rank([["房间", "干净"], ["房间", "安静"], ["房间", "很小"]], window=2, max_words=100)
    >>> max(ranks, key=ranks.get), round(sum(ranks.values()), 6)
    ('房间', 1.0)
    """
    frequency = Counter(word for words in reviews for word in set(words))
    chosen = sorted(frequency, key=lambda word: (-frequency[word], word))[:max_words]
    place = {word: number for number, word in enumerate(chosen)}
    size = len(chosen)
    if not size:
        return {}
    weights = _weights([[place[word] for word in words if word in place] for words in reviews], size, window)
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
    return dict(zip(chosen, ranks.tolist(), strict=True))


def _weights(reviews: Sequence[Sequence[int]], size: int, window: int) -> np.ndarray:
    """How often two words stand within the window of each other, (size, size); symmetric, nothing beside itself."""
    words = np.fromiter((word for places in reviews for word in places), np.int64)
    review = np.repeat(np.arange(len(reviews)), [len(places) for places in reviews])
    pairs = np.zeros(size * size)
    for distance in range(1, window):
        one, other = words[:-distance], words[distance:]
        is_edge = (review[:-distance] == review[distance:]) & (one != other)
        pairs += np.bincount(one[is_edge] * size + other[is_edge], minlength=size * size)
    found = pairs.reshape(size, size)
    return found + found.T
