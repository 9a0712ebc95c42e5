"""Tests the Kneser-Ney model: distributions sum to one, and training texts cost fewer bits."""

import numpy as np
import pytest

from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.models.generator.ngram_baseline import END, START, UNKNOWN, UNKNOWN_BITS, NgramModel

TEXTS = ["房间很好，服务不错", "房间不错", "太差了，房间很小", "服务很好", "房间很好"] * 4


@pytest.fixture(scope="module")
def model() -> NgramModel:
    return NgramModel(TEXTS)


def test_every_distribution_sums_to_one(model: NgramModel) -> None:
    ids = [START, *(model._ids[character] for character in "房间很好")]
    for end in range(1, len(ids) + 1):
        probability = model._next(ids[:end])
        assert probability.sum() == pytest.approx(1)
        assert probability.min() > 0


def test_the_bits_of_a_text_are_the_sum_over_its_characters(model: NgramModel) -> None:
    for text in ("房间很好", "服务太差", "房间鑫好", ""):
        history, bits = [START], 0.0
        for token in [*(model._ids.get(character, UNKNOWN) for character in text), END]:
            bits -= np.log2(model._next(history)[token])
            history.append(token)
        bits += UNKNOWN_BITS * text.count("鑫")
        assert model.bits([text, "房间"])[0] == pytest.approx(bits)


def test_a_bigram_agrees_with_a_calculation_by_hand() -> None:
    """After a comes b twice and the end once; for so few counts KenLM's discounts 0.5, 1 and 1.5 are used."""
    model = NgramModel(["ab", "ab", "a"], order=2)
    a, b = model._ids["a"], model._ids["b"]
    # Contexts of b: a; of a: the start; of the end: b and a. Unigrams by contexts, 4 in all, each discounted.
    freed = (0.5 + 0.5 + 1.0) / 4
    low = {b: 0.5 / 4 + freed / model.size, END: 1.0 / 4 + freed / model.size}
    discount_mass = (1.0 + 0.5) / 3
    assert model._next([START, a])[b] == pytest.approx((2 - 1.0) / 3 + discount_mass * low[b])
    assert model._next([START, a])[END] == pytest.approx((1 - 0.5) / 3 + discount_mass * low[END])


def test_training_texts_cost_fewer_bits(model: NgramModel) -> None:
    assert model.bits_per_character(["房间很好"]) < model.bits_per_character(["好很间房"])
    assert model.bits_per_character(["房间很好"]) < NgramModel(TEXTS, order=2).bits_per_character(["房间很好"])


def test_equal_seeds_draw_equal_texts(model: NgramModel) -> None:
    drawn = [model.generate(np.random.default_rng(seed)) for seed in range(40)]
    assert drawn == [model.generate(np.random.default_rng(seed)) for seed in range(40)]
    assert len(set(drawn)) > 3 and any(text in TEXTS for text in drawn)
    assert len(model.generate(np.random.default_rng(1), max_characters=2)) <= 2


def test_an_empty_training_set_is_an_error() -> None:
    with pytest.raises(DataQualityError, match="no text to count"):
        NgramModel(["", ""])
