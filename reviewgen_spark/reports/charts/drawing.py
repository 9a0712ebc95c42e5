"""Draws the elements of charts: SVG, axes, and texts of a known width. Widths are in CSS pixels."""

import math
import unicodedata
from collections.abc import Sequence

from markupsafe import Markup, escape

NO_DATA = Markup('<p class="empty">no data yet</p>')
TEXT_SIZE = 13  # font size of labels


def number(value: float, digits: int = 0) -> str:
    """Formats a number with thousands separators, as in every table and chart of the pages."""
    return f"{value:,.{digits}f}"


def svg(width: float, height: float, title: str, parts: Sequence[str]) -> Markup:
    """Joins the parts of a chart, with a title for readers who cannot see it."""
    body = "".join(parts)
    return Markup(
        f'<svg class="chart" role="img" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{body}</svg>'
    )


def text_at(x: float, y: float, text: str, anchor: str, kind: str = "label") -> str:
    """Draws a text at a position; `anchor` is start, middle or end, `kind` a CSS class."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def legend(series: Sequence[str], left: float) -> list[str]:
    """Draws a coloured square and a name for each series, from `left` on."""
    parts, x = [], left
    for index, name in enumerate(series):
        parts.append(f'<rect class="fill-{"abcn"[index]}" x="{x:.1f}" y="4" width="11" height="11" rx="2"/>')
        parts.append(text_at(x + 16, 14, name, "start"))
        x += text_width(name) + 36
    return parts


def grid(ticks: Sequence[float], left: float, width: float, base: float, scale: float, unit: str) -> list[str]:
    """Draws a line and a number for each tick from `base` upwards, and the unit above them."""
    parts = [text_at(0, base - (ticks[-1] - ticks[0]) * scale - 18, unit, "start", "unit")]
    for tick in ticks:
        y = base - (tick - ticks[0]) * scale
        parts.append(f'<path class="grid" d="M{left},{y:.1f}H{width}"/>')
        parts.append(text_at(left - 8, y + 4, f"{tick:,g}", "end"))
    return parts


def axis_ticks(top: float, bottom: float = 0.0) -> list[float]:
    """Returns 2 to 7 ticks from at most `bottom` to at least `top`.

    Their step is 1, 2 or 5 times a power of ten.
    """
    span = top - bottom
    if span <= 0:
        return [bottom, bottom + 1.0]
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * 5 >= span * (1 - 1e-9))
    first, last = math.floor(bottom / step + 1e-9), math.ceil(top / step - 1e-9)
    return [step * index for index in range(first, last + 1)]


def label_step(labels: Sequence[str], step: float) -> int:
    """Returns n so that every nth label fits without touching the next, at `step` pixels a label."""
    return max(1, math.ceil((max(map(text_width, labels)) + 10) / max(step, 1)))


def text_width(text: str) -> float:
    """Estimates a text's width in pixels: CJK characters are square, capitals 0.7 of that, others 0.57."""

    def share(char: str) -> float:
        if unicodedata.east_asian_width(char) in "WF":
            return 1.0
        return 0.7 if char.isupper() else 0.57

    return sum(TEXT_SIZE * share(char) for char in text)


def clip(text: str, width: float) -> str:
    """Cuts a text to a width in pixels, with an ellipsis if it was longer."""
    while len(text) > 1 and text_width(text) > width:
        text = text.rstrip("…")[:-1] + "…"
    return text
