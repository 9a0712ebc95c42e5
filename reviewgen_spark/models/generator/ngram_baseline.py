"""Fits a character n-gram language model, the baseline of all generators: interpolated modified Kneser-Ney.

Chen and Goodman (1999), An empirical study of smoothing techniques for language modeling, section 3; counts of n-grams
that begin a text as in KenLM (Heafield et al. 2013). Uses only numpy: 4 million characters are counted in seconds.

An n-gram is a node: its parent, which is the n-gram without its last character, and that character. All nodes of an
order are one sorted array of keys, parent x vocabulary + character, so the children of a node are one slice of it.
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
# Characters that occur once are counted together, as the frequency of unknown characters.
MIN_CHARACTER_COUNT = 2
# An unknown character is one of the some 2^17 assigned characters of Unicode. These bits are added because the model
# predicts "unknown", not which character.
UNKNOWN_BITS = 17.0

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """The K n-grams of one order, and their P contexts, which are the n-grams of the order below."""

    keys: Ints  # (K,) sorted
    discounted: Floats  # (K,) count less discount, over the count of its context
    left: Floats  # (P,) the weight of the order below in each context; 1 where nothing follows it


class NgramModel:
    """Computes the probability of texts and samples new ones. Keeps only the counts of its texts."""

    def __init__(self, texts: Sequence[str], order: int = ORDER) -> None:
        """Counts the n-grams of texts.

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
        """Returns (N,) the bits of each text with its end; each unknown character adds `UNKNOWN_BITS`."""
        stream = self._encode(texts)
        probability = self._probabilities(stream)
        is_said = stream != START
        costs = np.where(is_said, -np.log2(np.maximum(probability, 1e-300)), 0.0)
        costs += np.where(stream == UNKNOWN, UNKNOWN_BITS, 0.0)
        number = np.cumsum(stream == START) - 1  # the text of each position
        return np.asarray(np.bincount(number, weights=costs, minlength=len(texts)), dtype=np.float64)

    def bits_per_character(self, texts: Sequence[str]) -> float:
        """Returns the bits of texts with their ends, divided by their number of characters."""
        return float(self.bits(texts).sum() / max(1, sum(map(len, texts))))

    def generate(self, rng: np.random.Generator, max_characters: int = 200, temperature: float = 1.0) -> str:
        """Samples a text, character by character, up to the end token or `max_characters`."""
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
        """Returns all texts as one array, each between START and END."""
        ids = self._ids
        stream: list[int] = []
        for text in texts:
            stream.append(START)
            stream.extend(ids.get(character, UNKNOWN) for character in text)
            stream.append(END)
        return np.asarray(stream, dtype=np.int64)

    def _grams(self, stream: Ints) -> list[tuple[Ints, Ints]]:
        """Returns for each order above 1 the positions whose n-gram is within one text, and all offsets from START.

        Position t of order n is the n-gram that ends at t. It exists from the (n-1)-th character of a text on.
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
                # Below the highest order the count is the number of contexts of an n-gram. N-grams at the beginning
                # of a text keep their count, because nothing precedes them.
                continued = np.bincount(suffixes[place + 1], minlength=len(adjusted))
                adjusted = np.where(begins[place], adjusted, continued)
            if place == 0:
                adjusted = np.where(np.arange(self.size) == START, 0, adjusted)  # START is never predicted
            contexts = 1 if place == 0 else len(keys[place - 1])
            parents = np.zeros(self.size, dtype=np.int64) if place == 0 else keys[place] // self.size
            levels.append(_smooth(keys[place], adjusted, parents, contexts))
        return levels

    def _probabilities(self, stream: Ints) -> Floats:
        """Returns (T,) the probability of each character given those before it."""
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
        """Returns (V,) the distribution of the next character."""
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
        """Returns the node of an n-gram, -1 if it is not in the training texts."""
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
    """Applies modified Kneser-Ney: discounts of counts of 1, 2 and more (Chen and Goodman 1999, equations 26-28)."""
    of_counts = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)  # how many have count 1, 2, 3, 4
    discounts = np.array([0.0, 0.5, 1.0, 1.5])  # defaults of KenLM, where there are too few counts for an estimate
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
