"""Writes texts from fixed sentence templates, as the baseline of every writer and as the default for replies.

A text has an opening, a sentence for each topic of the request or its review, and a close. Generic sentences are added
until it has the requested length. The seed chooses the wording.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reviewgen_spark.errors import RequestError
from reviewgen_spark.text.requests.purposes import Purpose
from reviewgen_spark.text.requests.request import LENGTH_BOUNDS, TextRequest, text_size
from reviewgen_spark.text.words.languages import LangCode

TEMPLATE_VERSION = 1
"""The `model_version` of template texts. It must increase if a sentence below changes."""

Sentences = tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """Holds a topic of reviews: the words that indicate it, and the shop's answers to a complaint about it."""

    words: Sentences
    answer: Sentences


TOPICS: Mapping[LangCode, Mapping[str, Topic]] = {
    "zh": {
        "delivery": Topic(
            ("物流", "快递", "发货", "配送", "送货"),
            (
                "关于您提到的物流问题，我们会和承运方核对这一单的运送过程。",
                "发货和配送没有让您满意，我们会核实是哪个环节慢了。",
            ),
        ),
        "packaging": Topic(
            ("包装", "破损", "压坏", "漏"),
            ("包装没有保护好商品，我们会检查打包的做法。", "您说的包装问题我们已经记下，会请仓库改进。"),
        ),
        "service": Topic(
            ("客服", "服务", "态度", "售后"),
            ("服务没有做好，是我们的责任，我们会复查这次沟通。", "您反映的服务态度问题，我们会和相关同事核实。"),
        ),
        "price": Topic(
            ("价格", "降价", "太贵", "差价"),
            ("您对价格的意见我们收到了，会反馈给负责定价的同事。",),
        ),
        "size": Topic(
            ("尺码", "尺寸", "偏大", "偏小", "大小"),
            ("尺寸和您的预期不符，我们会核对页面上的尺寸说明。",),
        ),
        "quality": Topic(
            ("质量", "坏", "做工", "掉色", "故障", "瑕疵", "味道", "电池", "屏幕"),
            ("您说的质量问题我们很重视，会请质检同事查看同一批商品。", "商品出现这样的情况，我们会先查明原因。"),
        ),
    },
    "en": {
        "delivery": Topic(
            ("deliver", "shipping", "shipped", "arrive", "courier", "late"),
            ("We will check with the carrier what happened to this delivery.",),
        ),
        "packaging": Topic(
            ("packag", "box", "crushed", "leak"),
            ("We have noted the packaging and will look at how it is packed.",),
        ),
        "service": Topic(
            ("service", "staff", "rude", "support"),
            ("The service that you describe is not what we aim for, and we will go through it with our team.",),
        ),
        "price": Topic(("price", "expensive", "overpriced"), ("We have passed on what you say about the price.",)),
        "size": Topic(("size", "too small", "too big", "fit"), ("We will check the size that our page states.",)),
        "quality": Topic(
            ("quality", "broke", "defect", "battery", "screen", "stopped working", "cheap"),
            ("We take what you say about the quality seriously and will look at items of the same lot.",),
        ),
    },
}

# Openings, closes and fillers by language and sentiment. {subject} is the category or a general word for it.
_REPLIES: Mapping[LangCode, Mapping[str, tuple[Sentences, Sentences, Sentences]]] = {
    "zh": {
        "negative": (
            ("您好，感谢您的反馈，很抱歉这次购买{subject}没有让您满意。", "您好，给您带来了不好的体验，我们很抱歉。"),
            ("方便的话请通过订单页面联系客服，我们会跟进处理。", "请在订单页面联系客服，我们会按售后规则为您处理。"),
            (
                "您的意见我们已经记录下来。",
                "我们会据此改进{subject}的品质和服务。",
                "谢谢您把情况说明清楚。",
                "核实之后，我们会在订单中说明结果。",
            ),
        ),
        "positive": (
            ("您好，感谢您对{subject}的认可。", "您好，谢谢您抽空写下评价。"),
            ("使用中有任何问题，可以在订单页面联系客服。", "期待下次再为您服务。"),
            (
                "您的肯定是我们继续做好的动力。",
                "我们会继续留意{subject}的每个细节。",
                "祝您使用愉快。",
                "您写下的内容对其他顾客也有参考价值。",
                "我们会把您的评价转达给负责的同事。",
            ),
        ),
    },
    "en": {
        "negative": (
            ("Thank you for your feedback, and we are sorry that this {subject} did not meet your expectations.",),
            ("Please contact customer service from your order page so that we can follow up under our return rules.",),
            ("What you wrote has been recorded.", "It helps us to improve both the product and our service."),
        ),
        "positive": (
            ("Thank you for taking the time to review this {subject}.",),
            ("If a question comes up later, customer service is there for you on your order page.",),
            ("It is good to hear that you are satisfied.", "We will keep working on every detail."),
        ),
    },
}
_COPY: Mapping[LangCode, tuple[Sentences, Sentences, Sentences]] = {
    "zh": (
        ("为您介绍{name}。", "{name}，为日常使用而备。"),
        ("更多信息请以商品详情页为准。", "选购前请核对规格。"),
        (
            "规格清楚，选购省心。",
            "适合日常使用。",
            "下单前请留意参数与自己的需要是否相符。",
            "如有疑问，客服可以为您解答。",
        ),
    ),
    "en": (
        ("Here is {name}.", "Take a look at {name}."),
        ("See the product page for further details.", "Please compare the details with your needs before you order."),
        (
            "It is made for everyday use.",
            "The details are listed so that you can choose with ease.",
            "Our customer service is glad to answer questions.",
        ),
    ),
}
# Sentences about {thing}, and about the product, by language and sentiment.
_OPINIONS: Mapping[LangCode, Mapping[str, tuple[Sentences, Sentences]]] = {
    "zh": {
        "positive": (
            ("{thing}不错，", "{thing}很满意，", "{thing}挺好的，"),
            ("总体来说值得买。", "用着很顺手。", "和描述的一样。", "下次还会考虑。"),
        ),
        "negative": (
            ("{thing}不太行，", "{thing}让人失望，", "{thing}有问题，"),
            ("总体来说不推荐。", "和描述的不一样。", "用着不顺手。", "有点后悔买了。"),
        ),
    },
    "en": {
        "positive": (
            ("The {thing} is good.", "I like the {thing}.", "The {thing} works well."),
            ("It is as described.", "It is worth its price.", "I would buy it again."),
        ),
        "negative": (
            ("The {thing} is poor.", "I do not like the {thing}.", "The {thing} is a let-down."),
            ("It is not as described.", "It is not worth its price.", "I would not buy it again."),
        ),
    },
}
_PLAIN_SUBJECT: Mapping[LangCode, str] = {"zh": "商品", "en": "product"}
_SUPPORTS: Mapping[LangCode, Mapping[str, Sentences]] = {
    "zh": {"attribute": ("{name}：{value}。",), "keywords": ("顾客常提到的有{words}。",)},
    "en": {"attribute": ("{name}: {value}.",), "keywords": ("Customers often mention {words}.",)},
}
PURPOSES_WRITTEN: tuple[Purpose, ...] = ("augmentation", "product_copy", "reply", "draft_for_verified_buyer")


def fill_template(request: TextRequest) -> str:
    """Writes a text for a request. Equal requests give equal texts.

    Raises:
        RequestError: The purpose has no templates.

    >>> request = TextRequest("augmentation", "p", "zh", sentiment="positive", keywords=("屏幕",), length="short")
    >>> print(fill_template(request))
    屏幕很满意，下次还会考虑。
    """
    if request.purpose == "reply":
        return _reply(request)
    if request.purpose == "product_copy":
        return _product_copy(request)
    if request.purpose in PURPOSES_WRITTEN:
        return _opinion_text(request)
    raise RequestError(
        f"purpose: there are no templates for '{request.purpose}', only for {', '.join(PURPOSES_WRITTEN)}; a summary "
        "is extracted (stage summarise), or use the writer 'torch' or 'endpoint'"
    )


def find_topics(request: TextRequest) -> list[str]:
    """Returns the topics of a request: first its aspects that are topics, then those that its words indicate.

    >>> from reviewgen_spark.text.requests.request import Source
    >>> find_topics(TextRequest("reply", "p", "zh", sources=(Source("r", "屏幕坏了，客服不理人"),)))
    ['service', 'quality']
    """
    topics = TOPICS[request.lang_code]
    named = [name for name in topics if name in request.aspects]
    content = " ".join([*request.aspects, *(source.text for source in request.sources)]).lower()
    return named + [
        name for name, topic in topics.items() if name not in named and any(word in content for word in topic.words)
    ]


def _reply(request: TextRequest) -> str:
    is_positive = request.sentiment == "positive" or (request.sentiment is None and (request.stars or 0) > 3)
    opens, closes, fillers = _REPLIES[request.lang_code]["positive" if is_positive else "negative"]
    topics = TOPICS[request.lang_code]
    answers = [] if is_positive else [topics[name].answer for name in find_topics(request)]
    subject = request.category or _PLAIN_SUBJECT[request.lang_code]
    return _compose(request, opens, answers, closes, fillers, {"subject": subject})


def _product_copy(request: TextRequest) -> str:
    opens, closes, fillers = _COPY[request.lang_code]
    supports = _SUPPORTS[request.lang_code]
    attributes = {pair.name: pair.value for pair in request.attributes}
    fallback = request.category or ("这款商品" if request.lang_code == "zh" else "this product")
    name = attributes.pop("title", None) or attributes.pop("name", None) or fallback
    middle = [
        tuple(sentence.format(name=_plain(key), value=_plain(value)) for sentence in supports["attribute"])
        for key, value in attributes.items()
    ]
    words = [_plain(word) for word in (*request.aspects, *request.keywords)]
    if words:
        joined = "、".join(words) if request.lang_code == "zh" else ", ".join(words)
        middle.append(tuple(sentence.format(words=joined) for sentence in supports["keywords"]))
    return _compose(request, opens, middle, closes, fillers, {"name": name})


def _opinion_text(request: TextRequest) -> str:
    is_positive = request.sentiment == "positive" or (request.sentiment is None and (request.stars or 5) > 3)
    thing_sentences, product_sentences = _OPINIONS[request.lang_code]["positive" if is_positive else "negative"]
    things = [*request.aspects, *request.keywords] or [request.category or _PLAIN_SUBJECT[request.lang_code]]
    middle = [tuple(sentence.format(thing=_plain(thing)) for sentence in thing_sentences) for thing in things]
    if request.purpose == "draft_for_verified_buyer":
        # Only the buyer's own statements, because a sentence about the product would invent an experience.
        draft = _compose(request, (), middle, (), (), {})
        return draft.rstrip("，") + "。" if request.lang_code == "zh" else draft
    return _compose(request, (), middle, product_sentences, product_sentences, {})


def _compose(
    request: TextRequest,
    opens: Sentences,
    middle: Sequence[Sentences],
    closes: Sentences,
    fillers: Sentences,
    names: Mapping[str, str],
) -> str:
    """Joins an opening, the middle sentences that fit, fillers up to the requested length, and a close."""
    draw = random.Random(request.seed)
    low, high = LENGTH_BOUNDS[request.lang_code][request.length]
    separator = "" if request.lang_code == "zh" else " "
    plain = {key: _plain(value) for key, value in names.items()}

    def choose(sentences: Sentences) -> str:
        return draw.choice(sentences).format(**plain) if sentences else ""

    opening, close = choose(opens), choose(closes)
    parts: list[str] = []
    if opening and text_size(opening + separator + close, request.lang_code) > high:
        close = ""

    def text(*more: str) -> str:
        return separator.join(part for part in (opening, *parts, *more, close) if part)

    for sentences in middle:
        # The sentence is already filled in. It is not formatted again, because a value may contain braces.
        sentence = draw.choice(sentences)
        if text_size(text(sentence), request.lang_code) <= high:
            parts.append(sentence)
    for filler in draw.sample(fillers, len(fillers)):
        sentence = filler.format(**plain)
        size = text_size(text(), request.lang_code)
        if size >= low:
            break
        if sentence != close and text_size(text(sentence), request.lang_code) <= high:
            parts.append(sentence)
    return text()


def _plain(value: str) -> str:
    """Returns a value on one line, without spaces around it."""
    return " ".join(value.split())
