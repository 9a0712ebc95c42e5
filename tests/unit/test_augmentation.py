from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewgen_spark.config import default_conf_folder
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.data.augmentation import Augmenter, read_synonyms
from reviewgen_spark.text.opinions.lexicon import Lexicon

FOLDER = default_conf_folder() / "dictionaries"
LEXICON = Lexicon(FOLDER)
ONE = {name: Augmenter([name], 0.3, FOLDER) for name in ("synonym", "swap", "delete")}
TEXT = "房间不是很干净，但是前台的服务态度特别好，下次还会带家人来住。"
PIECES = ["房间", "不", "没有", "很", "干净", "但是", "，", "not", "good", "屏幕", "电池", "再也不会", "😀", "买"]
WORDS = st.lists(st.sampled_from([*PIECES, " "]), max_size=15).map("".join)


def fixed(name: str, text: str) -> list[str]:
    augmenter = ONE[name]
    return [word for word in augmenter._cut(text) if augmenter.is_fixed(word)]


@given(WORDS, st.integers(0, 50))
def test_words_with_sentiment_stay_in_order(text: str, seed: int) -> None:
    for name in ("swap", "delete"):
        varied = ONE[name].augment(text, np.random.default_rng(seed))
        pattern = iter(varied)
        assert all(character in pattern for word in fixed(name, text) for character in word)
    assert Counter(ONE["swap"].augment(text, np.random.default_rng(seed))) == Counter(text)


@pytest.mark.parametrize("name", ONE)
def test_seeds_give_different_variants_and_equal_seeds_the_same(name: str) -> None:
    variants = [ONE[name].augment(TEXT, np.random.default_rng(seed)) for seed in range(20)]
    assert variants == [ONE[name].augment(TEXT, np.random.default_rng(seed)) for seed in range(20)]
    assert len(set(variants)) > 3
    assert all(("不" in text and "干净" in text) or name == "synonym" for text in variants)


@pytest.mark.parametrize("text", ["", "好", "不好", "!!!", "很" * 10_000])
def test_a_text_without_a_word_to_change_is_unchanged(text: str) -> None:
    for augmenter in ONE.values():
        assert augmenter.augment(text, np.random.default_rng(1)) == text


def test_synonyms_have_the_same_polarity() -> None:
    for word, others in read_synonyms(FOLDER / "synonyms.txt").items():
        for other in others:
            if word in LEXICON.scores and other in LEXICON.scores:
                assert LEXICON.scores[word] * LEXICON.scores[other] > 0, (word, other)


def test_a_synonym_group_needs_two_words(tmp_path: Path) -> None:
    (tmp_path / "synonyms.txt").write_text("好 不错\n孤独\n")
    with pytest.raises(ConfigError, match=r"synonyms\.txt: entry 2: expected two words"):
        read_synonyms(tmp_path / "synonyms.txt")
