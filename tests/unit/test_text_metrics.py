"""Tests that each metric detects its fault."""

import math

import pytest

from reviewgen_spark.models.generator.ngram_baseline import NgramModel
from reviewgen_spark.models.generator.text_metrics import (
    CharacterRunIndex,
    discriminator_accuracy,
    distinct,
    measure_texts,
    self_bleu,
)

REAL = [
    f"{thing}{word}，{more}"
    for thing in ("房间", "手机", "屏幕", "服务")
    for word in ("很好", "太差", "不错")
    for more in ("下次还来", "要退货了", "物流很快")
]


def test_repetition_raises_self_bleu_and_lowers_distinct() -> None:
    same = ["房间很好，服务不错"] * 6
    assert self_bleu(same) == pytest.approx(1)
    assert self_bleu(same) > self_bleu(REAL[::7]) > self_bleu(["甲乙丙丁戊", "己庚辛壬癸"])
    assert distinct(same, 2) < distinct(REAL[:6], 2)
    assert self_bleu(["房间很好"]) == 0 and distinct([], 1) == 0


def test_self_bleu_agrees_with_a_calculation_by_hand() -> None:
    """abcd and abce share 3 of 4 characters, 2 of 3 pairs, 1 of 2 triples, and no run of four, which counts as 0.1."""
    expected = (3 / 4 * 2 / 3 * 1 / 2 * 0.1 / 1) ** 0.25
    assert self_bleu(["abcd", "abce"]) == pytest.approx(expected)


def test_a_shorter_text_has_a_brevity_penalty() -> None:
    long, short = "abcdefgh", "abcd"
    one = math.exp(1 - len(long) / len(short))  # all its n-grams are in the other
    other = (4 / 8 * 3 / 7 * 2 / 6 * 1 / 5) ** 0.25
    assert self_bleu([short, long]) == pytest.approx((one + other) / 2)


def test_runs_of_the_training_texts_are_found() -> None:
    index = CharacterRunIndex(["今天天气很好适合出去玩一玩"], run=5)
    assert index.share(["今天天气很好适合出去玩一玩"]) == 1
    assert index.share(["他说天气很好适，真的"]) == pytest.approx(5 / 10)
    assert index.share(["天气很好"]) == 0 and index.share([]) == 0


def test_a_discriminator_separates_only_texts_that_differ() -> None:
    odd, even = REAL[::2], REAL[1::2]
    assert discriminator_accuracy(["啊啊啊啊" + text for text in odd], even, seed=1) > 0.9
    assert discriminator_accuracy(odd, even, seed=1) < 0.75
    assert math.isnan(discriminator_accuracy(odd[:2], even, seed=1))


def test_all_metrics_are_measured_together() -> None:
    metrics = measure_texts(REAL[:12], CharacterRunIndex(REAL[:12]), NgramModel(REAL), REAL[12:24], seed=1)
    assert metrics.copied_share == 0 and metrics.mean_characters == pytest.approx(9)
    assert metrics.bits_per_character > 0
