from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewgen_spark.models.evaluation.evaluation import length_buckets
from reviewgen_spark.models.evaluation.robustness import HOMOPHONES, PERTURBATIONS, negate, perturb

TEXTS = ["房间很干净，服务也好，下次再来住", "The screen is great and the battery lasts", "好", "", "!!!", "在" * 30]


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_equal_seeds_perturb_equally_and_others_differ(name: str) -> None:
    assert perturb(name, TEXTS, 1) == perturb(name, TEXTS, 1)
    long = ["这家店的东西真的很好，" * 5]
    if name not in ("emoji", "traditional"):
        assert len({perturb(name, long, seed)[0] for seed in range(5)}) > 1
    assert perturb(name, long, 1) != long


@given(st.text(max_size=80), st.integers(0, 9))
def test_each_perturbation_changes_as_named(text: str, seed: int) -> None:
    changes = max(1, len(text) // 12)
    assert Counter(perturb("swap", [text], seed)[0]) == Counter(text)
    dropped, doubled = perturb("drop", [text], seed)[0], perturb("double", [text], seed)[0]
    assert len(text) - changes <= len(dropped) <= len(text)
    assert len(text) <= len(doubled) <= len(text) + changes
    replaced = perturb("homophones", [text], seed)[0]
    assert len(replaced) == len(text)
    assert all(one == two or HOMOPHONES[one] == two for one, two in zip(text, replaced, strict=True))
    assert perturb("emoji", [text], seed)[0][:-1] == text


@given(st.sampled_from([("房间", "不", "干净"), ("服务很", "不", "满意"), ("it is ", "not ", "good")]), st.booleans())
def test_negating_twice_restores_the_text(parts: tuple[str, str, str], is_negated: bool) -> None:
    subject, negation, word = parts
    text = f"{subject}{negation if is_negated else ''}{word}"
    once = negate(text)
    assert once is not None and once != text and negate(once) == text


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("房间很干净", "房间很不干净"),
        ("服务不满意", "服务满意"),
        ("The battery is good", "The battery is not good"),
        ("It is not comfortable", "It is comfortable"),
    ],
)
def test_the_only_sentiment_word_is_negated(text: str, negated: str) -> None:
    assert negate(text) == negated


@pytest.mark.parametrize(
    "text", ["", "还行", "不是不干净", "干净又方便", "干净干净", "没有不满意", "这个" * 20 + "干净"]
)
def test_a_text_that_one_word_does_not_negate_is_skipped(text: str) -> None:
    assert negate(text) is None


def test_lengths_are_put_into_buckets() -> None:
    assert length_buckets(["a" * size for size in (1, 20, 21, 60, 61, 150, 151)]).tolist() == [
        "1-20", "1-20", "21-60", "21-60", "61-150", "61-150", "151+",
    ]  # fmt: skip


def test_homophones_are_single_characters() -> None:
    assert all(len(one) == len(two) == 1 and one != two for one, two in HOMOPHONES.items())
    assert not set("好差坏贵慢脏破烂") & set(HOMOPHONES)
    assert np.all([two not in "好差坏贵慢脏破烂" for two in HOMOPHONES.values()])
