"""Tests the cleaner: order of the rules, counts, hashes, boilerplate, and invalid input."""

import pytest

from reviewgen_spark.config import CleanSection
from reviewgen_spark.text.cleaning import language, normalise
from reviewgen_spark.text.cleaning.cleaner import Cleaner, hash_of, is_boilerplate, key_of
from reviewgen_spark.text.privacy import pii


@pytest.fixture(scope="module")
def cleaner() -> Cleaner:
    return Cleaner(CleanSection())


@pytest.mark.parametrize("text", [None, "", " ", "\n\t\u3000", "\u200b\ufeff", "\ud800", "\x00", "<br/>", "&nbsp;"])
def test_an_empty_text_gives_no_clean_text(cleaner: Cleaner, text: str | None) -> None:
    row = cleaner.clean(text)
    assert row.text_clean is None
    assert row.text_hash is None
    assert (row.lang_code, row.lang_score) == ("other", 0.0)


def test_the_language_is_detected_before_simplification(cleaner: Cleaner) -> None:
    row = cleaner.clean("這個房間還不錯")
    assert (row.text_clean, row.lang_code) == ("这个房间还不错", "zh-hant")
    assert row.rule_counts == {"simplified": 5}


def test_an_email_address_does_not_change_the_language(cleaner: Cleaner) -> None:
    assert cleaner.clean("联系some.body@example.com").lang_code == "zh-hans"


def test_changes_are_counted_by_rule(cleaner: Cleaner) -> None:
    row = cleaner.clean("<b>好</b>&amp;\u200b１２  😀😀😀😀 www.a.com 哈哈哈哈 這\n好å¾ˆå¥½ç”¨")
    assert set(row.rule_counts) == {
        "html",
        "control",
        "width",
        "whitespace",
        "emoji",
        "urls",
        "repeats",
        "simplified",
        "mojibake",
    }
    assert row.rule_counts["html"] == 3
    assert row.rule_counts["emoji"] == 4


def test_a_long_text_is_truncated_first() -> None:
    row = Cleaner(CleanSection(max_chars=10)).clean("很好很差" * 10)
    assert row.text_clean == "很好很差很好很差很好"
    assert row.rule_counts == {"truncated": 1}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("很好，推荐！", "很好推荐", True),
        ("Good phone.", "good  PHONE", True),
        ("這個很好", "这个很好", True),
        ("电话13800000000", "电话13900000000", True),
        ("很好！！！！", "很好！", True),
        ("5星", "4星", False),
        ("用了1.5米长的", "用了15米长的", False),
        ("1,5米", "15米", False),
        ("3-5天到", "35天到", False),
        ("3~5天到", "35天到", False),
        ("充了1/2", "充了12", False),
        ("10:30到", "1030到", False),
        ("版本1.2.3", "版本123", False),
        ("2*3米", "23米", False),
        ("1,000元", "1000元", True),
        ("1,000,000次", "1000000次", True),
        ("1. 很好", "1.很好", True),
        ("A.5", "A5", True),
        ("很好.5星", "很好5星", True),
        ("很好,推荐", "很好推荐", True),
        ("很好", "很不好", False),
        ("！！！", "？？？", False),
        ("很好[开心]", "很好", False),
    ],
)
def test_the_hash_ignores_case_spaces_and_punctuation_outside_numbers(
    cleaner: Cleaner, one: str, other: str, same: bool
) -> None:
    assert (cleaner.clean(one).text_hash == cleaner.clean(other).text_hash) is same


def test_the_hash_is_stable() -> None:
    """Hashes are stored in tables, so another hash function breaks de-duplication across batches."""
    assert hash_of(key_of("很好，推荐！")) == "d367663d9cb39b4a08feadccc261c6bb"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("此用户没有填写评价。", True),
        ("此用戶沒有填寫評價", True),
        ("系统默认好评!", True),
        ("默认好评", True),
        ("评价方未及时做出评价,系统默认好评！", True),
        ("该用户未在30天内填写评价", False),
        ("用户在15天内未作出评价", True),
        ("No review text.", True),
        ("默认好评，但是质量真的很差", False),
        ("我没有填写评价的习惯，但是这个很好", False),
        ("好评！！", True),
        ("很好", False),
    ],
)
def test_boilerplate_is_detected_after_cleaning(cleaner: Cleaner, text: str, expected: bool) -> None:
    assert cleaner.clean(text).is_boilerplate is expected


def test_boilerplate_is_detected_in_a_raw_text() -> None:
    assert is_boilerplate("此用户没有填写评价。")


@pytest.mark.parametrize(
    ("change", "text", "expected"),
    [
        ({"strip_html": False}, "<b>好</b>", "<b>好</b>"),
        ({"mark_urls": False}, "看www.a.com", "看www.a.com"),
        ({"simplify_chinese": False}, "這個", "這個"),
        ({"repair_mojibake": False}, "å¾ˆå¥½", "å¾ˆå¥½"),
        ({"max_repeats": 2}, "哈哈哈哈", "哈哈"),
        ({"emoji": "keep"}, "好👨\u200d👩\u200d👧", "好👨\u200d👩\u200d👧"),
        ({"emoji": "drop"}, "好😀快", "好 快"),
        ({"mask_pii": False}, "13800000000", "13800000000"),
    ],
)
def test_each_rule_can_be_configured(change: dict[str, object], text: str, expected: str) -> None:
    assert Cleaner(CleanSection(**change)).clean(text).text_clean == expected


def test_the_fast_path_skips_only_characters_that_no_rule_changes() -> None:
    """The fast path skips the rare rules, so these must not change any character that it accepts."""
    gate = normalise.needs_rules()
    for code in range(0x110000):
        character = chr(code)
        if gate.search(character) or character in " .":
            continue
        original, changed = f"好{character}好", dict[str, int]()
        simplify = not normalise.has_traditional(original)  # it is simplified by a condition of its own
        text = normalise.Normaliser(CleanSection())._rare_rules(original, changed, simplify)
        assert (text, changed) == (original, {}), ascii(character)


def test_a_pseudonym_depends_on_its_key() -> None:
    one = pii.pseudonym("user-1", b"k1")
    assert one == pii.pseudonym("user-1", b"k1")
    assert len({one, pii.pseudonym("user-2", b"k1"), pii.pseudonym("user-1", b"k2")}) == 3
    assert "user" not in one
    assert pii.pseudonym("\ud800", b"k")
    with pytest.raises(ValueError, match="empty key"):
        pii.pseudonym("user-1", b"")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("很好用", "zh-hans"),
        ("好评", "zh-hans"),
        ("滿意！", "zh-hant"),
        ("bad", "en"),
        ("nice啊", "mixed"),
        ("keyi", "other"),
        ("???", "other"),
        ("iPhone 11 很好", "zh-hans"),
        ("Produit de très mauvaise qualité", "other"),
        ("Das Produkt ist gut", "other"),
        ("Works great, my son loves it", "en"),
        ("とても良い商品です", "other"),
        ("แย่มาก", "other"),
        ("日本語です", "other"),
        ("[开心] love it", "en"),
        ("A货", "zh-hans"),
    ],
)
def test_the_language_of_a_short_text_is_detected(text: str, expected: str) -> None:
    assert language.detect(text).code == expected


def test_the_language_score_is_lower_for_mixed_scripts() -> None:
    assert language.detect("這個这些東西").score < language.detect("這個東西").score == 1.0
