import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reviewgen_spark.models.training.objectives import IGNORED, mask_words, split_sentences, word_groups


def test_tokens_that_share_a_word_are_one_group() -> None:
    text = "这家酒店很好 ok"
    # one token is 酒店 and the first half of 很好, so both words are one group
    offsets = [(0, 0), (0, 1), (1, 2), (2, 5), (5, 6), (7, 9), (0, 0)]
    assert word_groups(offsets, ["这家", "酒店", "很好", " ", "ok"], text) == [-1, 0, 0, 1, 1, 2, -1]
    assert word_groups([(0, 0), (0, 0)], [], "") == [-1, -1]


@given(st.lists(st.integers(-1, 6), max_size=60), st.integers(0, 99), st.floats(0.05, 0.9))
def test_whole_words_are_masked_and_special_tokens_never(numbers: list[int], seed: int, share: float) -> None:
    used = {number: index for index, number in enumerate(sorted(set(numbers) - {-1}))}
    groups = [used.get(number, -1) for number in numbers]
    ids = list(range(100, 100 + len(groups)))
    inputs, targets = mask_words(ids, groups, np.random.default_rng(seed), 7, 50, share)
    chosen = targets != IGNORED
    for group in set(groups):
        members = chosen[np.asarray(groups) == group]
        assert not members.any() if group == -1 else members.all() or not members.any()
    assert (targets[chosen] == np.asarray(ids)[chosen]).all()
    assert (inputs[~chosen] == np.asarray(ids)[~chosen]).all()
    assert chosen.any() == bool(used)


def test_masking_shares_are_those_of_the_paper() -> None:
    ids, groups = list(range(1000, 5_000)), [index // 2 for index in range(4_000)]
    inputs, targets = mask_words(ids, groups, np.random.default_rng(1), 7, 999, 0.5)
    chosen = targets != IGNORED
    assert abs(chosen.mean() - 0.5) < 0.001
    assert abs((inputs[chosen] == 7).mean() - 0.8) < 0.03
    assert abs((inputs[chosen] == targets[chosen]).mean() - 0.1) < 0.03


@given(st.text(alphabet="房间好。！，a. \n", max_size=30))
def test_split_sentences_join_to_the_text(text: str) -> None:
    parts = split_sentences(text)
    assert parts is None or ("".join(parts) == text and all(parts))
