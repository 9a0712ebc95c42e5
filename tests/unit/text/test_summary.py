"""Tests summaries without a model: quotes, counts, and independence of the order of reviews."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewgen_spark.config import SummariseSection, TokensSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.opinions.aspects import OpinionReader, is_negative, is_positive, read_aspects
from reviewgen_spark.text.summaries.selection import choose_sentences
from reviewgen_spark.text.summaries.sentences import ReviewText, main_language, read_sentences
from reviewgen_spark.text.summaries.summary import summarise
from reviewgen_spark.text.words.sentences import cut_clauses, cut_sentences
from reviewgen_spark.transforms.dictionaries import driver_dictionaries

ENGLISH = (
    "The battery lasts two days. The screen is bright. My wife bought it for me last week.",
    "Great battery, it lasts two days. I love the screen.",
    "The battery is great. The screen is too dark for me.",
    "The battery lasts long and the screen is bright. Shipping was slow.",
    "Battery is bad. The box was broken.",
    "We took it to the beach. The battery lasts two days and the screen is bright.",
)
CHINESE = (
    "电池很耐用，屏幕清楚。",
    "电池不错。物流很快。",
    "电池太差了，屏幕也不好！",
    "电池很好，物流也快。",
    "电池有两块。",
)


@pytest.fixture(scope="module")
def reader() -> OpinionReader:
    return OpinionReader(TokensSection(), driver_dictionaries())


def reviews_of(texts: tuple[str, ...], language: str) -> list[ReviewText]:
    return [ReviewText(f"{language}{index}", text, language) for index, text in enumerate(texts)]


SECTION = SummariseSection(max_words=20, min_mentions=3)


def test_quotes_are_in_the_review_that_they_cite(reader: OpinionReader) -> None:
    reviews = reviews_of(ENGLISH, "en")
    texts = {review.record_id: review.text for review in reviews}
    summary = summarise(reviews, len(reviews), reader, SECTION)
    assert summary is not None and summary.language == "en"
    quotes = [claim for claim in summary.claims if claim.kind == "quote"]
    assert quotes and all(claim.text in texts[claim.source_record_ids[0]] for claim in quotes)
    assert all(claim.text in summary.text for claim in quotes)
    assert sum(len(claim.text.split()) for claim in quotes) <= 20


def test_quotes_are_the_most_common_statements(reader: OpinionReader) -> None:
    sentences = [read_sentences(review, reader) for review in reviews_of(ENGLISH, "en")]
    chosen = [sentence.text for sentence in choose_sentences(sentences, 20)]
    assert "battery lasts" in chosen[0] and "screen is bright" in chosen[0]
    assert not any("box" in text or "beach" in text for text in chosen)


def test_sentences_in_the_first_person_are_quoted_last(reader: OpinionReader) -> None:
    texts = ("I love the battery and the screen.",) * 3 + ("The battery is good and the screen too.",) * 2
    chosen = choose_sentences([read_sentences(review, reader) for review in reviews_of(texts, "en")], 10)
    assert [sentence.text for sentence in chosen] == [texts[-1]]


def test_equal_sentences_are_quoted_once(reader: OpinionReader) -> None:
    texts = ("The battery is great.", "The battery is great!", "The battery is great. It charges slowly.") * 2
    chosen = choose_sentences([read_sentences(review, reader) for review in reviews_of(texts, "en")], 60)
    assert [sentence.text for sentence in chosen].count("The battery is great.") == 1 and len(chosen) <= 2


def test_praise_and_blame_are_balanced(reader: OpinionReader) -> None:
    texts = ("The food is great. The food is nice here.",) * 4 + ("The food is terrible there.",) * 3
    chosen = choose_sentences([read_sentences(review, reader) for review in reviews_of(texts, "en")], 9)
    assert [sentence.text for sentence in chosen] == ["The food is great.", "The food is terrible there."]


def test_counts_cover_all_reviews(reader: OpinionReader) -> None:
    reviews = reviews_of(CHINESE, "zh-hans")
    summary = summarise(reviews, 5, reader, SECTION)
    assert summary is not None and summary.language == "zh"
    [count] = [claim for claim in summary.claims if claim.kind == "count"]
    assert (count.aspect, count.mention_count, count.positive_count, count.negative_count) == ("battery", 5, 3, 1)
    assert count.text == "5条评价中，5条提到电池（60%肯定，20%否定）。" and summary.text.endswith(count.text)
    assert count.source_record_ids == tuple(review.record_id for review in reviews)
    sampled = summarise(reviews, 100_000, reader, SECTION)
    assert sampled is not None and "100000条评价中抽取的5条中，5条提到电池" in sampled.text


def test_quotes_are_in_the_main_language_and_counts_cover_all(reader: OpinionReader) -> None:
    reviews = [*reviews_of(ENGLISH, "en"), *reviews_of(CHINESE, "zh-hans"), ReviewText("x", "Très bon", "other")]
    summary = summarise(reviews, len(reviews), reader, SECTION)
    assert summary is not None and summary.language == "en"
    quoted = {claim.source_record_ids[0] for claim in summary.claims if claim.kind == "quote"}
    assert all(record_id.startswith("en") for record_id in quoted)
    counts = {claim.aspect: claim for claim in summary.claims if claim.kind == "count"}
    assert counts["battery"].mention_count == 11
    assert summary.text.split("” ")[-1].startswith("Of 12 reviews, 11 mention battery life (")
    assert main_language(["en", "zh-hans", None]) == "zh"


@pytest.mark.parametrize(
    ("texts", "language", "kinds"),
    [
        ((), "en", None),
        (("", "  "), "en", None),
        (("Très bon produit",), "other", None),
        (("Great battery, lasts long.",), "en", ["quote"]),
        (("ok",), "en", None),
    ],
)
def test_few_reviews_give_a_quote_or_no_summary(
    reader: OpinionReader, texts: tuple[str, ...], language: str, kinds: list[str] | None
) -> None:
    summary = summarise(reviews_of(texts, language), len(texts), reader, SECTION)
    assert (None if summary is None else [claim.kind for claim in summary.claims]) == kinds


@given(st.randoms(use_true_random=False))
def test_the_order_of_reviews_does_not_matter(draw: random.Random) -> None:
    reviews = [*reviews_of(ENGLISH, "en"), *reviews_of(CHINESE, "zh-hans")]
    shuffled = list(reviews)
    draw.shuffle(shuffled)
    assert summarise(shuffled, 11, READER, SECTION) == summarise(reviews, 11, READER, SECTION)


READER = OpinionReader(TokensSection(), driver_dictionaries())


def test_masked_and_forbidden_sentences_are_not_quoted(reader: OpinionReader) -> None:
    masked = reviews_of(("The battery is great, call [PHONE].",), "en")
    assert summarise(masked, 1, reader, SECTION) is None
    reviews = reviews_of(ENGLISH[1:4], "en")
    best = choose_sentences([read_sentences(review, reader) for review in reviews], 20)[0].text
    summary = summarise(reviews, 3, reader, SECTION, may_quote=lambda sentence: sentence != best)
    assert summary is not None and best not in summary.text
    assert any(claim.kind == "quote" for claim in summary.claims)


def test_keywords_of_the_product_are_aspects(reader: OpinionReader) -> None:
    assert reader.keywords(["很好", "不错", "表盘", "电池", "表带", "我们", "a"], 5) == {"表盘", "表带"}
    texts = ("表盘很漂亮。", "表盘不好看。", "表盘很清楚，喜欢。")
    summary = summarise(reviews_of(texts, "zh-hans"), 3, reader, SECTION, ["表盘"])
    assert summary is not None
    [count] = [claim for claim in summary.claims if claim.aspect == "表盘"]
    assert (count.mention_count, "提到“表盘”" in count.text) == (3, True)


def test_an_opinion_belongs_to_the_aspect_of_its_clause(reader: OpinionReader) -> None:
    reading = reader.read("屏幕嘛，很清楚，但电池太差")
    assert reading.aspects["screen"] > 0 > reading.aspects["battery"]
    reading = reader.read("the battery life is great but screens are terrible")
    assert reading.aspects["battery"] > 0 > reading.aspects["screen"]
    assert set(reader.read("性价比高，客服态度不好").aspects) == {"price", "service"}


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        (
            "外形外观：漂亮\n屏幕音效：清晰\n拍照效果：清楚\n待机时间：太差",
            {"design": 1, "screen": 1, "sound": 1, "camera": 1, "effect": 1, "battery": -1},
        ),
        ("屏幕:太差 电池:很好 物流:很慢", {"screen": -1, "battery": 1, "delivery": -1}),
        ("Screen: great\nBattery: terrible\nSound: good", {"screen": 1, "battery": -1, "sound": 1}),
        ("屏幕很好\n电池很差\n物流快", {"screen": 1, "battery": -1, "delivery": 1}),
        ("屏幕很好 电池很差", {"screen": 1, "battery": -1}),
        ("包装：颜色漂亮", {"packaging": 1, "colour": 1}),
        ("噪音很小，价格高", {"noise": 1, "price": -1}),
        ("噪音很大，价格低", {"noise": -1, "price": 1}),
        ("屏幕，电池太差", {"screen": 0, "battery": -1}),
    ],
)
def test_each_aspect_has_the_opinion_of_its_line(reader: OpinionReader, text: str, signs: dict[str, int]) -> None:
    aspects = reader.read(text).aspects
    assert {code: is_positive(score) - is_negative(score) for code, score in aspects.items()} == signs


def test_little_noise_is_counted_as_praise(reader: OpinionReader) -> None:
    texts = ("噪音很小", "噪音小，好用", "噪音特别小，制冷快")
    summary = summarise(reviews_of(texts, "zh-hans"), 3, reader, SECTION)
    assert summary is not None and "噪音（100%肯定，0%否定）" in summary.text


@given(st.text(alphabet="房间很好。！，.!? aB3\n…”)", max_size=60))
def test_cutting_loses_only_spaces(text: str) -> None:
    for cut in (cut_sentences, cut_clauses):
        parts = cut(text)
        assert "".join("".join(parts).split()) == "".join(text.split())
        assert all(part in text and part == part.strip() for part in parts)


def test_a_long_chinese_sentence_is_cut_at_its_commas() -> None:
    text = (
        "房间很大，卫生间也干净，早餐种类不多但是味道可以，前台服务员态度很好，就是隔音不好，晚上有点吵，下次还会来的"
    )
    assert [len(part) for part in cut_sentences(text)] == [25, 29]


def test_a_broken_list_of_aspects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("battery\t电池\tbattery life\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a\.tsv: entry 1: got 3 fields; expected code, zh, en, words"):
        read_aspects(tmp_path / "a.tsv")
    (tmp_path / "a.tsv").write_text("one\t一\tone\tsame\ntwo\t二\ttwo\tsame\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="entry 2: 'same' is already a word of 'one'"):
        read_aspects(tmp_path / "a.tsv")
