"""A character n-gram language model, the baseline of every generator: interpolated modified Kneser-Ney.

Chen and Goodman (1999), An empirical study of smoothing techniques for language modeling, section 3; counts of n-grams
that begin a text as in KenLM (Heafield et al. 2013). Numpy alone: 4 million characters are counted in seconds.

An n-gram is a node: its parent, which is the n-gram without its last character, and that character. All nodes of an
order stand in one sorted array of keys, parent x vocabulary + character, so the children of a node are one slice of it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reviewgen_spark.errors import DataQualityError

ORDER = 5
START, END, UNKNOWN = 0, 1, 2
SPECIALS = 3
# A character met once teaches nothing of itself; together they teach how often an unknown one comes.
MIN_CHARACTER_COUNT = 2
# An unknown character is one of those that Unicode has assigned, some 2^17; a model that only says "unknown" has not
# said which, and owes these bits.
UNKNOWN_BITS = 17.0

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """The n-grams of one order: K of them, and P contexts, which are the n-grams of the order below."""

    keys: Ints  # (K,) sorted
    discounted: Floats  # (K,) count less discount, over the count of its context: what is not left to the order below
    left: Floats  # (P,) the share that each context leaves to the order below; 1 where nothing follows it


class NgramModel:
    """Says how probable texts are, and draws new ones. Makes no use of texts but their counts."""

    def __init__(self, texts: Sequence[str], order: int = ORDER) -> None:
        """Count.

        Args:
            texts: the training split.
            order: characters of the longest n-gram.

        Raises:
            DataQualityError: there is no text.
        """
        counts = Counter(character for text in texts for character in text)
        if not counts:
            raise DataQualityError("n-gram model: there is no text to count; ingest reviews first")
        known = sorted(character for character, count in counts.items() if count >= MIN_CHARACTER_COUNT)
        self.order, self.characters = order, known
        self._ids = {character: SPECIALS + place for place, character in enumerate(known)}
        self.size = SPECIALS + len(known)
        self.levels = self._count(self._encode(texts))

    def bits(self, texts: Sequence[str]) -> Floats:
        """(N,) what each text costs, its end included, in bits; `UNKNOWN_BITS` more for each unknown character."""
        stream = self._encode(texts)
        probability = self._probabilities(stream)
        is_said = stream != START
        costs = np.where(is_said, -np.log2(np.maximum(probability, 1e-300)), 0.0)
        costs += np.where(stream == UNKNOWN, UNKNOWN_BITS, 0.0)
        number = np.cumsum(stream == START) - 1  # which text each place is of
        return np.asarray(np.bincount(number, weights=costs, minlength=len(texts)), dtype=np.float64)

    def bits_per_character(self, texts: Sequence[str]) -> float:
        """What texts cost, their ends included, over their number of characters."""
        return float(self.bits(texts).sum() / max(1, sum(map(len, texts))))

    def generate(self, rng: np.random.Generator, max_characters: int = 200, temperature: float = 1.0) -> str:
        """Draw a text, character by character; it ends by itself or at `max_characters`."""
        history, drawn = [START], list[str]()
        while len(drawn) < max_characters:
            probability = self._next(history)
            probability[[START, UNKNOWN]] = 0.0
            weights = probability ** (1.0 / temperature)
            found = int(rng.choice(self.size, p=weights / weights.sum()))
            if found == END:
                break
            history.append(found)
            drawn.append(self.characters[found - SPECIALS])
        return "".join(drawn)

    def _encode(self, texts: Sequence[str]) -> Ints:
        """All texts in one row, each between START and END."""
        ids = self._ids
        stream: list[int] = []
        for text in texts:
            stream.append(START)
            stream.extend(ids.get(character, UNKNOWN) for character in text)
            stream.append(END)
        return np.asarray(stream, dtype=np.int64)

    def _grams(self, stream: Ints) -> list[tuple[Ints, Ints]]:
        """For each order above 1 the places in the row whose n-gram lies within one text, and the first such parents.

        Place t of order n is the n-gram that ends at t; it exists from the (n-1)-th character of a text on.
        """
        since = np.arange(len(stream)) - np.maximum.accumulate(np.where(stream == START, np.arange(len(stream)), 0))
        return [(np.flatnonzero(since >= n - 1), since) for n in range(2, self.order + 1)]

    def _count(self, stream: Ints) -> list[Level]:
        raw = np.bincount(stream, minlength=self.size)  # order 1: the characters themselves are the nodes
        nodes, keys = [stream], [np.arange(self.size, dtype=np.int64)]
        counts, begins = [raw], [np.arange(self.size) == START]
        suffixes: list[Ints] = [np.zeros(0, dtype=np.int64)]
        for n, (places, _since) in enumerate(self._grams(stream), start=2):
            wanted = nodes[-1][places - 1] * self.size + stream[places]
            found, inverse, count = np.unique(wanted, return_inverse=True, return_counts=True)
            node = np.full(len(stream), -1, dtype=np.int64)
            node[places] = inverse
            parents, last = found // self.size, found % self.size
            shorter = last if n == 2 else np.searchsorted(keys[-1], suffixes[-1][parents] * self.size + last)
            nodes.append(node)
            keys.append(found)
            counts.append(count)
            begins.append(begins[-1][parents])
            suffixes.append(shorter)
        levels: list[Level] = []
        for place in range(self.order):
            adjusted = counts[place].astype(np.int64)
            if place + 1 < self.order:
                # Below the highest order what counts is in how many contexts an n-gram goes on; nothing precedes a
                # text, so those at its beginning keep their count.
                continued = np.bincount(suffixes[place + 1], minlength=len(adjusted))
                adjusted = np.where(begins[place], adjusted, continued)
            if place == 0:
                adjusted = np.where(np.arange(self.size) == START, 0, adjusted)  # no text says START
            contexts = 1 if place == 0 else len(keys[place - 1])
            parents = np.zeros(self.size, dtype=np.int64) if place == 0 else keys[place] // self.size
            levels.append(_smooth(keys[place], adjusted, parents, contexts))
        return levels

    def _probabilities(self, stream: Ints) -> Floats:
        """(T,) of each character after those before it."""
        first = self.levels[0]
        probability: Floats = first.discounted[stream] + first.left[0] / self.size
        node = stream
        for level, (places, _since) in zip(self.levels[1:], self._grams(stream), strict=True):
            context = node[places - 1]
            seen = context >= 0
            places, context = places[seen], context[seen]
            wanted = context * self.size + stream[places]
            at = np.minimum(np.searchsorted(level.keys, wanted), len(level.keys) - 1)
            is_there = level.keys[at] == wanted
            lower = probability[places]
            probability[places] = np.where(is_there, level.discounted[at], 0.0) + level.left[context] * lower
            node = np.full(len(stream), -1, dtype=np.int64)
            node[places] = np.where(is_there, at, -1)
        return probability

    def _next(self, history: Sequence[int]) -> Floats:
        """(V,) the distribution of what comes next."""
        first = self.levels[0]
        probability: Floats = first.discounted + first.left[0] / self.size
        for n in range(2, min(self.order, len(history) + 1) + 1):
            context = self._find(history[len(history) - n + 1 :])
            if context < 0:
                break
            level = self.levels[n - 1]
            low, high = np.searchsorted(level.keys, [context * self.size, (context + 1) * self.size])
            probability = level.left[context] * probability
            probability[level.keys[low:high] % self.size] += level.discounted[low:high]
        return probability

    def _find(self, gram: Sequence[int]) -> int:
        """The node of an n-gram, -1 where it was never met."""
        node = gram[0]
        for place, character in enumerate(gram[1:], start=1):
            keys = self.levels[place].keys
            wanted = node * self.size + character
            at = int(np.searchsorted(keys, wanted))
            if at == len(keys) or keys[at] != wanted:
                return -1
            node = at
        return node


def _smooth(keys: Ints, counts: Ints, parents: Ints, contexts: int) -> Level:
    """Modified Kneser-Ney: three discounts, for counts of 1, 2 and more (Chen and Goodman 1999, equations 26 to 28)."""
    of_counts = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)  # how many have count 1, 2, 3, 4
    discounts = np.array([0.0, 0.5, 1.0, 1.5])  # KenLM's, where there is too little to estimate them from
    if (of_counts > 0).all():
        share = of_counts[0] / (of_counts[0] + 2 * of_counts[1])
        estimate = [n - (n + 1) * share * of_counts[n] / of_counts[n - 1] for n in (1, 2, 3)]
        if all(0 < value < n for n, value in enumerate(estimate, start=1)):
            discounts[1:] = estimate
    taken = discounts[np.minimum(counts, 3)]  # (K,)
    totals = np.bincount(parents, weights=counts, minlength=contexts)  # (P,)
    freed = np.bincount(parents, weights=taken, minlength=contexts)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.where(totals > 0, freed / totals, 1.0)
        discounted = np.where(totals[parents] > 0, (counts - taken) / totals[parents], 0.0)
    return Level(keys, discounted, left)
