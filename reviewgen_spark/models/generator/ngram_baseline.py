"""Fits a character n-gram language model, the baseline of all generators: interpolated modified Kneser-Ney.

Source: Chen and Goodman (1999), An empirical study of smoothing techniques for language modeling, section 3. N-grams
that begin a text are counted as in KenLM (Heafield et al. 2013). Uses only numpy: 4 million characters are counted in
seconds.

An n-gram is a node: its parent, which is the n-gram without its last character, and that character. All nodes of an
order are one sorted array of keys: parent x vocabulary + character. So the children of a node are one slice of the
array.
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
# An unknown character is one of about 2^17 assigned characters of Unicode. These bits are added because the model
# predicts "unknown", not which character.
UNKNOWN_BITS = 17.0

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """Holds the K n-grams of one order, and their P contexts, which are the n-grams of the order below."""

    keys: Ints  # (K,) sorted
    discounted: Floats  # (K,) count less discount, over the count of its context
    backoff: Floats  # (P,) the weight of the order below in each context; 1 where nothing follows the context


class NgramModel:
    """Computes the probability of texts and samples new ones. Keeps only the counts of its texts."""

    def __init__(self, texts: Sequence[str], order: int = ORDER) -> None:
        """Counts the n-grams of texts.

        Args:
            texts: the training split.
            order: number of characters of the longest n-gram.

        Raises:
            DataQualityError: there is no text.
        """
        counts = Counter(character for text in texts for character in text)
        if not counts:
            raise DataQualityError("n-gram model: there is no text to count; ingest reviews first")
        characters = sorted(character for character, count in counts.items() if count >= MIN_CHARACTER_COUNT)
        self.order, self.characters = order, characters
        self._ids = {character: SPECIALS + index for index, character in enumerate(characters)}
        self.size = SPECIALS + len(characters)
        self.levels = self._count(self._encode(texts))

    def bits(self, texts: Sequence[str]) -> Floats:
        """Returns (N,) the bits of each text with its end; each unknown character adds `UNKNOWN_BITS`."""
        stream = self._encode(texts)
        probability = self._probabilities(stream)
        is_predicted = stream != START
        costs = np.where(is_predicted, -np.log2(np.maximum(probability, 1e-300)), 0.0)
        costs += np.where(stream == UNKNOWN, UNKNOWN_BITS, 0.0)
        text_index = np.cumsum(stream == START) - 1  # (T,) the text of each position
        return np.asarray(np.bincount(text_index, weights=costs, minlength=len(texts)), dtype=np.float64)

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
            character_id = int(rng.choice(self.size, p=weights / weights.sum()))
            if character_id == END:
                break
            history.append(character_id)
            drawn.append(self.characters[character_id - SPECIALS])
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
        for n, (positions, _since) in enumerate(self._grams(stream), start=2):
            gram_keys = nodes[-1][positions - 1] * self.size + stream[positions]
            unique_keys, inverse, count = np.unique(gram_keys, return_inverse=True, return_counts=True)
            node = np.full(len(stream), -1, dtype=np.int64)
            node[positions] = inverse
            parents, last = unique_keys // self.size, unique_keys % self.size
            shorter = last if n == 2 else np.searchsorted(keys[-1], suffixes[-1][parents] * self.size + last)
            nodes.append(node)
            keys.append(unique_keys)
            counts.append(count)
            begins.append(begins[-1][parents])
            suffixes.append(shorter)
        levels: list[Level] = []
        for index in range(self.order):
            adjusted = counts[index].astype(np.int64)
            if index + 1 < self.order:
                # Below the highest order the count is the number of contexts of an n-gram. N-grams at the beginning
                # of a text keep their count, because nothing precedes them.
                continued = np.bincount(suffixes[index + 1], minlength=len(adjusted))
                adjusted = np.where(begins[index], adjusted, continued)
            if index == 0:
                adjusted = np.where(np.arange(self.size) == START, 0, adjusted)  # START is never predicted
            contexts = 1 if index == 0 else len(keys[index - 1])
            parents = np.zeros(self.size, dtype=np.int64) if index == 0 else keys[index] // self.size
            levels.append(_smooth(keys[index], adjusted, parents, contexts))
        return levels

    def _probabilities(self, stream: Ints) -> Floats:
        """Returns (T,) the probability of each character given those before it."""
        first = self.levels[0]
        probability: Floats = first.discounted[stream] + first.backoff[0] / self.size
        node = stream
        for level, (positions, _since) in zip(self.levels[1:], self._grams(stream), strict=True):
            context = node[positions - 1]
            seen = context >= 0
            positions, context = positions[seen], context[seen]
            keys = context * self.size + stream[positions]
            index = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
            is_known = level.keys[index] == keys
            lower = probability[positions]
            probability[positions] = np.where(is_known, level.discounted[index], 0.0) + level.backoff[context] * lower
            node = np.full(len(stream), -1, dtype=np.int64)
            node[positions] = np.where(is_known, index, -1)
        return probability

    def _next(self, history: Sequence[int]) -> Floats:
        """Returns (V,) the distribution of the next character."""
        first = self.levels[0]
        probability: Floats = first.discounted + first.backoff[0] / self.size
        for n in range(2, min(self.order, len(history) + 1) + 1):
            context = self._find(history[len(history) - n + 1 :])
            if context < 0:
                break
            level = self.levels[n - 1]
            low, high = np.searchsorted(level.keys, [context * self.size, (context + 1) * self.size])
            probability = level.backoff[context] * probability
            probability[level.keys[low:high] % self.size] += level.discounted[low:high]
        return probability

    def _find(self, gram: Sequence[int]) -> int:
        """Returns the node of an n-gram, -1 if it is not in the training texts."""
        node = gram[0]
        for index, character in enumerate(gram[1:], start=1):
            keys = self.levels[index].keys
            key = node * self.size + character
            position = int(np.searchsorted(keys, key))
            if position == len(keys) or keys[position] != key:
                return -1
            node = position
        return node


def _smooth(keys: Ints, counts: Ints, parents: Ints, contexts: int) -> Level:
    """Applies modified Kneser-Ney: discounts of counts of 1, 2 and more (Chen and Goodman 1999, equations 26-28)."""
    grams_of_count = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)  # n-grams with count 1, 2, 3, 4
    discounts = np.array([0.0, 0.5, 1.0, 1.5])  # defaults of KenLM, where there are too few counts for an estimate
    if (grams_of_count > 0).all():
        share = grams_of_count[0] / (grams_of_count[0] + 2 * grams_of_count[1])
        estimate = [n - (n + 1) * share * grams_of_count[n] / grams_of_count[n - 1] for n in (1, 2, 3)]
        if all(0 < value < n for n, value in enumerate(estimate, start=1)):
            discounts[1:] = estimate
    discount = discounts[np.minimum(counts, 3)]  # (K,)
    totals = np.bincount(parents, weights=counts, minlength=contexts)  # (P,)
    freed = np.bincount(parents, weights=discount, minlength=contexts)
    with np.errstate(invalid="ignore", divide="ignore"):
        backoff = np.where(totals > 0, freed / totals, 1.0)
        discounted = np.where(totals[parents] > 0, (counts - discount) / totals[parents], 0.0)
    return Level(keys, discounted, backoff)
