import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.models.compression.ngram_classifier import (
    BUCKETS,
    NgramClassifier,
    choose_threshold,
    fit_ngram_classifier,
    hash_ngrams,
    load_ngram_classifier,
)

GOOD = [f"屏幕{word}，第{n}次买" for n in range(20) for word in ("很好", "满意", "不错")]
BAD = [f"屏幕{word}，第{n}次买" for n in range(20) for word in ("很差", "失望", "难看")]
UNLABELLED = ["服务很好很满意", "服务很差很失望"] * 5
VALIDATION = ["物流很好", "物流很差", "真的满意", "真的失望", "一般般吧"]
LABELS = np.array([1, 0, 1, 0, 1])


@pytest.fixture(scope="module")
def fitted() -> NgramClassifier:
    texts = [*GOOD, *BAD, *UNLABELLED]
    answers = np.array([5.0] * len(GOOD) + [-5.0] * len(BAD) + [5.0, -5.0] * 5)
    labels = np.array([1] * len(GOOD) + [0] * len(BAD))
    return fit_ngram_classifier(texts, answers, labels, VALIDATION, LABELS, LABELS, 0.0)


def test_only_confident_texts_are_answered(fitted: NgramClassifier) -> None:
    answers = fitted.answers(["这个很好", "这个很差", "", "abc", "👍"])
    assert answers.shape == (5, 2)
    assert answers[0, 1] > 0.9 and answers[1, 0] > 0.9
    assert np.isnan(answers[2:]).all(), "no known n-gram: the next model scores these"
    assert answers[:2].sum(axis=1) == pytest.approx(1)
    facts = fitted.settings
    assert 0 < facts.threshold < math.inf and facts.answered_share >= 0.8 and facts.disagreement == 0


def test_unlabelled_texts_are_used_for_training() -> None:
    texts, answers = [*GOOD, *BAD], np.array([5.0] * len(GOOD) + [-5.0] * len(BAD))
    labels = np.array([1] * len(GOOD) + [0] * len(BAD))
    more = fit_ngram_classifier(
        [*texts, *["客服热情"] * 9], np.append(answers, [5.0] * 9), labels, VALIDATION, LABELS, LABELS, 0.0
    )
    plain = fit_ngram_classifier(texts, answers, labels, VALIDATION, LABELS, LABELS, 0.0)
    assert np.isnan(plain.log_odds(["客服热情"])[0]) and more.log_odds(["客服热情"])[0] > 2


def test_a_saved_classifier_gives_equal_answers_in_any_batch(fitted: NgramClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "file")
    loaded = load_ngram_classifier(tmp_path / "file")
    texts = [*VALIDATION, *GOOD, *BAD] * 9  # more than one hashing batch
    together = loaded.answers(texts)
    assert loaded.settings == fitted.settings
    np.testing.assert_array_equal(together, fitted.answers(texts))
    np.testing.assert_array_equal(together[:5], np.concatenate([loaded.answers([text]) for text in VALIDATION]))
    assert b"\xe5\xb1\x8f" not in (tmp_path / "file").read_bytes(), "no character of a text is stored"


def test_a_missing_file_or_later_format_is_an_error(fitted: NgramClassifier, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no n-gram classifier; `reviewgen run compress`"):
        load_ngram_classifier(tmp_path / "nowhere")
    weights = np.zeros(1, np.float32)
    NgramClassifier(weights, weights, replace(fitted.settings, format=9)).save(tmp_path / "later")
    with pytest.raises(ModelNotFoundError, match="format 9, this version reads 1"):
        load_ngram_classifier(tmp_path / "later")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(codec=None), max_size=8), max_size=6))
def test_ngrams_are_counted_within_each_text(texts: list[str]) -> None:
    keys = hash_ngrams(texts)
    rows, counts = np.unique(keys // BUCKETS, return_counts=True)
    counts_by_row = dict(zip(rows.tolist(), counts.tolist(), strict=True))
    lengths = [len(text.lower()) for text in texts]
    expected = [sum(max(0, length - order + 1) for order in (1, 2, 3)) for length in lengths]
    assert [counts_by_row.get(row, 0) for row in range(len(texts))] == expected
    for row, text in enumerate(texts):
        own = np.sort(keys[keys // BUCKETS == row] % BUCKETS)
        np.testing.assert_array_equal(own, np.sort(hash_ngrams([text]) % BUCKETS))


def test_different_ngrams_have_different_buckets() -> None:
    texts = [f"{one}{other}" for one in "甲乙丙丁戊己庚辛" for other in "子丑寅卯辰巳午未"]
    pairs = {int(key) % BUCKETS for text in texts for key in hash_ngrams([text])[2:]}
    assert len(pairs) == len(texts), "the order matters: 甲子 is not 子甲"


def test_the_threshold_limits_the_disagreements() -> None:
    odds = np.array([4.0, -3.0, 2.0, -1.0, np.nan])
    assert choose_threshold(odds, np.array([1, 0, 0, 0, 1]), 0.0) == (3.0, 0.4, 0.0)
    assert choose_threshold(odds, np.array([1, 0, 0, 0, 1]), 0.25) == (1.0, 0.8, 0.25)
