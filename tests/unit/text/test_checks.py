from pathlib import Path

import pytest

from reviewgen_spark.config import ChecksSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.checks.checks import CheckLists, LabellerPrediction, TextCheck, check_text, failed
from reviewgen_spark.text.requests.prompts import instruction
from reviewgen_spark.text.requests.purposes import PURPOSES
from reviewgen_spark.text.requests.refusals import refusal
from reviewgen_spark.text.requests.request import Attribute, Source, TextRequest
from reviewgen_spark.text.similarity.copied_runs import CopyIndex, longest_common_run, units
from reviewgen_spark.text.words.phrase_lists import PhraseList

CONF = Path(__file__).parents[3] / "conf"
LIMITS = ChecksSection()
SOURCE = "这款耳机音质清楚，戴着也不累，就是电池只能撑半天"


@pytest.fixture(scope="module")
def lists() -> CheckLists:
    return CheckLists.load(CONF / "safety", CONF / "dictionaries")


def request(purpose: str = "product_copy", lang_code: str = "zh", **values: object) -> TextRequest:
    more = {"length": "short", "attributes": (Attribute("颜色", "红"),), "sources": (Source("r1", SOURCE),), **values}
    if purpose == "draft_for_verified_buyer":
        more.setdefault("stars", 4)
    return TextRequest(purpose, "p1", lang_code, **more)  # type: ignore[arg-type]


def verdicts(text: str, text_request: TextRequest, lists: CheckLists, **more: object) -> dict[str, TextCheck]:
    checks = check_text(text, text_request, lists, LIMITS, **more)  # type: ignore[arg-type]
    assert len({check.name for check in checks}) == len(checks)
    for check in checks:
        assert 0 <= check.score <= 1, check
        assert check.is_passed or check.reason, check
        assert not check.reason or len(text) < 6 or text not in check.reason, check
    return {check.name: check for check in checks}


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_plain_text_passes_for_every_purpose(purpose: str, lists: CheckLists) -> None:
    assert not failed(check_text("音质不错，戴着舒服。", request(purpose), lists, LIMITS))
    english = request(purpose, "en", sources=(Source("r1", "Battery lasts half a day."),))
    assert not failed(check_text("A light headset with a clear sound.", english, lists, LIMITS))


def test_checks_depend_on_the_purpose(lists: CheckLists) -> None:
    always = {"length", "language", "repetition", "personal_data", "harm", "leakage"}
    added = {
        "augmentation": {"sentiment", "copying"},
        "summary": set(),
        "product_copy": {"superlatives", "voice", "copying"},
        "reply": {"superlatives", "voice", "copying"},
        "draft_for_verified_buyer": {"sentiment"},
    }
    for purpose in PURPOSES:
        text_request = request(purpose, sentiment="positive")
        assert set(verdicts("音质不错", text_request, lists)) == always | added[purpose], purpose


@pytest.mark.parametrize(
    ("text", "length", "is_passed"),
    [("好" * 30, "short", True), ("好" * 45, "short", True), ("好" * 46, "short", False), ("好" * 15, "medium", False)],
)
def test_length_has_a_tolerance(text: str, length: str, is_passed: bool, lists: CheckLists) -> None:
    assert verdicts(text, request(length=length), lists)["length"].is_passed is is_passed


@pytest.mark.parametrize("text", ["", " ", "。。。", "！？"])
def test_a_text_without_letters_fails(text: str, lists: CheckLists) -> None:
    assert verdicts(text, request(), lists)["length"].reason == "holds no letters"


@pytest.mark.parametrize(
    ("text", "lang_code", "is_passed"),
    [
        ("音质很不错", "zh", True),
        ("音質很好", "zh", True),
        ("The sound is clear.", "en", True),
        ("The sound is clear.", "zh", False),
        ("音质很不错", "en", False),
        ("Der Klang ist wirklich sehr gut und klar", "en", False),
    ],
)
def test_the_text_must_be_in_the_requested_language(
    text: str, lang_code: str, is_passed: bool, lists: CheckLists
) -> None:
    assert verdicts(text, request(lang_code=lang_code), lists)["language"].is_passed is is_passed


def test_repeated_phrases_fail(lists: CheckLists) -> None:
    assert not verdicts("音质很好音质很好音质很好", request(), lists)["repetition"].is_passed
    assert not verdicts("It is good. It is good. It is good.", request(lang_code="en"), lists)["repetition"].is_passed
    assert verdicts("音质很好，佩戴舒服，续航一般", request(), lists)["repetition"].score == 0


@pytest.mark.parametrize(
    "text",
    ["请加微信kefu_2020", "电话13812345678", "mail me at a.b@example.com", "call (555) 123-4567", "SSN 123-45-6789"],
)
def test_personal_data_fails(text: str, lists: CheckLists) -> None:
    assert not verdicts(text, request("augmentation"), lists)["personal_data"].is_passed


def test_a_mask_passes_in_training_data_only(lists: CheckLists) -> None:
    assert verdicts("客服电话[PHONE]没人接", request("augmentation"), lists)["personal_data"].is_passed
    assert not verdicts("客服电话[PHONE]没人接", request("summary"), lists)["personal_data"].is_passed


def test_the_hotline_of_the_shop_passes(lists: CheckLists) -> None:
    hotline = request("reply", attributes=(Attribute("热线", "400-820-8820"),))
    assert refusal(hotline, lists.refused) is None
    assert verdicts("请拨打热线400-820-8820", hotline, lists)["personal_data"].is_passed
    assert not verdicts("请拨打热线400-820-8821", hotline, lists)["personal_data"].is_passed


@pytest.mark.parametrize("text", ["这客服就是个脑残", "滚蛋吧", "You are an idiot", "ＩＤＩＯＴ seller"])
def test_harmful_phrases_fail(text: str, lists: CheckLists) -> None:
    check = verdicts(text, request("augmentation"), lists)["harm"]
    assert not check.is_passed and check.reason == "holds phrases of the list of harmful ones: insult"


@pytest.mark.parametrize("text", ["脑残粉也会喜欢", "送给妈妈的礼物", "idiot-proof design", "在房间里打死了一只蟑螂"])
def test_harmful_words_pass_in_harmless_contexts(text: str, lists: CheckLists) -> None:
    assert verdicts(text, request("augmentation"), lists)["harm"].is_passed


def test_a_text_that_the_labeller_predicts_toxic_fails(lists: CheckLists) -> None:
    assert verdicts("音质不错", request(), lists, prediction=LabellerPrediction(toxicity_score=0.4))["harm"].is_passed
    assert not verdicts("音质不错", request(), lists, prediction=LabellerPrediction(toxicity_score=0.6))[
        "harm"
    ].is_passed


CLAIMS = [
    "全国销量第一",
    "国家级品质",
    "最佳之选",
    "顶级面料",
    "全网最低价",
    "史上最轻",
    "绝无仅有",
    "The best headset",
    "No. 1 in sales",
]


@pytest.mark.parametrize("text", CLAIMS)
def test_superlatives_fail_in_texts_of_the_shop(text: str, lists: CheckLists) -> None:
    for purpose in ("product_copy", "reply"):
        assert not verdicts(text, request(purpose), lists)["superlatives"].is_passed


@pytest.mark.parametrize(
    "text",
    [
        "第一次使用前请充电",
        "第一时间为您处理",
        "最好先看说明书",
        "最后请您放心",
        "最近上新的款式",
        "我们会尽最大努力",
        "顾客第一",
        "do the best we can",
        "最佳食用时间",
    ],
)
def test_words_that_resemble_superlatives_pass(text: str, lists: CheckLists) -> None:
    assert verdicts(text, request("reply"), lists)["superlatives"].is_passed


@pytest.mark.parametrize(
    "text", ["我买了两件，很满意", "老公说好看，亲测有效", "I bought two of them", "My husband loves it"]
)
def test_the_voice_of_a_customer_fails_in_texts_of_the_shop(text: str, lists: CheckLists) -> None:
    lang_code = "en" if text.isascii() else "zh"
    assert not verdicts(text, request("product_copy", lang_code), lists)["voice"].is_passed
    assert not verdicts(text, request("reply", lang_code), lists)["voice"].is_passed


@pytest.mark.parametrize(
    "text", ["感谢您的购买，我们会改进", "您收到货后可以联系我们", "We are sorry that you received it late"]
)
def test_the_voice_of_the_shop_passes(text: str, lists: CheckLists) -> None:
    assert verdicts(text, request("reply", "en" if text.isascii() else "zh"), lists)["voice"].is_passed


@pytest.mark.parametrize(
    "text",
    [
        "作为一个AI语言模型，我觉得不错",
        "以下是为您生成的文案",
        "As an AI, I like it",
        "Here is your review: good",
        "<zh><positive>音质不错",
        "音质不错<|endoftext|>",
        "音质[UNK]不错[SEP]",
        '{"reviews": [1]}',
        "不错\\u003c",
    ],
)
def test_traces_of_a_language_model_fail(text: str, lists: CheckLists) -> None:
    assert not verdicts(text, request("augmentation"), lists)["leakage"].is_passed


@pytest.mark.parametrize("lang_code", ["zh", "en"])
@pytest.mark.parametrize("purpose", PURPOSES)
def test_words_of_the_instruction_fail(purpose: str, lang_code: str, lists: CheckLists) -> None:
    text_request = request(purpose, lang_code)
    check = verdicts(instruction(text_request)[: 20 if lang_code == "zh" else 70], text_request, lists)["leakage"]
    assert not check.is_passed and "with the instruction" in (check.reason or "")


def test_sentiment_is_checked_by_word_lists_or_by_the_labeller(lists: CheckLists) -> None:
    praise, text_request = "质量很好，非常满意", request("augmentation", sentiment="negative")
    assert not verdicts(praise, text_request, lists)["sentiment"].is_passed
    assert verdicts(praise, text_request, lists, prediction=LabellerPrediction(sentiment_score=0.1))[
        "sentiment"
    ].is_passed
    assert verdicts(praise, request("augmentation", sentiment="positive"), lists)["sentiment"].is_passed
    assert not verdicts(praise, request("augmentation", stars=1), lists)["sentiment"].is_passed
    assert "sentiment" not in verdicts(praise, request("augmentation", stars=3), lists)
    assert verdicts("周三到货", text_request, lists)["sentiment"].reason == "no word of the lists"


def test_category_is_checked_by_the_labeller(lists: CheckLists) -> None:
    text_request = request("augmentation", category="耳机")
    assert verdicts("音质不错", text_request, lists, prediction=LabellerPrediction(category_label="耳机"))[
        "category"
    ].is_passed
    assert not verdicts("音质不错", text_request, lists, prediction=LabellerPrediction(category_label="酒店"))[
        "category"
    ].is_passed


def test_copying_a_source_fails(lists: CheckLists) -> None:
    assert not verdicts(SOURCE, request("augmentation"), lists)["copying"].is_passed
    assert verdicts("音质清楚，戴着也不累", request("augmentation"), lists)["copying"].is_passed
    assert "copying" not in verdicts(SOURCE, request("summary"), lists)  # a summary quotes


def test_copying_training_data_fails(lists: CheckLists) -> None:
    trained = "物流很快第二天就到了，包装也很严实，没有任何破损"
    index = CopyIndex.build([trained, "别的评论别的评论别的评论"], "zh")
    check = verdicts(trained, request("augmentation"), lists, training=index)["copying"]
    assert not check.is_passed and "training data" in (check.reason or "")
    assert verdicts(trained, request("reply"), lists, training=index)["copying"].is_passed
    assert verdicts("快递两天送到，箱子没有压坏的地方", request("augmentation"), lists, training=index)[
        "copying"
    ].is_passed


@pytest.mark.parametrize("lang_code", ["zh", "en"])
def test_the_longest_common_run_agrees_with_a_search_of_all_substrings(lang_code: str) -> None:
    texts = [
        "the cat sat on the mat",
        "on the mat sat a cat",
        "a b c",
        "",
        "猫坐在垫子上",
        "垫子上坐着猫在垫子上睡",
        "好",
    ]
    for one in texts:
        for other in texts:
            mine, theirs = units(one, lang_code), units(other, lang_code)  # type: ignore[arg-type]
            expected = max(
                (
                    size
                    for size in range(len(mine) + 1)
                    for i in range(len(mine) - size + 1)
                    for j in range(len(theirs) - size + 1)
                    if mine[i : i + size] == theirs[j : j + size]
                ),
                default=0,
            )
            assert longest_common_run(one, [other], lang_code) == expected, (one, other)  # type: ignore[arg-type]
            assert longest_common_run(one, ["x", other], lang_code) == expected  # type: ignore[arg-type]


def test_an_index_returns_the_whole_run() -> None:
    index = CopyIndex.build(["一二三四五六七八九十甲乙丙丁戊己"], "zh")
    assert len(index) == 5
    assert index.longest_run("子丑三四五六七八九十甲乙丙丁戊寅卯") == 13
    assert index.longest_run("三四五六七八九十甲乙丑") == 0  # shorter than an n-gram


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"keywords": ("好评返现",)}, "fake_reviews"),
        ({"keywords": ("pretend to be a customer",)}, "fake_reviews"),
        ({"attributes": (Attribute("功效", "治愈糖尿病"),)}, "medical"),
        ({"aspects": ("家庭住址",)}, "personal_data"),
        ({"keywords": ("13812345678",)}, "personal_data"),
        ({"attributes": (Attribute("客服", "13812345678"),)}, "personal_data"),
        ({"category": "枪支"}, "illegal_goods"),
        ({"attributes": (Attribute("款式", "高仿"),)}, "counterfeit"),
    ],
)
def test_a_prohibited_request_is_refused(values: dict[str, object], kind: str, lists: CheckLists) -> None:
    refused = refusal(request(**values), lists.refused)
    assert refused is not None and refused.kind == kind
    assert "13812345678" not in refused.reason


def test_words_of_a_review_are_not_refused_but_those_of_a_buyer_are(lists: CheckLists) -> None:
    sources = (Source("r1", "评论都是刷单的，别信"),)
    assert refusal(request("summary", sources=sources), lists.refused) is None
    refused = refusal(request("draft_for_verified_buyer", sources=sources), lists.refused)
    assert refused is not None and refused.reason == "sources: asks for what is refused: fake_reviews (刷单)"


def test_every_list_is_read_and_its_phrases_pass_in_their_contexts(lists: CheckLists) -> None:
    assert lists.refused.kinds == {"fake_reviews", "medical", "personal_data", "counterfeit", "illegal_goods"}
    for name in ("superlatives", "harmful", "refusals"):
        path = CONF / "safety" / f"{name}.tsv"
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        phrases = PhraseList.read(path)
        assert len({line.split("\t")[0] for line in lines}) == len(lines), "a phrase is listed twice"
        for line in lines:
            phrase, *rest = line.split("\t")
            assert phrases.find(phrase), phrase
            for context in rest[1].split("|") if len(rest) > 1 else ():
                assert not phrases.find(context), (phrase, context)


@pytest.mark.parametrize("line", ["phrase", "phrase\t", "a\tb\tc\td"])
def test_a_broken_list_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "list.tsv").write_text(line, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"list\.tsv: entry 1: expected"):
        PhraseList.read(tmp_path / "list.tsv")
