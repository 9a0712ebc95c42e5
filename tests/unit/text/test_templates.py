import re
from pathlib import Path

import pytest

from reviewgen_spark.config import ChecksSection, TokensSection
from reviewgen_spark.errors import RequestError
from reviewgen_spark.text.checks.checks import CheckLists, check_text, failed
from reviewgen_spark.text.requests.request import LENGTHS, Attribute, Source, TextRequest, length_of
from reviewgen_spark.text.requests.templates import TOPICS, fill_template, find_topics

CONF = Path(__file__).parents[3] / "conf"
COMPLAINTS = {
    "zh": "物流慢，包装破损，客服态度差，太贵，尺码不对，质量也不行",
    "en": "late delivery, crushed box, rude staff",
}


@pytest.fixture(scope="module")
def lists() -> CheckLists:
    return CheckLists.load(CONF / "safety", CONF / "dictionaries", TokensSection())


@pytest.mark.parametrize("lang_code", ["zh", "en"])
@pytest.mark.parametrize("length", LENGTHS)
def test_replies_and_product_copy_pass_every_check(lang_code: str, length: str, lists: CheckLists) -> None:
    for seed in range(30):
        common = {"product_id": "p", "lang_code": lang_code, "length": length, "seed": seed}
        source = (Source("r", COMPLAINTS[lang_code]),)
        requests = [
            TextRequest("reply", sources=source, sentiment="negative", category="手机", **common),  # type: ignore[arg-type]
            TextRequest("reply", sources=(Source("r", "good"),), sentiment="positive", **common),  # type: ignore[arg-type]
            TextRequest("product_copy", attributes=(Attribute("title", "A{1}"), Attribute("g", "5 kg")), **common),  # type: ignore[arg-type]
        ]
        # Two attributes are too few for a long text, and no fact is invented.
        for request in requests[: 2 if length == "long" else 3]:
            text = fill_template(request)
            assert text == fill_template(request)
            assert failed(check_text(text, request, lists, ChecksSection())) == (), (request.purpose, text)


@pytest.mark.parametrize("sentiment", ["positive", "negative"])
@pytest.mark.parametrize("lang_code", ["zh", "en"])
def test_augmentation_texts_have_the_requested_keywords_and_sentiment(
    sentiment: str, lang_code: str, lists: CheckLists
) -> None:
    words = ("屏幕", "电池") if lang_code == "zh" else ("screen", "battery")
    texts = set()
    for seed in range(20):
        request = TextRequest(
            "augmentation", "p", lang_code, sentiment=sentiment, keywords=words, length="short", seed=seed
        )  # type: ignore[arg-type]
        text = fill_template(request)
        texts.add(text)
        assert all(word in text for word in words) and length_of(text, request.lang_code) == "short"
        assert failed(check_text(text, request, lists, ChecksSection())) == (), text
    assert len(texts) > 8


def test_a_reply_answers_the_topics_of_the_review() -> None:
    for lang_code, topics in TOPICS.items():
        for name, topic in topics.items():
            request = TextRequest(
                "reply", "p", lang_code, sources=(Source("r", f"{topic.words[0]} !"),), sentiment="negative"
            )
            assert name in find_topics(request)
            assert any(answer in fill_template(request) for answer in topic.answer)
    named = TextRequest("reply", "p", "zh", aspects=("quality",), sources=(Source("r", "物流慢"),))
    assert find_topics(named) == ["quality", "delivery"]


def test_a_draft_contains_only_the_words_of_the_buyer() -> None:
    for lang_code, pattern in (
        ("zh", r"屏幕[^，。]{2,5}，电池[^，。]{2,5}。"),
        ("en", r"[^.]*屏幕[^.]*\. [^.]*电池[^.]*\."),
    ):
        for seed in range(10):
            request = TextRequest(
                "draft_for_verified_buyer", "p", lang_code, stars=1, keywords=("屏幕", "电池"), seed=seed
            )  # type: ignore[arg-type]
            assert re.fullmatch(pattern, fill_template(request)), fill_template(request)


def test_a_summary_has_no_template() -> None:
    with pytest.raises(RequestError, match="no templates for 'summary'"):
        fill_template(TextRequest("summary", "p", "zh", sources=(Source("r", "好"),)))
