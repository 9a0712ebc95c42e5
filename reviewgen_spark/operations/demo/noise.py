"""Changes texts as sources do before delivery: markup, emoji, personal data, copies, edits.

Changes do not depend on the sentiment, so that no model can learn the label from them. Phone numbers, addresses and
links are synthetic: every number is 1380000xxxx, and RFC 2606 reserves example.com for such use.
"""

import html
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any

BOILERPLATE = "此用户没有填写评价。"

# The code of a full-width form is that of its visible ASCII sign plus a constant (Unicode block Halfwidth and
# Fullwidth Forms).
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_EMOJI = ("📦", "🙂", "🏨", "📖", "💻", "🧐", "✍️", "👨‍👩‍👧", "🇨🇳", "🎁")
_ENDINGS = ("，仅供参考。", "，供大家参考。", "，先写到这里。", "（转自本人旧评）", "，以上。")
_ADDENDA = (
    "（追加：用了一段时间，补充一下。）",
    "（追加：修改了几个错别字。）",
    "（追加：一周后再来更新。）",
)


def _markup(text: str, rng: Random) -> str:
    form = rng.randrange(4)
    if form == 0:
        return f"<p>{html.escape(text)}</p>"
    if form == 1:
        return text.replace("。", "。<br/>") + "<br>"
    if form == 2:
        return f'<div class="review"><span style="color:#333">{html.escape(text)}</span>&nbsp;&nbsp;</div>'
    return text.replace("，", "&#65292;").replace(" ", "&nbsp;") + "&hellip;"


def _emoji(text: str, rng: Random) -> str:
    return text + rng.choice(_EMOJI) * rng.choice((1, 1, 2, 6))


def _full_width(text: str, rng: Random) -> str:
    wide = text.translate(_FULL_WIDTH)
    return wide if wide != text else f"{text}（第{rng.choice('１２３４５')}次购买　ＯＫ）"


@cache
def _converter() -> Any:
    from opencc import OpenCC

    return OpenCC("s2t")


def _traditional(text: str, rng: Random) -> str:
    return str(_converter().convert(text))


def _phone(text: str, rng: Random) -> str:
    digits = f"1380000{rng.randrange(10_000):04d}"
    shown = rng.choice((digits, f"{digits[:3]}-{digits[3:7]}-{digits[7:]}", f"+86 {digits}"))
    return f"{text}联系电话{shown}"


def _email(text: str, rng: Random) -> str:
    return f"{text} 邮箱 buyer{rng.randrange(10_000)}@example.com"


def _url(text: str, rng: Random) -> str:
    return f"{text} https://shop.example.com/item/{rng.randrange(100_000)}?from=review"


def _empty(text: str, rng: Random) -> str:
    return rng.choice(("", " ", "\t"))


def _boilerplate(text: str, rng: Random) -> str:
    return BOILERPLATE


# Share of the reviews and change by kind. The shares were chosen, not measured.
CHANGES: Mapping[str, tuple[float, Callable[[str, Random], str]]] = {
    "html": (0.04, _markup),
    "emoji": (0.04, _emoji),
    "traditional": (0.03, _traditional),
    "full_width": (0.02, _full_width),
    "phone": (0.015, _phone),
    "email": (0.01, _email),
    "url": (0.015, _url),
    "empty_text": (0.008, _empty),
    "boilerplate": (0.01, _boilerplate),
}
# These changes remove the whole text, so its gold label is removed too.
WITHOUT_TEXT = frozenset({"empty_text", "boilerplate"})


def quote_for_csv(text: str) -> str:
    """Adds quotes, commas and a newline to a text, because they are difficult for CSV readers."""
    return f'标题: "{text[:6]}", 正文:\n{text}'


def near_copy(text: str, rng: Random) -> str:
    """Changes the end of a text a little, as in a repeated post."""
    return text.rstrip("。.！!") + rng.choice(_ENDINGS)


def edit(text: str, rng: Random) -> str:
    """Appends a later remark of the author, which does not show the sentiment."""
    return text + rng.choice(_ADDENDA)
