"""Tests which near copies have the opposite verdict, and which have only a typing error."""

import pytest

from reviewgen_spark.config import DedupSection
from reviewgen_spark.text.cleaning.cleaner import key_of
from reviewgen_spark.text.similarity.minhash import jaccard
from reviewgen_spark.text.similarity.verdicts import turns_verdict

CHINESE = "{}，物流很快，包装完好，客服态度也很好，非常满意的一次购物，下次还会再来的，推荐大家购买"
ENGLISH = (
    "The item arrived on time and the packaging was fine. {} I use it every day in the kitchen, and so does my sister."
)
TURNED = [
    (CHINESE, "质量很好", "质量不好"),
    (CHINESE, "质量好", "质量差"),
    (CHINESE, "质量很好", "质量很差"),
    (CHINESE, "质量很好", "质量还行"),
    (CHINESE, "质量很好", "质量一般"),
    (CHINESE, "很满意", "不太满意"),
    (CHINESE, "用了1.5米", "用了15米"),
    (CHINESE, "用了3天", "用了30天"),
    (CHINESE, "用了三天", "用了三年"),
    (CHINESE, "没有异味", "有异味"),
    (CHINESE, "会再买", "不会再买"),
    (CHINESE, "屏幕清晰", "屏幕模糊"),
    (CHINESE, "有点贵", "不贵"),
    (CHINESE, "非常好用", "有点好用"),
    (CHINESE, "尺寸很大", "尺寸太大"),
    (CHINESE, "不掉色", "掉色"),
    (CHINESE, "价格便宜", "价格贵"),
    (CHINESE, "值得购买", "不值得购买"),
    (CHINESE, "给五星", "给一星"),
    (CHINESE, "两天到货", "十天到货"),
    (CHINESE, "128G内存", "64G内存"),
    (CHINESE, "建议买", "建议别买"),
    (CHINESE, "没问题", "有问题"),
    (CHINESE, "电池耐用", "电池不耐用"),
    (CHINESE, "没坏", "坏了"),
    (CHINESE, "屏幕", "屏幕坏了"),
    (CHINESE, "很喜欢", "很讨厌"),
    (CHINESE, "真货", "假货"),
    (CHINESE, "颜色正", "颜色不正"),
    (ENGLISH, "It works well.", "It does not work well."),
    (ENGLISH, "I love it.", "I hate it."),
    (ENGLISH, "The quality is good.", "The quality is bad."),
    (ENGLISH, "I would recommend it.", "I wouldn't recommend it."),
    (ENGLISH, "I do like it.", "I dont like it."),
    (ENGLISH, "It lasted 2 years.", "It lasted 2 days."),
    (ENGLISH, "It is 1.5 inches.", "It is 15 inches."),
    (ENGLISH, "It is very good.", "It is slightly good."),
    (ENGLISH, "It is big.", "It is too big."),
    (ENGLISH, "I never had issues.", "I had issues."),
]
KEPT = [
    (CHINESE, "质量很好", "质量非常好"),
    (CHINESE, "质量很好", "质量狠好"),
    (CHINESE, "质量很好", "质量好"),
    (CHINESE, "没有异味", "没异味"),
    (CHINESE, "没有异味", "无异味"),
    (CHINESE, "质量不错", "质量好"),
    (CHINESE, "质量不好", "质量差"),
    (CHINESE, "不太好", "不好"),
    (CHINESE, "质量很好", "质量很棒"),
    (CHINESE, "用了三天", "用了3天"),
    (CHINESE, "花了1,000元", "花了1000元"),
    (CHINESE, "手机", "电话"),
    (CHINESE, "苹果手机", "华为手机"),
    (CHINESE, "不过质量好", "质量好"),
    (CHINESE, "没想到质量很好", "质量很好"),
    (CHINESE, "很喜欢", "很喜欢喜欢"),
    (CHINESE, "宝贝收到了", "宝贝已收到"),
    (CHINESE, "颜色很好看", "颜色很好看看"),
    (CHINESE, "地理位置不错", "地理位置不"),
    (ENGLISH, "It works well.", "It works great."),
    (ENGLISH, "I love it.", "I loved it."),
    (ENGLISH, "It is good.", "It is very good."),
    (ENGLISH, "It doesn't leak.", "It does not leak."),
    (ENGLISH, "Works well", "Work wel"),
]


@pytest.mark.parametrize(("frame", "one", "other"), TURNED)
def test_a_difference_of_the_verdict_is_found_both_ways(frame: str, one: str, other: str) -> None:
    texts = frame.format(one), frame.format(other)
    assert turns_verdict(*texts)
    assert turns_verdict(*texts[::-1])


@pytest.mark.parametrize(("frame", "one", "other"), KEPT)
def test_typing_errors_and_words_of_the_same_polarity_keep_the_verdict(frame: str, one: str, other: str) -> None:
    texts = frame.format(one), frame.format(other)
    assert not turns_verdict(*texts)
    assert not turns_verdict(*texts[::-1])


def test_the_turned_pairs_are_near_copies_otherwise() -> None:
    keys = [(key_of(frame.format(one)), key_of(frame.format(other))) for frame, one, other in TURNED]
    limit = DedupSection().min_jaccard
    assert sum(similarity >= limit for similarity in jaccard(keys, DedupSection().ngram)) > len(keys) * 0.7


def test_equal_texts_and_empty_texts_keep_the_verdict() -> None:
    for text in ("", "不", "很好，不好，1.5米", "\ud800"):
        assert not turns_verdict(text, text)


def test_an_exchange_of_two_aspects_turns_the_verdict() -> None:
    assert turns_verdict("质量好，物流差，其他还可以吧我觉得", "质量差，物流好，其他还可以吧我觉得")
