"""Detects texts of the shop that sound like a customer, and texts that reveal the prompt."""

import re

from reviewgen_spark.text.requests.prompts import instruction
from reviewgen_spark.text.requests.request import TextRequest
from reviewgen_spark.text.similarity.copied_runs import longest_common_run
from reviewgen_spark.text.words.languages import LangCode

_FAMILY_ZH = "(?:老公|老婆|爸|妈|爸爸|妈妈|儿子|女儿|孩子|宝宝|家人|男友|女友|婆婆|奶奶|爷爷|闺蜜)"
_CUSTOMER: dict[LangCode, re.Pattern[str]] = {
    "zh": re.compile(
        "(?<![给为帮替让请对向])我(?!们|司|店|家店|公司)(?:已经|也|又|就|刚|昨天|今天|之前|上次)?(?:在.{1,6})?"
        "(?:买|购买|入手|下单|收到|回购|拿到|用了|穿了|吃了)"
        f"|(?:给|帮|替|为)我?{_FAMILY_ZH}(?:买|购|入手)"
        f"|我(?:家)?{_FAMILY_ZH}(?:很|特别|非常|都|也|说|用|穿)"
        "|(?:第[二三四五2345]|好几|很多)次(?:买|购买|回购)了|亲测|本人(?:已|亲|刚|买|用)"
        "|(?:作为|身为)(?:一[个名位])?(?:老|普通|资深)?(?:顾客|买家|用户|消费者)"
        "|(?:已|果断|必须|还会|会再)回购|收到货(?:了|后|，).{0,6}(?:试|穿|用)了"
    ),
    "en": re.compile(
        r"\bi(?:'ve| have| had|'d)?(?: just| already| recently| also)? (?:bought|ordered|purchased|received|"
        r"returned|wore|tried (?:it|them|this)|own|love (?:this|it|these)|got (?:this|it|mine|these))\b"
        r"|\bmy (?:husband|wife|son|daughter|kids?|mom|mother|dad|father|boyfriend|girlfriend|sister|brother|family)\b"
        r"|\bas an? (?:\w+ )?(?:customer|buyer|shopper|user|owner)\b|\bwe (?:bought|ordered|purchased)\b"
        r"|\b(?:would|will) (?:definitely )?(?:buy|order|purchase) (?:it |this |these |them )?again\b",
        re.IGNORECASE,
    ),
}
_MODEL = re.compile(
    r"(?:作为|身为|我是)(?:一[个名款])?(?:ai|人工智能|大?语言模型|大模型|虚拟助手)|我无法(?:提供|生成|协助|满足)"
    r"|以下是(?:根据|按照|为您|一[条段篇])|根据(?:您|你)的(?:要求|指令|提示)"
    r"|\bas an? (?:ai|artificial intelligence|large language model|language model)\b"
    r"|\bi(?:'m| am) (?:an ai|a language model)\b"
    r"|\bi (?:cannot|can't|am unable to) (?:assist|help(?! but| it)|provide|generate|fulfil)"
    r"|\bhere(?:'s| is) (?:a|an|the|your) (?:\w+ )?(?:review|summary|reply|response|description|draft)\b"
    r"|\bbased on your (?:instructions?|request|prompt)\b",
    re.IGNORECASE,
)
# Parts of control codes, chat templates, tokenisers and the prompt. Masks such as [PHONE] do not match.
_CODES = re.compile(
    r"</?\|?[A-Za-z_][A-Za-z_0-9:=./ \u4e00-\u9fff-]{0,30}\|?>|\[/?(?:INST|UNK|PAD|CLS|SEP|MASK|BOS|EOS)\]|<</?SYS>>"
    r"|\\u[0-9a-f]{4}|\"(?:reviews|wanted|attributes|category|number|text)\"\s{0,9}:"
    r"|^[ \t]{0,9}(?:system|user|assistant)\s{0,9}[:：]"
    r"|[\ue000-\uf8ff]|###\s{0,9}\w",
    re.MULTILINE,
)
_LEAKED_RUN: dict[LangCode, int] = {"zh": 12, "en": 8}
"""The least length in units of a run that counts as copied from the instruction. Common phrases are shorter."""


def customer_voice(text: str, lang_code: LangCode) -> bool:
    """Checks whether a text sounds like somebody who bought, wore or used the product.

    >>> customer_voice("我买了两次，老公很喜欢", "zh"), customer_voice("感谢您的购买，我们会改进", "zh")
    (True, False)
    >>> customer_voice("I bought this for my son.", "en"), customer_voice("We are sorry that it broke.", "en")
    (True, False)
    """
    return _CUSTOMER[lang_code].search(text) is not None


def leaked(text: str, request: TextRequest) -> str | None:
    """Returns how a text reveals its generation: by a code, by a model that mentions itself, or by the instruction."""
    if _CODES.search(text):
        return "holds a control code or a piece of the prompt's data"
    if _MODEL.search(text):
        return "speaks as a model, or of its task"
    run = longest_common_run(text, (instruction(request),), request.lang_code)
    if run >= _LEAKED_RUN[request.lang_code]:
        return f"shares a run of {run} with the instruction"
    return None
