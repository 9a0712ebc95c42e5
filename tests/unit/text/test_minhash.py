import random
from itertools import pairwise

import numpy as np
import pytest

from reviewgen_spark.text.similarity.minhash import MinHash, jaccard, ngram_hashes


def true_jaccard(one: str, other: str, ngram: int) -> float:
    grams = [{text[i : i + ngram] for i in range(max(1, len(text) - ngram + 1))} for text in (one, other)]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


def sentences(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [
        "".join(chr(draw.randrange(0x4E00, 0x4E00 + 500)) for _ in range(draw.randrange(1, 80))) for _ in range(count)
    ]


@pytest.mark.parametrize("ngram", [1, 2, 3, 5])
def test_jaccard_equals_that_of_the_ngram_sets(ngram: int) -> None:
    texts = sentences(200, 1)
    draw = random.Random(2)
    pairs = [(one, one[: draw.randrange(len(one) + 1)] + other[:5]) for one, other in pairwise(texts)]
    assert jaccard(pairs, ngram) == [true_jaccard(one, other, ngram) for one, other in pairs]


def test_a_signature_does_not_depend_on_other_texts() -> None:
    texts = [*sentences(50, 3), "", "x", "😀", "a\ud800b"]
    minhash = MinHash(3, 12, 5)
    together = minhash.band_hashes(texts)
    assert together.shape == (54, 12)
    assert np.array_equal(together, np.vstack([minhash.band_hashes([text]) for text in texts]))
    assert minhash.band_hashes([]).shape == (0, 12)


def test_texts_share_a_band_as_often_as_the_formula_predicts() -> None:
    """The pairs have a known similarity; the share with an equal band must be within four standard deviations."""
    minhash = MinHash(1, 12, 5)
    for shared, own, expected in ((80, 10, 0.9915), (50, 25, 0.3167), (30, 35, 0.0287)):
        similarity = shared / (shared + 2 * own)
        assert 1 - (1 - similarity**5) ** 12 == pytest.approx(expected, abs=1e-3)
        matches = 0
        for trial in range(600):
            draw = random.Random(trial)
            chars = [chr(0x4E00 + point) for point in draw.sample(range(20_000), shared + 2 * own)]
            one, other = chars[: shared + own], chars[:shared] + chars[shared + own :]
            bands = minhash.band_hashes(["".join(one), "".join(other)])
            matches += bool((bands[0] == bands[1]).any())
        assert matches / 600 == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 600) ** 0.5)


def test_twenty_thousand_ngrams_have_different_hashes() -> None:
    grams, _ = ngram_hashes(["".join(chr(0x4E00 + i) for i in range(20_000))], 3)
    assert len(set(grams.tolist())) == 19_998
