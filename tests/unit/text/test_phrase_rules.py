"""Tests that phrases are read by their structure: directions, few of a thing, none at all, joined words, labels."""

from pathlib import Path

import pytest

from reviewgen_spark.config import CleanSection, TokensSection
from reviewgen_spark.text.cleaning.cleaner import Cleaner
from reviewgen_spark.text.opinions.aspects import OpinionReader
from reviewgen_spark.text.words.sentences import cut_sentences

DICTIONARIES = Path("conf/dictionaries")
LEAST = 0.15

PRAISE = [
    *("毛病少", "污渍很少", "掉毛少", "差评很少", "缺点比较少", "故障少", "毛病不多"),
    *("一点毛病都没有", "什么问题也没有", "一点异味都没有", "任何瑕疵都没有", "一点也不卡", "一点都不贵"),
    *("想不出有什么缺点", "噪音听不到", "异味几乎闻不到", "零缺点", "零缺陷", "零差评"),
    *("价格便宜", "环境优美", "服务周到", "很正", "太美", "很酷", "网速很快", "价格低廉", "亮度高", "续航长"),
    *("价格比实体店低", "价格比别家低很多", "质量高", "清晰度高", "噪音：小", "价格：低"),
    *("not a lot of noise", "high quality", "very little noise", "cannot be beat", "I can't stop using it"),
    *("不会起球", "不会褪色", "色差可以忽略", "噪音可以忽略不计", "I've never been happier", "can't ask for better"),
    *("没等多久就送到了", "不会失望", "不会后悔"),
]
CRITICISM = [
    *("优点少", "好评很少", "分量少", "分量太少", "质量低", "续航短", "性价比低", "亮度低", "性价比不高"),
    *("一点诚意都没有", "一点用都没有", "什么赠品也没有", "一点都不保暖", "一点也不好看", "没有一点优点"),
    *("感受不到任何美感", "吃不出香味", "没戴几次就断了", "没用几天就坏了"),
    *("网速慢", "速度慢", "太沉", "很松", "太丑", "设备陈旧", "价格昂贵", "充电慢", "价格比别家高", "价格比我想象的高"),
    *("a lot of noise", "lots of noise", "low quality", "low resolution", "掉电快", "耗电太快", "噪音：大", "价格：高"),
    *("It dosen't work well", "it does'nt work well", "not very comfortable", "I havent liked it", "Never again"),
    *("味道好难闻", "差距太大", "种类少", "It isnt as described"),
    *("索然无味", "难以下咽", "一言难尽", "质量堪忧", "不建议买"),
]
NEUTRAL = [
    *("买给我妈的", "长宽高：12*8*5", "真正的皮", "最近买的", "更换了一个", "存储卡", "什么都没有说", "一点多到的"),
    *("the cost is 5 dollars", "most of it", "第一次", "服务卡"),
]


@pytest.fixture(scope="module")
def opinions() -> OpinionReader:
    return OpinionReader(TokensSection(), DICTIONARIES)


def score(opinions: OpinionReader, text: str) -> float:
    return opinions.lexicon.score(opinions.tokeniser.words(text).tokens)


@pytest.mark.parametrize("text", PRAISE)
def test_a_phrase_is_praise(opinions: OpinionReader, text: str) -> None:
    assert score(opinions, text) >= LEAST


@pytest.mark.parametrize("text", CRITICISM)
def test_a_phrase_is_criticism(opinions: OpinionReader, text: str) -> None:
    assert score(opinions, text) <= -LEAST


@pytest.mark.parametrize("text", NEUTRAL)
def test_a_phrase_is_no_opinion(opinions: OpinionReader, text: str) -> None:
    assert abs(score(opinions, text)) < LEAST


def test_few_of_a_thing_ends_its_clause(opinions: OpinionReader) -> None:
    assert score(opinions, "毛病少不了") < 0
    assert score(opinions, "喜欢少糖的") > 0


ASPECTS = [
    ("【屏幕】清晰【电池】不耐用【音质】好", {"screen": 1, "battery": -1, "sound": 1}),
    ("【味道】很好\n【包装】破损", {"taste": 1, "packaging": -1}),
    ("噪音：小\n价格：高", {"noise": 1, "price": -1}),
    ("噪音：无，价格：低", {"noise": 1, "price": 1}),
    ("Noise: low, Price: high", {"noise": 1, "price": -1}),
    ("分量：太少 味道：很香", {"weight": -1, "taste": 1}),
    ("噪音：几乎听不到\n屏幕：太暗", {"noise": 1, "screen": -1}),
    ("屏幕：清晰\n电池：太差", {"screen": 1, "battery": -1}),
    ("噪音：有点大", {"noise": -1}),
    ("缺点：噪音大", {"noise": -1}),
    ("外观：颜色漂亮", {"design": 1, "colour": 1}),
    ("网速慢，价格便宜", {"internet": -1, "price": 1}),
    ("Battery life: poor; Screen: excellent", {"battery": -1, "screen": 1}),
    ("效果很好泡沫很多", {"effect": 1}),
    ("Screen: great Battery life: poor", {"screen": 1, "battery": -1}),
    ("low quality but low price", {"quality": -1, "price": 1}),
]


@pytest.mark.parametrize(("text", "expected"), ASPECTS)
def test_an_aspect_has_the_sign_of_its_own_opinion(
    opinions: OpinionReader, text: str, expected: dict[str, int]
) -> None:
    scores: dict[str, float] = {}
    for sentence in cut_sentences(text):
        for code, value in opinions.read(sentence).aspects.items():
            scores[code] = scores.get(code, 0.0) + value
    assert {code: (value > 0) - (value < 0) for code, value in scores.items() if code in expected} == expected
    assert all(abs(scores[code]) >= LEAST for code in expected)


@pytest.mark.parametrize(
    "number", ["一亿八千万", "两亿五千万", "十三亿", "五千零二十", "一万零五百", "二点三五万亿", "三万五千"]
)
def test_a_number_in_chinese_is_one_token(opinions: OpinionReader, number: str) -> None:
    assert opinions.tokeniser.words(f"{number}像素").tokens == [number, "像素"]


@pytest.mark.parametrize("text", ["零食很好吃", "亿万富翁", "一点都不好", "零钱包"])
def test_a_word_with_a_numeral_is_not_joined_to_others(opinions: OpinionReader, text: str) -> None:
    tokens = opinions.tokeniser.words(text).tokens
    assert "".join(tokens) == text
    assert tokens[0] in ("零食", "亿万富翁", "一点", "零钱包", "零钱")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("客服回复【稍等……】然后没下文了。", ["客服回复【稍等……】然后没下文了。"]),
        ("有赠品【毛巾、香皂……】。很满意。", ["有赠品【毛巾、香皂……】。", "很满意。"]),
        ("The shop on 5th Ave. is great. I go there.", ["The shop on 5th Ave. is great.", "I go there."]),
        ("I live on Main Ave. The shop is near.", ["I live on Main Ave.", "The shop is near."]),
    ],
)
def test_brackets_and_roads_do_not_end_a_sentence(text: str, sentences: list[str]) -> None:
    assert cut_sentences(text) == sentences


MASKED = [
    ("text 415 555 2671 please", "2671"),
    ("台北 02-27208889", "27208889"),
    ("line id: lily2020", "lily2020"),
    ("加我line id：lily2020", "lily2020"),
    ("Telegram lily_9988", "lily_9988"),
    ("加扣1234567", "1234567"),
    ("abc123（at）qq.com", "abc123"),
    ("I live at 1600 Amphitheatre Parkway, Mountain View", "1600"),
    ("sent to P.O. Box 1234", "1234"),
    ("my PO Box 88 is full", "88"),
    ("recipient: John Smith", "Smith"),
    ("Name: Mary Jones, please resend", "Jones"),
    ("My name is Mary Jones", "Jones"),
    ("收 件 人：赵敏", "赵敏"),
    ("寄到厦门市思明区湖滨东路61号", "61"),
]
KEPT = [
    *(
        "the 2nd box 12 pieces",
        "Product name: Super Drill",
        "Name brand quality",
        "the box 1234 arrived",
        "name is fine",
    ),
    *(
        "in line with 2020 models",
        "skype video works",
        "line idea 2020",
        "telegram app runs well",
        "it comes with 2 cables",
    ),
    *("酒店位于上海市羽山路166号", "厦门市思明区湖滨东路61号华为售后服务", "recipient was happy", "加扣子5颗"),
    *("text 400 600 1000 ml", "5 circle lights", "电池AAAA型", "AAAA评级", "under <3 kg", "weight <3 kg, love it"),
]


@pytest.mark.parametrize(("text", "gone"), MASKED)
def test_more_spellings_of_personal_data_are_masked(text: str, gone: str) -> None:
    assert gone not in (Cleaner(CleanSection()).clean(text).text_clean or "")


@pytest.mark.parametrize("text", KEPT)
def test_their_look_alikes_stay(text: str) -> None:
    assert Cleaner(CleanSection()).clean(text).text_clean == text


def test_a_heart_at_the_end_of_a_line_has_a_name() -> None:
    assert Cleaner(CleanSection()).clean("love it <3").text_clean == "love it [爱心]"
    assert Cleaner(CleanSection()).clean("I love it <3!\nGood").text_clean == "I love it [爱心]!\nGood"
