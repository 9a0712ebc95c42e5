"""Tests the tokeniser: user dictionary, stop words, both engines; and the lexicon on its tokens."""

import pickle
from pathlib import Path
from typing import Literal

import pytest

from reviewgen_spark.config import TokensSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.opinions.lexicon import Lexicon
from reviewgen_spark.text.words.tokeniser import Tokeniser
from reviewgen_spark.text.words.word_lists import read_lines, read_words

DICTIONARIES = Path(__file__).parents[3] / "conf" / "dictionaries"

# Sentences written for this test, in the style of reviews: the engines are compared on them.
SENTENCES = [
    "物流很快，包装也很好，下次还会再来",
    "这个手机电池不耐用，充一次电只能用半天",
    "酒店的位置不错，就是房间有点小，隔音也不太好",
    "衣服的面料很舒服，尺码合适，没有色差",
    "苹果不脆，也不甜，坏了好几个，客服还不理人",
    "书的内容通俗易懂，孩子非常喜欢，强烈推荐",
    "洗发水用了以后头皮很痒，怀疑是假货",
    "笔记本散热一般，玩游戏的时候风扇声音很大",
    "早餐品种丰富，服务员热情周到，性价比很高",
    "买回来第二天就降价了，申请保价还被拒绝",
    "屏幕清晰，运行流畅，拍照效果也让人满意",
    "质量太差了，洗了一次就掉色，差评",
]


@pytest.fixture(scope="module")
def tokeniser() -> Tokeniser:
    return Tokeniser(TokensSection(), DICTIONARIES)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(DICTIONARIES)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("手机很好", ["手机", "很", "好"]),
        ("电话[PHONE]，[开心]很好", ["电话", "[PHONE]", "，", "[开心]", "很", "好"]),
        ("I don't like it.", ["I", "do", "n't", "like", "it", "."]),
        ("high-quality C++ C# books", ["high", "-", "quality", "C++", "C#", "books"]),
        ("价格5,999元 降了3.5%", ["价格", "5,999", "元", "降", "了", "3.5%"]),
        ("这件T恤不错", ["这件", "T恤", "不错"]),
        ("iPhone13很卡", ["iPhone13", "很卡"]),
        ("性价比超高", ["性价比", "超高"]),
        ("物超所值 物美价廉", ["物超所值", "物美价廉"]),
        ("", []),
        ("   ", []),
        ("café très", ["café", "très"]),
        ("手机is not bad，don't buy", ["手机", "is", "not", "bad", "，", "do", "n't", "buy"]),
        ("价格$5 a month!很好", ["价格", "$", "5", "a", "month", "!", "很", "好"]),
        # models with a dash, versions, resolutions and sizes are one token
        ("X-900型号", ["X-900", "型号"]),
        ("WH-1000XM4耳机", ["WH-1000XM4", "耳机"]),
        ("i7-8550U处理器", ["i7-8550U", "处理器"]),
        ("支持USB3.0", ["支持", "USB3.0"]),
        ("Android4.4.2系统", ["Android4.4.2", "系统"]),
        ("1920x1080的屏", ["1920x1080", "的", "屏"]),
        ("尺寸120*60*75", ["尺寸", "120*60*75"]),
        ("160×120的图", ["160×120", "的", "图"]),
        ("S-2XL码", ["S", "-", "2XL", "码"]),
        ("A-B很好", ["A", "-", "B", "很", "好"]),
        ("MP3.很好", ["MP3", ".", "很", "好"]),
        ("3*很好", ["3", "*", "很", "好"]),
        # a measure word is one token, its noun another
        ("买了3部手机", ["买", "了", "3", "部", "手机"]),
        ("订了2间房", ["订", "了", "2", "间", "房"]),
        ("3本书，5颗星", ["3", "本", "书", "，", "5", "颗", "星"]),
        ("5部分很好", ["5", "部分", "很", "好"]),
        ("本书很好", ["本书", "很", "好"]),
        # decimal numbers in Chinese, but not times or 一点
        ("二点三五万亿像素", ["二点三五万亿", "像素"]),
        ("零点五升", ["零点五", "升"]),
        ("三十六点五度", ["三十六点五", "度"]),
        ("两点五十到", ["两点", "五十", "到"]),
        ("有一点一般", ["有", "一点", "一般"]),
        # other signs for an apostrophe
        ("It isn`t good", ["It", "is", "n't", "good"]),
        ("don´t buy, don‘t", ["do", "n't", "buy", ",", "do", "n't"]),
        ("`code` is good", ["`", "code", "`", "is", "good"]),
    ],
)
def test_a_text_is_split_into_its_tokens(tokeniser: Tokeniser, text: str, tokens: list[str]) -> None:
    assert tokeniser.words(text).tokens == tokens


def test_words_of_the_user_dictionary_are_tokens(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# a comment\n超难用神器 100 n\n3C数码城\n", encoding="utf-8")
    text = "这是超难用神器在3C数码城"
    for engine in ("rjieba", "jieba"):
        with_words = Tokeniser(TokensSection(engine=engine, stop_words=None), tmp_path).words(text).tokens
        without = (
            Tokeniser(TokensSection(engine=engine, stop_words=None, user_dictionary=None), tmp_path).words(text).tokens
        )
        assert {"超难用神器", "3C数码城"} <= set(with_words)
        assert not {"超难用神器", "3C数码城"} & set(without)


def test_both_engines_find_the_same_words() -> None:
    """rjieba and jieba have the same dictionary and model; more than 99 % of the word borders must be equal."""
    rust = Tokeniser(TokensSection(), DICTIONARIES)
    python = Tokeniser(TokensSection(engine="jieba"), DICTIONARIES)

    def borders(tokens: list[str]) -> set[int]:
        ends, at = set(), 0
        for token in tokens:
            at += len(token)
            ends.add(at)
        return ends

    same = total = 0
    for sentence in SENTENCES:
        ours, theirs = borders(rust.words(sentence).tokens), borders(python.words(sentence).tokens)
        same, total = same + len(ours & theirs), total + len(ours | theirs)
    assert same / total > 0.99


def test_the_tokeniser_can_be_pickled(tokeniser: Tokeniser) -> None:
    copy = pickle.loads(pickle.dumps(tokeniser))
    assert copy.words(SENTENCES[0]).tokens == tokeniser.words(SENTENCES[0]).tokens


def test_content_words_keep_negations_and_degrees(tokeniser: Tokeniser) -> None:
    words = tokeniser.words("这个手机的屏幕很不好，I don't like this").content_words
    assert words == ["手机", "屏幕", "很", "不好", "n't", "like"]


def test_content_words_have_the_configured_parts_of_speech() -> None:
    section = TokensSection(parts_of_speech=("n", "a", "eng"))
    words = Tokeniser(section, DICTIONARIES).words("这个手机的屏幕非常漂亮，我喜欢 iPhone")
    assert words.content_words == ["手机", "屏幕", "漂亮", "iphone"]
    assert "喜欢" in words.tokens


@pytest.mark.parametrize("engine", ["rjieba", "jieba"])
def test_both_engines_filter_by_part_of_speech(engine: Literal["rjieba", "jieba"]) -> None:
    words = Tokeniser(TokensSection(engine=engine, parts_of_speech=("n",)), DICTIONARIES).words("手机的屏幕很大")
    assert words.content_words == ["手机", "屏幕"]


def test_stop_words_contain_no_negation_and_no_degree_word(tokeniser: Tokeniser, lexicon: Lexicon) -> None:
    assert tokeniser.stop_words
    assert not tokeniser.stop_words & (lexicon.negations | set(lexicon.degrees))


def test_word_lists_have_no_duplicate_entries() -> None:
    for path in sorted(DICTIONARIES.iterdir()):
        words = [
            "".join(line.split("\t")[0].split()) if "\t" in line else line.split(" ")[0] for line in read_lines(path)
        ]
        assert len(words) == len(set(words)), path.name


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("很好", "好"),
        ("好", "不好"),
        ("非常满意", "有点满意"),
        ("不差", "很差"),
        ("不太好", "不好用，很差"),
        ("没有问题", "有问题"),
        ("不是很好", "很差"),
        ("great", "not great"),
        ("very good", "good"),
        ("I don't hate it", "I hate it"),
        ("质量不错", "质量一般"),
        ("很喜欢[开心]", "很喜欢"),
        ("垃圾袋很好用", "垃圾"),
        ("not bad", "bad"),
    ],
)
def test_the_lexicon_score_orders_texts(tokeniser: Tokeniser, lexicon: Lexicon, better: str, worse: str) -> None:
    assert lexicon.score(tokeniser.words(better).tokens) > lexicon.score(tokeniser.words(worse).tokens)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("物流很快，包装也很好，下次还会再来", 1),
        ("质量太差了，洗了一次就掉色，差评", -1),
        ("再也不会买了", -1),
        ("一点都不好", -1),
        ("没有异味，很喜欢", 1),
        ("不推荐购买", -1),
        ("从来没有这么失望过", -1),
        ("毫无瑕疵，完美", 1),
        ("terrible quality, broke after a week", -1),
        ("I love this phone", 1),
        ("doesn't work, waste of money", -1),
        ("性价比高", 1),
        # negations without an apostrophe, or with another sign
        *(
            (text, -1)
            for text in ("I dont like it", "doesnt work well", "It isn`t good", "It isnt good", "wont buy it")
        ),
        # idioms
        ("Without a doubt a great buy", 1),
        ("no doubt a great phone", 1),
        *((text, 1) for text in ("couldn't be better", "couldnt be happier", "couldn't be any more pleased")),
        *((text, -1) for text in ("couldn't be worse", "could be better", "couldn't be more disappointed")),
        *((text, 1) for text in ("not only good but cheap", "not just good but great", "can't go wrong with this")),
        *((text, -1) for text in ("not good", "This is not just bad, it's terrible", "not a great buy")),
        # 没…就
        *(
            (text, -1)
            for text in ("没过一周就掉色了", "没穿几次就破了", "没用多久就坏了", "没几天坏了", "没洗两次就起球")
        ),
        *((text, 1) for text in ("不用洗就很干净", "没有破损", "从来没有掉色")),
        # little and much of something bad
        *(
            (text, 1)
            for text in ("色差小", "色差不大", "噪音特别小", "油耗低", "异味不重", "价格不高", "价格低", "low noise")
        ),
        *(
            (text, -1)
            for text in ("色差大", "噪音有点大", "噪音不小", "油耗高", "异味很重", "价格太高", "价格偏高", "high price")
        ),
        # sayings whose words mean the opposite, or nothing
        *(
            (text, 1)
            for text in (
                "不是一般的好",
                "没想到这么好",
                "不能更满意了",
                "不会让人失望",
                "can't fault it",
                "nothing wrong with it",
                "I can't recommend it enough",
                "what's not to love",
                "nothing but praise",
                "does not break easily",
            )
        ),
        *(
            (text, -1)
            for text in (
                "不是一般的差",
                "没想到这么差",
                "没有想象中好",
                "好用个屁",
                "耗电太快",
                "谈不上好",
                "I can't recommend it",
                "far from perfect",
                "neither good nor cheap",
                "fell apart",
                "the battery doesnt last",
            )
        ),
        *(
            (text, 1)
            for text in (
                "异味几乎没有",
                "没有一点异味",
                "never lets me down",
                "it doesnt disappoint",
                "nothing to complain about",
                "没有比这更好的了",
            )
        ),
        *(
            (text, -1)
            for text in ("It doesnt fit", "not what I expected", "it's anything but good", "声音刺耳", "it let me down")
        ),
        # what cannot be found
        *(
            (text, 1)
            for text in (
                "闻不到异味",
                "挑不出毛病",
                "挑不出任何毛病",
                "看不到瑕疵",
                "听不见噪音",
                "找不到缺点",
                "发现不了问题",
                "感觉不到震动",
                "没有问题",
            )
        ),
        *((text, -1) for text in ("看不到优点", "找不到客服", "感觉不到效果")),
        *((text, 1) for text in ("零差评", "0差评", "零瑕疵", "没有异味", "毫无压力")),
        *((text, -1) for text in ("剧情单调，毫无吸引力", "毫无新意", "有异味")),
    ],
)
def test_the_lexicon_score_has_the_sign_of_the_sentiment(
    tokeniser: Tokeniser, lexicon: Lexicon, text: str, sign: int
) -> None:
    assert lexicon.score(tokeniser.words(text).tokens) * sign > 0


def test_the_lexicon_abstains_without_matches(tokeniser: Tokeniser, lexicon: Lexicon) -> None:
    for text in ("", "2019年11月", "桌子", "table", "尺寸120*60*75", "120 * 60 * 75"):
        assert lexicon.judge(tokeniser.words(text).tokens) == (0.0, 0)
    assert lexicon.judge(tokeniser.words("很好").tokens).matches == 1


def test_a_negation_ends_with_its_clause(tokeniser: Tokeniser, lexicon: Lexicon) -> None:
    assert lexicon.score(tokeniser.words("不，很好").tokens) > 0 > lexicon.score(tokeniser.words("不很好").tokens)


def test_the_score_stays_within_1(lexicon: Lexicon) -> None:
    assert 0.9 < lexicon.score(["完美"] * 1000) <= 1
    assert -1 <= lexicon.score(["垃圾"] * 1000) < -0.9


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\tx\n", "expected 'word<TAB>number'"),
        (b"good\t7\n", "got 7.0; expected -1 to 1"),
        (b"\xff\xfe", "not UTF-8"),
        (None, "no such dictionary"),
    ],
)
def test_a_broken_lexicon_is_a_configuration_error(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "sentiment_en.tsv").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        Lexicon(tmp_path)


def test_a_broken_user_dictionary_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("一 2 n too many\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="fields after a word"):
        Tokeniser(TokensSection(stop_words=None), tmp_path)
    with pytest.raises(ConfigError, match="no such dictionary"):
        read_words(tmp_path / "missing.txt")


def test_tokens_of_invalid_text_do_not_raise(tokeniser: Tokeniser) -> None:
    """The clean stage removes these characters; another caller may still pass them."""
    for text in ("\x00", "a\x00b", "[" * 1000, "'" * 1000, "1," * 1000, "\u202e好", "好\ud800"):
        assert isinstance(tokeniser.words(text).tokens, list)
