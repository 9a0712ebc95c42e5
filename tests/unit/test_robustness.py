from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewgen_spark.models.evaluation import length_buckets
from reviewgen_spark.models.robustness import HOMOPHONES, PERTURBATIONS, negate, perturb

TEXTS = ["房间很干净，服务也好，下次再来住", "The screen is great and the battery lasts", "好", "", "!!!", "在" * 30]


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_equal_seeds_change_alike_and_others_do_not(name: str) -> None:
    assert perturb(name, TEXTS, 1) == perturb(name, TEXTS, 1)
    long = ["这家店的东西真的很好，" * 5]
    if name not in ("emoji", "traditional"):
        assert len({perturb(name, long, seed)[0] for seed in range(5)}) > 1
    assert perturb(name, long, 1) != long


@given(st.text(max_size=80), st.integers(0, 9))
def test_each_changes_what_it_says(text: str, seed: int) -> None:
    changes = max(1, len(text) // 12)
    assert Counter(perturb("swap", [text], seed)[0]) == Counter(text)
    dropped, doubled = perturb("drop", [text], seed)[0], perturb("double", [text], seed)[0]
    assert len(text) - changes <= len(dropped) <= len(text)
    assert len(text) <= len(doubled) <= len(text) + changes
    sounded = perturb("homophones", [text], seed)[0]
    assert len(sounded) == len(text)
    assert all(one == two or HOMOPHONES[one] == two for one, two in zip(text, sounded, strict=True))
    assert perturb("emoji", [text], seed)[0][:-1] == text


@given(st.text(alphabet="房间很不没干净满意，good not", max_size=12))
def test_negating_twice_gives_the_text_back(text: str) -> None:
    once = negate(text)
    if once is not None:
        assert once != text and negate(once) == text


@pytest.mark.parametrize(
    "text", ["", "还行", "不是不干净", "干净又方便", "干净干净", "没有不满意", "这个" * 20 + "干净"]
)
def test_what_one_word_does_not_turn_round_is_left(text: str) -> None:
    assert negate(text) is None


def test_lengths_fall_into_buckets() -> None:
    assert length_buckets(["a" * size for size in (1, 20, 21, 60, 61, 150, 151)]).tolist() == [
        "1-20", "1-20", "21-60", "21-60", "61-150", "61-150", "151+",
    ]  # fmt: skip


def test_homophones_are_single_characters() -> None:
    assert all(len(one) == len(two) == 1 and one != two for one, two in HOMOPHONES.items())
    assert not set("好差坏贵慢脏破烂") & set(HOMOPHONES)
    assert np.all([two not in "好差坏贵慢脏破烂" for two in HOMOPHONES.values()])
