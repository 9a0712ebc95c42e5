"""Tests kinds of texts that cleaning changed wrongly: both what must change and what must stay."""

import pytest

from reviewgen_spark.config import CleanSection
from reviewgen_spark.text.cleaning import language
from reviewgen_spark.text.cleaning.cleaner import Cleaner, is_boilerplate


@pytest.fixture(scope="module")
def cleaner() -> Cleaner:
    return Cleaner(CleanSection())


def _cleaned(cleaner: Cleaner, text: str) -> str | None:
    once = cleaner.clean(text).text_clean
    assert cleaner.clean(once).text_clean == once
    return once


@pytest.mark.parametrize(
    "text",
    [
        # sizes, stars, grades and masked numbers with repeats
        *["XXXXL码合适", "xxxxl的", "买了XXXXXL", "XXXXS码", "LLLL码", "DDDD罩杯"],
        *["★★★★☆", "★★★★★", "★★★★", "服务★★★★★环境★★★★☆", "☆☆☆☆☆"],
        *["AAAAA景区", "AAAA级", "信用AAAA", "AAAA batteries", "138****5678", "颜色#FFFFFF"],
        # fractions, powers, circled digits
        *[
            "买了8½码",
            "10³个",
            "1¾英寸",
            "⅔的人",
            "30m²",
            "10⁵倍",
            "H₂O",
            "①好②便宜",
            "❶好❷便宜",
            "15.6″的屏",
            "Kindle™",
        ],
        # brackets and letters behind a colon
        *["罩杯:D，很合适", "选项:P", "答案:D", "尺码:D码", "颜色:(红色)不错", "(如下:)", "(见图;)", "价格:(含税)100"],
        # sizes in angle brackets
        *["尺码<S>或<M>都行", "尺码<S/M/L>", "<A>款好", "选<XL>", "<Small>码", "买<L>", "<s>码"],
        # ordinary texts near the patterns of mojibake
        *["瑕疵较多", "浏览器不错", "全是锟斤拷", "×××", "±±°°", "½¾¼½", "AÇÃO INFORMAÇÃO", "ÄÖÜß", "très ÉÉÉ"],
        # letters of languages with accents that NFC does not join
        *["Ọ̀ Yorùbá", "ê̄", "Sản phẩm tốt", "café"],
        # names and words with characters that are traditional elsewhere
        *["著名", "原著", "著作", "显著提高", "土著", "著有多部作品", "高尔基 著", "（金庸著）", "金庸著《射雕》"],
        *["乾隆年间", "乾坤", "孙乾承", "瞭望塔", "慰藉", "狼藉", "樊於期", "皇后", "说明覆盖上去"],
        # Japanese
        *["質感が良い", "商品は良品質保証", "発送が早い", "大満足", "人気商品", "軽くて使いやすい", "後で買う"],
        # longer texts of a wrong encoding that lost bytes
        *[
            "鐢ㄤ簡涓\ufffd涓\ufffd鏈堝氨鍧忎簡",
            "琛ｆ湇鏈夎壊宸\ufffd锛屼笉寤鸿\ufffd\ufffd璐\ufffd涔\ufffd",
            "鍛抽亾涓?鑸?鑸?",
        ],
    ],
)
def test_a_text_that_is_right_is_kept(cleaner: Cleaner, text: str) -> None:
    assert _cleaned(cleaner, text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # repeats without a meaning
        *[
            ("哈哈哈哈哈", "哈哈哈"),
            ("AAAAAAA啊", "AAA啊"),
            ("soooooo", "sooo"),
            ("★★★★★★★★★★★★", "★★★"),
            ("！！！！！", "！！！"),
        ],
        # width that means the same
        *[
            ("１２３", "123"),
            ("50㎡", "50m²"),
            ("180º", "180°"),
            ("it´s", "it's"),
            ("ﾊﾟｿｺﾝ", "パソコン"),
            ("ＸＸＸＸＬ", "XXXXL"),
        ],
        # keycaps
        *[("1️⃣3️⃣9️⃣", "139"), ("1️⃣质量好2️⃣物流快", "①质量好②物流快"), ("5️⃣星好评", "5星好评")],
        # emoticons and kaomoji
        *[
            ("很好:D", "很好[开心]"),
            (":D", "[开心]"),
            ("很好:)", "很好[开心]"),
            ("运动了，笑:-D。", "运动了，笑[开心]。"),
            ("不好:(", "不好[难过]"),
            ("喜欢(*^▽^*)", "喜欢[开心]"),
        ],
        *[
            ("随便¯\\_(ツ)_/¯", "随便[无语]"),
            ("(￣▽￣)", "[开心]"),
            ("（＾▽＾）", "[开心]"),
            ("(≧∇≦)ﾉ", "[开心]"),
            ("ヽ(✿ﾟ▽ﾟ)ノ", "[开心]"),
        ],
        *[
            ("(๑•̀ㅂ•́)و✧", "[开心]"),
            ("(｡･ω･｡)", "[开心]"),
            ("( ´ ▽ ` )", "[开心]"),
            ("(´;ω;`)", "[难过]"),
            ("（；ω；）", "[难过]"),
        ],
        *[
            ("o(╥﹏╥)o", "[难过]"),
            ("(T^T)", "[难过]"),
            ("(>﹏<)", "[难过]"),
            ("(⌒︶⌒)", "[开心]"),
            ("o(︶︿︶)o", "[难过]"),
        ],
        *[("( ͡° ͜ʖ ͡°)", "[调皮]"), ("(⊙o⊙)", "[惊讶]"), ("(╯°□°)╯︵ ┻━┻", "[生气]"), ("⭐⭐⭐☆☆", "★★★☆☆")],
        # tags
        *[("<b>好", "好"), ("<B>好</B>", "好"), ("<s>旧</s>", "旧"), ("<a href='x'>好</a>", "好"), ("<I>很好", "很好")],
        # traditional characters that GB 2312 has too
        *[
            ("之後很好", "之后很好"),
            ("於是退了", "于是退了"),
            ("什麽", "什么"),
            ("甚麼", "什么"),
            ("看著还行", "看着还行"),
            ("執著", "执着"),
        ],
        *[
            ("乾淨", "干净"),
            ("房间乾净", "房间干净"),
            ("餅乾", "饼干"),
            ("可以瞭解一下", "可以了解一下"),
            ("藉口", "借口"),
            ("菸味重", "烟味重"),
        ],
        *[
            ("回覆慢", "回复慢"),
            ("這本書 高爾基 著", "这本书 高尔基 著"),
            ("這本書是金庸著", "这本书是金庸著"),
            ("配合著音樂", "配合着音乐"),
        ],
        *[
            ("討論著", "讨论着"),
            ("大著膽子", "大着胆子"),
            ("看著《射鵰》", "看着《射雕》"),
            ("裏面", "里面"),
            ("這個の顏色", "这个の颜色"),
        ],
        # wrong encodings
        *[("¶«Î÷ºÜºÃÓÃ", "东西很好用"), ("²»´í", "不错"), ("ºÜºÃ", "很好"), ("ÊÖ»ú iPhone ºÜºÃ", "手机 iPhone 很好")],
        *[("naÃ¯ve cafÃ©", "naïve café"), ("crÃ¨me brÃ»lÃ©e", "crème brûlée"), ("好看(●'◡'●)", "好看[开心]")],
        *[
            ("àÅ£¬»¹¿ÉÒÔ", "嗯，还可以"),
            ("婊℃剰", "满意"),
            ("Good寰堝ソ鐢ㄧ殑", "Good很好用的"),
            ("寰堝ソ?寰堝ソ", "很好?很好"),
        ],
        ("质量锟斤拷锟斤拷好", "质量好"),
        # piled up accents, struck out and underlined text, blank-looking characters
        *[("h̶a̶t̶e̶", "hate"), ("z̷̢̛a̴̧l̵͎g̶͝o̸̎", "zalgo"), ("h̲i̲", "hi"), ("差̶评̶", "差评"), ("好\u2800用", "好 用")],
        *[("\u2800", None), ("\u2800\u3164\u200b", None), ("\u0336\u0336", None)],
    ],
)
def test_a_text_is_cleaned_to_its_meaning(cleaner: Cleaner, text: str, expected: str | None) -> None:
    assert _cleaned(cleaner, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "屏幕：好\n电池：差",
        "屏幕：好\r\n电池：差",
        "屏幕：好\r电池：差",
        "屏幕：好\u2028电池：差",
        "屏幕：好\x85电池：差",
        "屏幕：好<br>电池：差",
        "屏幕：好<BR/>电池：差",
        "<p>屏幕：好</p><p>电池：差</p>",
        "<div>屏幕：好</div>电池：差",
        "屏幕：好 \n \r\n\t 电池：差\n",
        "\n屏幕：好&#10;电池：差",
        "<ul><li>屏幕：好</li><li>电池：差</li></ul>",
    ],
)
def test_a_line_break_is_kept_as_one_line_feed(cleaner: Cleaner, text: str) -> None:
    assert _cleaned(cleaner, text) == "屏幕：好\n电池：差"


def test_a_line_break_does_not_change_the_hash(cleaner: Cleaner) -> None:
    for one, other in (("很好\n推荐", "很好 推荐"), ("！！！\n？", "！！！ ？")):
        assert cleaner.clean(one).text_hash == cleaner.clean(other).text_hash


@pytest.mark.parametrize(
    ("text", "is_flagged"),
    [
        ("鐢ㄤ簡涓\ufffd涓\ufffd鏈堝氨鍧忎簡", True),
        ("全是锟斤拷", True),
        ("很好用", False),
        ("浏览娓瑜", False),
        ("婊℃剰", False),
    ],
)
def test_a_text_that_stays_garbled_is_flagged_once(cleaner: Cleaner, text: str, is_flagged: bool) -> None:
    assert cleaner.clean(text).rule_counts.get("garbled") == (1 if is_flagged else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("商品は良品質保証", "other"), ("質感が良い", "other"), ("大満足", "other"), ("日本の味道很好", "zh-hans")],
        *[("Sản phẩm tốt", "other"), ("Hàng đẹp lắm", "other"), ("Giao hàng nhanh", "other"), ("Tốt", "other")],
        *[("Sa\u0309n pha\u0302\u0309m", "other"), ("café is great", "en"), ("naïve but good", "en")],
        *[
            ("以後再買", "zh-hant"),
            ("之後很好", "zh-hant"),
            ("乾淨", "zh-hant"),
            ("看著好用", "zh-hant"),
            ("什麽", "zh-hant"),
        ],
        *[
            ("著名", "zh-hans"),
            ("乾隆", "zh-hans"),
            ("後来这个不错", "zh-hans"),
            ("這個の顏色好看", "zh-hant"),
            ("後來\ud800", "zh-hant"),
        ],
    ],
)
def test_the_language_of_shared_characters_and_accents_is_detected(text: str, expected: str) -> None:
    assert language.detect(text).code == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[
            ("您没有填写内容，默认好评", True),
            ("您没有填写评价内容,系统默认好评", True),
            ("用户未及时评价，系统默认好评", True),
        ],
        *[
            ("该用户未发表文字评价", True),
            ("买家超时未评价，系统默认好评", True),
            ("评价内容为空", True),
            ("顾客未填写评论内容", True),
        ],
        *[
            ("您未及时评价，系统自动给您五星好评", True),
            ("对方未及时做出评价，系统默认好评", True),
            ("No comment provided.", True),
        ],
        *[
            ("我没有填写内容", False),
            ("没有内容", False),
            ("没评价", False),
            ("质量不好没有评价", False),
            ("您好", False),
            ("未评价就退货", False),
        ],
        *[("您没有填写内容，默认好评，其实很差", False), ("comment", False), ("没有评论", False)],
    ],
)
def test_default_reviews_are_detected(text: str, expected: bool) -> None:
    assert is_boilerplate(text) is expected
