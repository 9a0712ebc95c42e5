"""Finds near copies among many texts by MinHash over character n-grams, and measures their similarity.

Source: Broder 1997 (signatures) and Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, ch. 3 (banding). Texts are
hashed in batches by numpy, because a million reviews then take a minute a core instead of ten.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: Knuth's multiplicative hashing


class MinHash:
    """Computes signatures of `bands` x `rows` minima. Texts that share a band are candidates.

    Two texts of Jaccard similarity j share a band with probability 1 - (1 - j^rows)^bands. With 12 bands of 5 rows
    it is 0.99 for j = 0.8, and 0.03 for j = 0.3.
    """

    def __init__(self, ngram: int, bands: int, rows: int, seed: int = 1) -> None:
        self._ngram, self._bands, self._rows = ngram, bands, rows
        numbers = np.random.default_rng(seed).integers(0, 2**64, (2, bands * rows), dtype=np.uint64)
        self._factors, self._addends = numbers[0] | np.uint64(1), numbers[1]

    def band_hashes(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Returns the hashes of the bands, (texts, bands). The index of a band is part of its hash."""
        if not texts:
            return np.empty((0, self._bands), np.int64)
        grams, starts = ngram_hashes(texts, self._ngram)
        hashes = np.empty((len(texts), self._bands), np.uint64)
        for band in range(self._bands):
            mixed = np.full(len(texts), np.uint64(band + 1), np.uint64)
            for row in range(band * self._rows, (band + 1) * self._rows):
                # multiply-add-shift: the upper half is universal (Dietzfelbinger et al. 1997)
                values = (grams * self._factors[row] + self._addends[row]) >> np.uint64(32)
                mixed = _mix(mixed ^ np.minimum.reduceat(values, starts))
            hashes[:, band] = mixed
        return hashes.view(np.int64)


def ngram_hashes(texts: Sequence[str], ngram: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Returns the hashes of all n-grams of all texts in one array, and the start of each text in it.

    A text shorter than n is one n-gram, so each text has at least one.

    >>> grams, starts = ngram_hashes(["abcd", "bcd", "x"], 3)
    >>> len(grams), starts.tolist(), bool(grams[1] == grams[2])
    (4, [0, 2, 3], True)
    """
    padded = [text if len(text) >= ngram else text.ljust(ngram, "\0") for text in texts]
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    code_points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    hashes = np.zeros(len(code_points) - ngram + 1, np.uint64)
    for offset in range(ngram):
        hashes = _mix(hashes ^ code_points[offset : len(code_points) - ngram + 1 + offset])
    counts = lengths - ngram + 1
    text_starts = np.cumsum(lengths) - lengths
    starts = np.cumsum(counts) - counts
    # Keep the n-grams that do not extend into the next text.
    chosen = np.arange(int(counts.sum())) + np.repeat(text_starts - starts, counts)
    return hashes[chosen], starts


def jaccard(pairs: Sequence[tuple[str, str]], ngram: int) -> list[float]:
    """Returns the exact Jaccard similarity of the n-gram sets of each pair.

    >>> jaccard([("abcd", "abcd"), ("abcd", "bcde"), ("abcd", "xyz")], 3)
    [1.0, 0.3333333333333333, 0.0]
    """
    similarities: list[float] = []
    for start in range(0, len(pairs), _PAIRS):
        batch = pairs[start : start + _PAIRS]
        first, second = (_gram_sets([pair[side] for pair in batch], ngram) for side in (0, 1))
        grams = np.sort(np.concatenate([first, second]))
        shared = _count_by_pair(grams[1:][grams[1:] == grams[:-1]], len(batch))
        similarities += (shared / (_count_by_pair(grams, len(batch)) - shared)).tolist()
    return similarities


_PAIRS = 256  # pairs of one batch, so that it fits in the processor's cache
_PAIR_BITS = 24  # bits of the pair's number; 40 bits remain for the n-gram: a collision has probability 10^-8 a pair


def _gram_sets(texts: Sequence[str], ngram: int) -> Hashes:
    """Returns the distinct n-grams of each text, sorted. The upper bits hold the number of the text."""
    grams, starts = ngram_hashes(texts, ngram)
    text_numbers = np.repeat(np.arange(len(texts), dtype=np.uint64), np.diff(np.append(starts, len(grams))))
    codes: Hashes = np.sort((text_numbers << np.uint64(64 - _PAIR_BITS)) | (grams >> np.uint64(_PAIR_BITS)))
    distinct: Hashes = codes[np.append(True, codes[1:] != codes[:-1])]  # numpy's unique uses hashes, so it is slower
    return distinct


def _count_by_pair(grams: Hashes, pairs: int) -> npt.NDArray[np.int64]:
    return np.bincount((grams >> np.uint64(64 - _PAIR_BITS)).astype(np.int64), minlength=pairs)


def _mix(values: Hashes) -> Hashes:
    values = values * _MIX
    return values ^ (values >> np.uint64(29))
