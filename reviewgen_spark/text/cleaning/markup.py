"""Removes HTML tags from review texts and decodes their entities, also if they are incomplete or nested.

An HTML parser is not used, because it would delete `<Java核心技术>`. In `价格<b店，` it would delete everything after
`价格`. Only known tags are removed. Every other `<` is part of the review.
"""

import re
from html.entities import html5

_BLOCK = (
    "address article aside blockquote body br button caption center col colgroup dd div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 head header hr html iframe img input label legend li link main meta nav "
    "noscript object ol option p param pre section select table tbody td textarea tfoot th thead title tr ul video"
)
_INLINE = (
    "a abbr acronym audio b bdi bdo big canvas cite code del dfn em embed font i ins kbd mark marquee nobr o:p q rp rt "
    "ruby s samp small source span strike strong style script sub sup svg path tt u var wbr"
)
_NAMES = "|".join(sorted((re.escape(name) for name in f"{_BLOCK} {_INLINE}".split()), key=len, reverse=True))
_BLOCK_NAMES = frozenset(_BLOCK.split())
_LINE = (
    "address article aside blockquote body br center dd div dl dt fieldset figcaption footer form h1 h2 h3 h4 h5 h6 "
    "header hr html legend li main nav ol p pre section table tbody tfoot thead title tr ul"
)
_LINE_NAMES = frozenset(_LINE.split())

_COMMENT = re.compile(r"<!--(?:[^<]|<(?!!--))*?-->|<!--|<!doctype[^<>]*>|<!\[CDATA\[|\]\]>", re.IGNORECASE | re.DOTALL)
_HIDDEN = re.compile(r"<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
# A tag never contains another "<", so time is linear and an unclosed tag does not delete the text after it.
_TAG = re.compile(rf"<\s?(/?)\s?({_NAMES})(?=[\s/>])([^<>]*)>", re.IGNORECASE)
# <b> without its closing tag is bold type of a cut text.
# Sizes, cups and choices: <S>, <M/L>, <Small>. They are tags only with attributes, or with their closing tag.
_SIZES = frozenset({"a", "b", "s", "small", "big"})
_CLOSING = re.compile(r"<\s?/\s?(a|b|s|small|big)\s?>", re.IGNORECASE)
_CHOICES = re.compile(r"<[A-Za-z]{1,3}(?:[/ ][A-Za-z]{1,3})+\Z")
# A text that was cut at a fixed length often ends inside a tag. Only a tag with a space or slash is certainly one.
_CUT_TAG = re.compile(rf"<(?:/|(?:{_NAMES})[\s/])[a-z0-9\s=\"':/._#;%?&-]*", re.IGNORECASE)

_AMPERSANDS = re.compile(r"&(?:(?:amp|AMP|#0{0,5}38|#[xX]0{0,4}26);)+")
_ENTITY = re.compile(
    r"&(?:#(\d{1,7});?|#[xX]([0-9a-fA-F]{1,6});?|([A-Za-z][A-Za-z0-9]{1,31});"
    r"|(nbsp|amp|lt|gt|quot|hellip|ldquo|rdquo|mdash|middot)(?![A-Za-z0-9=]))"
)
# Numeric references to C1 controls mean Windows-1252: browsers read &#146; as ’ (HTML standard, 13.2.5.80).
_C1 = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}


def strip(text: str) -> tuple[str, int]:
    r"""Removes known tags, scripts, styles and comments, and decodes entities, until nothing changes.

    A tag that starts a line becomes a line break, any other block tag a space. An inline tag is removed without one.
    Sizes in angle brackets are kept. Call it only for texts with `<` or `&`.

    Returns:
        The text, and the number of tags and entities that were replaced.

    >>> strip("很好&amp;lt;br/&amp;gt;<b>推荐</b>")
    ('很好\n推荐', 7)
    >>> strip("尺码<S>或<M>都行")
    ('尺码<S>或<M>都行', 0)
    >>> strip("<Java核心技术> 价格<50 AT&T")
    ('<Java核心技术> 价格<50 AT&T', 0)
    """
    total = 0
    # Few rounds are needed, because each shortens the text and decodes nested ampersands at once. The limit keeps the
    # time linear for hostile input.
    for _ in range(12):
        count = 0
        if "<" in text:
            text, hidden = _HIDDEN.subn(" ", text)
            text, comments = _COMMENT.subn(" ", text)
            text, tags = _without_tags(text)
            count += hidden + comments + tags
            text, cut = _without_cut_tags(text)
            count += cut
        if "&" in text:
            text, decoded = _decode(text)
            count += decoded
        if not count:
            break
        total += count
    return text, total


def _without_tags(text: str) -> tuple[str, int]:
    closed = {name.lower() for name in _CLOSING.findall(text)} if "/" in text else set()
    removed = 0

    def replacement(tag: re.Match[str]) -> str:
        nonlocal removed
        slash, name, rest = tag.groups()
        lowered = name.lower()
        if (
            lowered in _SIZES
            and not slash
            and lowered not in closed
            and "=" not in rest
            and (name != "b" or rest.strip(" /"))
        ):
            return tag[0]
        removed += 1
        return "\n" if lowered in _LINE_NAMES else " " if lowered in _BLOCK_NAMES else ""

    return _TAG.sub(replacement, text), removed


def _without_cut_tags(text: str) -> tuple[str, int]:
    """Removes tags that are cut off at the end of the text, from the last one backwards."""
    end, cut = len(text), 0
    while (start := text.rfind("<", 0, end)) >= 0 and _CUT_TAG.fullmatch(text, start, end):
        if _CHOICES.match(text[start:end]):
            break
        end, cut = start, cut + 1
    return text[:end], cut


def _decode(text: str) -> tuple[str, int]:
    """Decodes entities once. Names that HTML does not define are kept and not counted."""
    decoded = 0

    def character(entity: re.Match[str]) -> str:
        nonlocal decoded
        decimal, hexadecimal, name, bare = entity.groups()
        if decimal or hexadecimal:
            code = int(decimal) if decimal else int(hexadecimal, 16)
            value = _C1.get(code) or (chr(code) if 0 < code < 0x110000 else "")
        else:
            value = html5.get((name or bare) + ";", entity[0])
        decoded += value != entity[0]
        return value

    text = _ENTITY.sub(character, _AMPERSANDS.sub("&amp;", text))
    return text, decoded
