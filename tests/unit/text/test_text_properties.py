"""Tests properties of the pure functions: idempotent, no exceptions, no personal data. 7 times 1,500 cases."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewgen_spark.config import CleanSection, DedupSection, TokensSection
from reviewgen_spark.text.cleaning.cleaner import Cleaner, key_of
from reviewgen_spark.text.cleaning.language import detect
from reviewgen_spark.text.cleaning.normalise import Normaliser
from reviewgen_spark.text.privacy import pii
from reviewgen_spark.text.similarity.minhash import MinHash, jaccard
from reviewgen_spark.text.words.tokeniser import Tokeniser

DICTIONARIES = Path(__file__).parents[3] / "conf" / "dictionaries"

# Pieces that rules change, joined in any order, because random code points almost never match a rule.
PIECES = st.sampled_from(
    [
        "很好",
        "這個",
        "後來看著",
        "质量",
        "哈哈哈哈哈",
        "！！！！！",
        "。。。。。。",
        "......",
        "soooooo",
        " ",
        "  ",
        "\u3000",
        "\n",
        "<b>",
        "</b>",
        "<br/>",
        "<",
        ">",
        "&",
        "&amp;",
        "&lt;",
        "&gt;",
        "amp;",
        "lt;",
        "#38;",
        "&#60;",
        "&#x26;",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<smallll>",
        "<a href='",
        "b>",
        "nbsp;",
        "http://",
        "http://a.cn/b?c=1",
        "www.",
        "a.com",
        "t.cn/abc",
        ":",
        "/",
        ".",
        "\u200b",
        "\u202e",
        "\ufeff",
        "\x00",
        "\ud800",
        "\udfff",
        "\ue000",
        "\u200d",
        "\ufe0f",
        "\u0301",
        "e\u0301",
        "\u1100\u1161",
        "😀",
        "👍🏻",
        "👨\u200d👩\u200d👧",
        "❤️",
        "🇨🇳",
        "(^_^)",
        ":)",
        "T_T",
        "-_-",
        "^",
        "_",
        "[开心]",
        "[",
        "]",
        "[PHONE]",
        "[URL]",
        "å¾ˆå¥½",
        "寰堝ソ",
        "锛",
        "Ã©",
        "â€™",
        "１３８",
        "００００",
        "13800000000",
        "138-0000-0000",
        "一三八零零零零零零零零",
        "幺三八",
        "+86",
        "010-88888888",
        "a@b.cn",
        "@",
        "user@example.com",
        "11010519491231002X",
        "4111111111111111",
        "微信",
        "加微信",
        "wx",
        "abc_123",
        "QQ",
        "12345678",
        "京A12345",
        "·",
        "订单号",
        "单号",
        "SF1234567890123",
        "浙江省杭州市西湖区文三路100号",
        "3幢",
        "2单元",
        "501室",
        "一",
        "二",
        "0",
        "7",
        "①",
        "㎡",
        "½",
        "³",
        "\r\n",
        "\u2028",
        "<p>",
        "<S>",
        "</s>",
        "<M/L>",
        "XXXXL",
        "★★★★☆",
        "AAAAA级",
        "之後",
        "於是",
        "高尔基 著",
        "は",
        "です",
        "満足",
        "ºÜºÃ",
        "鐢ㄤ簡涓\ufffd涓\ufffd鏈堝氨鍧忎簡",
        "锟斤拷",
        "\u0336",
        "\u0300\u0301\u0302",
        "\u2800",
        "\u20e3",
        "1\ufe0f\u20e3",
        "(*^▽^*)",
        "（￣▽￣）",
        "(´;ω;`)",
        ":D",
        ":(",
        "Sản phẩm",
        "ﷺ",
        "Ａ",
        "＜",
        "＆",
        "；",
        "，",
        "～",
    ]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=14).map("".join),
    st.text(st.characters(), max_size=60),
    st.lists(st.one_of(PIECES, st.text(st.characters(), max_size=4)), max_size=12).map("".join),
)
SECTIONS = st.sampled_from(
    [
        CleanSection(),
        CleanSection(max_repeats=2),
        CleanSection(emoji="keep"),
        CleanSection(emoji="drop", strip_html=False),
        CleanSection(simplify_chinese=False, mark_urls=False, repair_mojibake=False),
    ]
)
many = settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(TEXTS, SECTIONS)
def test_normalise_is_idempotent(text: str, section: CleanSection) -> None:
    normaliser = Normaliser(section)
    once = normaliser.normalise(text).text
    again, counts = normaliser.normalise(once)
    assert again == once
    assert counts in ({}, {"garbled": 1})  # the flag of a text that is left as it is


@many
@given(TEXTS)
def test_normalised_text_has_no_control_characters_or_double_spaces(text: str) -> None:
    clean = Normaliser(CleanSection()).normalise(text).text
    assert clean == clean.strip()
    assert "  " not in clean
    clean.encode("utf-8")  # no lone surrogate is left
    assert not any(c in clean for c in "\x00\u200b\u202e\ufeff\r\t\u2028\x85")
    assert not any(c in clean for c in ("\n\n", " \n", "\n "))


@many
@given(TEXTS)
def test_masked_text_holds_no_pii(text: str) -> None:
    once = pii.mask(text)
    assert pii.mask(once.text) == (once.text, {})
    assert bool(once.counts) == (once.text != text)


@many
@given(TEXTS)
def test_cleaning_never_raises_and_is_idempotent(text: str) -> None:
    cleaner = Cleaner(CleanSection())
    once = cleaner.clean(text)
    twice = cleaner.clean(once.text_clean)
    assert twice.text_clean == once.text_clean
    assert twice.text_hash == once.text_hash
    assert not twice.pii_counts


@many
@given(TEXTS)
def test_detect_returns_a_known_code_and_a_score_from_0_to_1(text: str) -> None:
    code, score = detect(text)
    assert code in {"zh-hans", "zh-hant", "en", "mixed", "other"}
    assert 0 <= score <= 1


@pytest.fixture(scope="module")
def tokeniser() -> Tokeniser:
    return Tokeniser(TokensSection(), DICTIONARIES)


@many
@given(text=TEXTS)
def test_tokens_keep_every_character_of_a_clean_text_in_order(tokeniser: Tokeniser, text: str) -> None:
    clean = Cleaner(CleanSection()).clean(text).text_clean or ""
    tokens, content_words = tokeniser.words(clean)
    assert characters("".join(tokens)) == characters(clean)
    assert {word.lower() for word in content_words} <= {token.lower() for token in tokens}


def characters(text: str) -> str:
    """Returns a text without blanks and case; every sign for an apostrophe is the same one."""
    return re.sub("[`\u00b4\u02b9\u02bc\u2018\u2019\u2032\uff07]", "'", "".join(text.split()).casefold())


@many
@given(TEXTS, TEXTS)
def test_similarity_is_symmetric_and_1_for_equal_keys(one: str, other: str) -> None:
    section = DedupSection()
    keys = key_of(one), key_of(other)
    there, back, same = jaccard([keys, keys[::-1], (keys[0], keys[0])], section.ngram)
    assert 0 <= there == back <= 1
    assert not keys[0] or same == 1
    hashes = MinHash(section.ngram, section.bands, section.rows).band_hashes([keys[0], keys[0], keys[1]])
    assert hashes.shape == (3, section.bands)
    assert (hashes[0] == hashes[1]).all()


@pytest.mark.parametrize(
    "text",
    [
        "&" + "amp;" * 25_000,
        "&#38;" * 20_000,
        "<" * 100_000,
        "<b " * 33_000,
        "<b \"'" * 20_000,
        "<!--" * 25_000,
        "<script>" * 12_000,
        "a" * 100_000,
        "a@" * 50_000,
        "1" * 100_000,
        "1-" * 50_000,
        "1 3 " * 25_000,
        "一" * 100_000,
        "一三八" * 33_000,
        "哈" * 100_000,
        "[" * 100_000,
        "[开心]" * 20_000,
        "路1号" * 30_000,
        "文三路100号3幢" * 10_000,
        "市" * 100_000,
        "区县市路" * 25_000,
        "微信" * 50_000,
        "加微信a" * 25_000,
        "http://" * 14_000,
        "www." * 25_000,
        "a.com" * 20_000,
        "^_" * 50_000,
        "(" * 100_000,
        "T_" * 50_000,
        "\ud800" * 100_000,
        "\x00\xff\xfe" * 30_000,
        "\u202e" * 100_000,
        "å¾" * 50_000,
        "锛屼" * 33_000,
        "\u0301" * 100_000,
        "SF" * 50_000,
        "0101" * 25_000,
        "ﷺ" * 20_000,
        "<p>好</p>&nbsp;" * 7_000,
        "订单号" * 30_000,
        "京A1" * 30_000,
        "\n" * 100_000,
        " \n" * 50_000,
        "\r \n" * 33_000,
        "<S>" * 33_000,
        "<M/L" * 25_000,
        "X" * 100_000,
        "★" * 100_000,
        "A" * 99_999 + "级",
        "a\u0336" * 50_000,
        "著" * 100_000,
        "《" + "著》" * 50_000,
        "後" * 100_000,
        "が質" * 50_000,
        "º" * 100_000,
        "ºÜ" * 50_000,
        "鐢ㄤ簡涓\ufffd" * 20_000,
        "锟斤拷" * 33_000,
        ":(" * 50_000,
        ":)" * 50_000,
        "(^" * 50_000,
        "´" * 100_000,
        "1\u20e3" * 50_000,
        "(" + "*" * 99_999,
        "⭐" * 100_000 + "☆",
    ],
    ids=lambda text: ascii(text[:12]),
)
@pytest.mark.timeout(20)
def test_hostile_texts_take_linear_time(text: str) -> None:
    """Each text has up to 100,000 characters that are hard for one pattern; there is no error."""
    Cleaner(CleanSection(max_chars=100_000)).clean(text)
    pii.mask(text)
    detect(text)
