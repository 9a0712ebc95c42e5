"""Tests the faithfulness check: sentences that are unsupported, contradicted or have wrong numbers are dropped."""

import numpy as np
import pytest

from reviewgen_spark.config import TokensSection
from reviewgen_spark.text.checks.faithfulness import Evidence
from reviewgen_spark.text.opinions.aspects import OpinionReader
from reviewgen_spark.text.requests.request import Source
from reviewgen_spark.transforms.dictionaries import driver_dictionaries

SOURCES = (
    Source("a", "The battery is great and lasts 12 hours. The screen is bright."),
    Source("b", "Battery lasted all day, great! Shipping took 3 weeks, terrible."),
    Source("c", "电池很耐用，屏幕清楚。物流太慢了。"),
)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence(SOURCES, OpinionReader(TokensSection(), driver_dictionaries()), counts=(312, 400, 78))


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("The battery is great and lasts 12 hours.", None),
        ("Batteries last all day.", None),
        ("电池耐用，屏幕很清楚。", None),
        ("The battery is terrible.", "contradicted"),
        ("The battery is not great and lasts hours.", "contradicted"),
        ("Shipping was great and took weeks.", "contradicted"),
        ("电池很不耐用。", "contradicted"),
        ("The keyboard feels wonderful under the fingers.", "unsupported"),
        ("包装盒上有划痕。", "unsupported"),
        ("The battery is great and lasts 20 hours.", "number"),
        ("312 of 400 reviews say the battery is great.", None),
        ("313 of 400 reviews say the battery is great.", "number"),
    ],
)
def test_a_sentence_is_kept_or_dropped_for_a_reason(evidence: Evidence, sentence: str, reason: str | None) -> None:
    [judgement] = evidence.judge(sentence).judgements
    assert (judgement.reason, judgement.text) == (reason, sentence)


def test_only_faithful_sentences_are_left(evidence: Evidence) -> None:
    result = evidence.judge("The screen is bright. It comes with free headphones. The battery is great.")
    assert result.text == "The screen is bright. The battery is great."
    assert result.score == pytest.approx(2 / 3)
    assert [judgement.record_id for judgement in result.judgements] == ["a", None, "a"]
    assert evidence.judge("电池很耐用。手机送了耳机。物流太慢了。").text == "电池很耐用。物流太慢了。"
    assert evidence.judge("").score == 1.0


def test_without_sources_nothing_is_supported() -> None:
    nothing = Evidence((), OpinionReader(TokensSection(), driver_dictionaries()))
    assert nothing.judge("The battery is great.").text == ""


def test_vectors_support_a_paraphrase_but_no_contradiction() -> None:
    reader = OpinionReader(TokensSection(), driver_dictionaries())
    sources = (Source("a", "The battery is great."), Source("b", "Ships in a day."))
    vectors = np.eye(2, dtype=np.float32)
    evidence = Evidence(sources, reader, vectors=vectors)
    other_words = "Runs forever without a plug."
    assert evidence.judge(other_words).judgements[0].reason == "unsupported"
    near = np.asarray([[0.95, 0.31]], np.float32)
    assert evidence.judge(other_words, near).judgements[0].reason is None
    assert evidence.judge("Power is awful.", near).judgements[0].reason == "contradicted"
    assert evidence.judge(other_words, np.asarray([[0.7, 0.7]], np.float32)).judgements[0].reason == "unsupported"
    with pytest.raises(ValueError, match="got 2 rows; expected one for each of 1 sentences"):
        Evidence(sources[:1], reader, vectors=vectors)
