"""Charts as inline SVG: pure functions from numbers to markup, no script, no network.

Colours are CSS classes of the page, so that light and dark come from one place. Every text is escaped here; every
chart has a `<title>` for readers who cannot see it. Widths are in CSS pixels at 1:1; the page scales down, never up.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

NO_DATA = Markup('<p class="empty">no data yet</p>')

_ROW = 26  # height of a horizontal bar with its gap
_TEXT = 13  # font size of labels


@dataclass(frozen=True)
class Bar:
    """A labelled amount. `note` stands behind the value, such as a share."""

    label: str
    value: float
    note: str = ""


@dataclass(frozen=True)
class Estimate:
    """A point with its interval, on a row of its own; `is_main` sets ours apart from what it is compared with.

    `note` stands behind the value, such as a number of rows.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    is_main: bool = False
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A curve through points of a plane; the hint of a point is shown when a mouse rests on it."""

    name: str
    points: Sequence[tuple[float, float]]
    hints: Sequence[str] = ()  # none, or one a point; points with hints are drawn as dots


def number(value: float, digits: int = 0) -> str:
    """Write a number with thousands separators, as every table and chart of the page does."""
    return f"{value:,.{digits}f}"


def bars(
    items: Sequence[Bar],
    title: str,
    unit: str,
    width: int = 520,
    tone: str = "a",
    digits: int = 0,
    top_value: float | None = None,
) -> Markup:
    """Horizontal bars from zero, each with its label and value.

    Args:
        items: In the order shown.
        title: What is seen, for `<title>`.
        unit: Of the values, written below.
        width: Of the drawing.
        tone: Colour class: `a`, `b` or `n` (neutral).
        digits: Decimals of the values.
        top_value: What the longest possible bar stands for, so that two charts share a scale.
    """
    if not items:
        return NO_DATA
    left = min(max(_text_width(item.label) for item in items) + 12, width * 0.42)
    texts = [number(item.value, digits) + (f" · {item.note}" if item.note else "") for item in items]
    right = max(map(_text_width, texts)) + 14
    scale = (width - left - right) / (top_value or max(item.value for item in items) or 1)
    parts = []
    for row, (item, text) in enumerate(zip(items, texts, strict=True)):
        y, length = row * _ROW, max(item.value * scale, 0)
        parts += [
            _text(left - 8, y + 17, _clip(item.label, left - 8), "end"),
            f'<rect class="fill-{tone}" x="{left:.1f}" y="{y + 4}" width="{max(length, 0.5):.1f}" height="18" rx="2"/>',
            _text(left + length + 6, y + 17, text, "start", "value"),
        ]
    height = len(items) * _ROW + 20
    parts.append(_text(left, height - 4, unit, "start", "unit"))
    return _svg(width, height, title, parts)


def stacked_bars(
    rows: Sequence[tuple[str, Sequence[float]]],
    series: Sequence[str],
    title: str,
    unit: str,
    width: int = 520,
) -> Markup:
    """Horizontal bars of equal length, parted by share; the total stands at the end.

    Args:
        rows: A label and an amount for each series.
        series: Names for the legend, at most four.
        title: What is seen.
        unit: Of the totals.
        width: Of the drawing.
    """
    rows = [row for row in rows if sum(row[1]) > 0]
    if not rows:
        return NO_DATA
    left = min(max(_text_width(label) for label, _ in rows) + 12, width * 0.36)
    totals = [number(sum(values)) for _, values in rows]
    right = max(_text_width(text) for text in [*totals, unit]) + 14
    span, top = width - left - right, 28
    parts = _legend(series, left)
    parts.append(_text(width, 14, unit, "end", "unit"))
    for row, ((label, values), total) in enumerate(zip(rows, totals, strict=True)):
        y, x, amount = top + row * _ROW, left, sum(values)
        parts.append(_text(left - 8, y + 17, _clip(label, left - 8), "end"))
        for index, value in enumerate(values):
            part = span * value / amount
            hint = escape(f"{label}, {series[index]}: {number(value)} of {total}")
            parts.append(
                f'<rect class="fill-{"abcn"[index]}" x="{x:.1f}" y="{y + 4}" width="{part:.1f}" height="18">'
                f"<title>{hint}</title></rect>"
            )
            if part > 44:
                parts.append(_text(x + part / 2, y + 17, f"{100 * value / amount:.0f} %", "middle", "inside"))
            x += part
        parts.append(_text(width, y + 17, total, "end", "value"))
    return _svg(width, top + len(rows) * _ROW + 4, title, parts)


def columns(items: Sequence[Bar], title: str, unit: str, width: int = 520, height: int = 226) -> Markup:
    """Upright bars over an ordered axis, such as days; values stand above them where all fit."""
    if not items:
        return NO_DATA
    left, top, bottom = 52, 40, 26
    step = (width - left) / len(items)
    ticks = _ticks(max(item.value for item in items))
    scale = (height - top - bottom) / ticks[-1]
    base = height - bottom
    parts = _grid(ticks, left, width, base, scale, unit)
    every = _label_step([item.label for item in items], step)
    has_room = max(_text_width(number(item.value)) for item in items) < step
    for index, item in enumerate(items):
        x, size = left + index * step, item.value * scale
        middle = x + step / 2
        hint = escape(f"{item.label}: {number(item.value)} {unit}")
        parts.append(
            f'<rect class="fill-a" x="{x + step * 0.12:.1f}" y="{base - size:.1f}" width="{step * 0.76:.1f}" '
            f'height="{size:.1f}" rx="2"><title>{hint}</title></rect>'
        )
        if has_room:
            parts.append(_text(middle, base - size - 5, number(item.value), "middle", "value"))
        if index % every == 0:
            parts.append(_text(middle, height - 8, item.label, "middle"))
    return _svg(width, height, title, parts)


def lines(
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    title: str,
    unit: str,
    width: int = 520,
    height: int = 242,
    top_value: float | None = None,
    bottom_value: float = 0.0,
    digits: int = 1,
) -> Markup:
    """Lines over an ordered axis; None leaves a gap. A single point is still seen as a dot.

    Args:
        labels: The axis, one a point.
        series: Name and values, at most four.
        title: What is seen.
        unit: Of the values.
        width: Of the drawing.
        height: Of the drawing.
        top_value: Upper end of the axis, such as 100 for percent; default: from the values.
        bottom_value: Lower end of the axis, or a little above it; positions may be compared from anywhere.
        digits: Decimals of the values in hints.
    """
    known = [value for _, values in series for value in values if value is not None]
    if not known:
        return NO_DATA
    left, top, bottom, right = 52, 56, 26, 24
    ticks = _ticks(top_value or max(known), bottom_value)
    base, scale = height - bottom, (height - top - bottom) / (ticks[-1] - ticks[0])
    step = (width - left - right * 2) / max(len(labels) - 1, 1)
    xs = [left + right + index * step for index in range(len(labels))]
    parts = _legend([name for name, _ in series], left)
    parts += _grid(ticks, left, width, base, scale, unit)
    every = _label_step(labels, step)
    parts += [_text(x, height - 8, label, "middle") for x, label in list(zip(xs, labels, strict=True))[::every]]
    for index, (name, values) in enumerate(series):
        tone, path = "abcn"[index], ""
        for x, label, value in zip(xs, labels, values, strict=True):
            if value is None:
                path += " "
                continue
            y = base - (value - ticks[0]) * scale
            path += f"{'L' if path and path[-1] != ' ' else 'M'}{x:.1f},{y:.1f}"
            hint = escape(f"{label}, {name}: {number(value, digits)} {unit}")
            parts.append(
                f'<circle class="fill-{tone}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{hint}</title></circle>'
            )
        parts.append(f'<path class="line-{tone}" d="{path.strip()}"/>')
    return _svg(width, height, title, parts)


def mirrored_columns(
    labels: Sequence[str],
    above: tuple[str, Sequence[int]],
    below: tuple[str, Sequence[int]],
    title: str,
    unit: str,
    width: int = 520,
    height: int = 300,
) -> Markup:
    """Two series of counts over one ordered axis: the first stands on it, the second hangs from it, on one scale.

    Args:
        labels: The axis, one a place.
        above: Name and counts of the upper series.
        below: Of the lower.
        title: What is seen.
        unit: Of the counts.
        width: Of the drawing.
        height: Of the drawing.
    """
    if not any([*above[1], *below[1]]):
        return NO_DATA
    left, top, bottom = 52, 56, 26
    every_tick = _ticks(max(*above[1], *below[1]))[1]
    up, down = (
        [every_tick * index for index in range(math.ceil(max(counts) / every_tick - 1e-9) + 1)]
        for counts in (above[1], below[1])
    )
    scale = (height - top - bottom) / (up[-1] + down[-1])
    base = top + up[-1] * scale
    parts = [*_legend([above[0], below[0]], left), _text(0, top - 18, unit, "start", "unit")]
    for tick, y in [*((tick, base - tick * scale) for tick in up), *((tick, base + tick * scale) for tick in down[1:])]:
        parts.append(f'<path class="grid" d="M{left},{y:.1f}H{width}"/>')
        parts.append(_text(left - 8, y + 4, f"{tick:,g}", "end"))
    step = (width - left) / len(labels)
    every = _label_step(labels, step)
    for tone, sign, (name, counts) in (("a", -1, above), ("b", 1, below)):
        for index, (label, count) in enumerate(zip(labels, counts, strict=True)):
            size = count * scale
            parts.append(
                f'<rect class="fill-{tone}" x="{left + (index + 0.08) * step:.1f}" '
                f'y="{base - size if sign < 0 else base:.1f}" width="{step * 0.84:.1f}" height="{size:.1f}">'
                f"<title>{escape(f'{label}, {name}: {number(count)} {unit}')}</title></rect>"
            )
    parts += [
        _text(left + (index + 0.5) * step, height - 8, label, "middle")
        for index, label in enumerate(labels)
        if index % every == 0
    ]
    return _svg(width, height, title, parts)


def plane(
    series: Sequence[Line],
    title: str,
    x_unit: str,
    y_unit: str,
    diagonal: str = "",
    width: int = 520,
    height: int = 420,
) -> Markup:
    """Curves in the square from 0 to 1, such as a ROC curve.

    Args:
        series: The curves, at most four; ours first.
        title: What is seen.
        x_unit: Of the axis below.
        y_unit: Of the upright axis.
        diagonal: What the dashed line from (0, 0) to (1, 1) means, as a hint; none is drawn without it.
        width: Of the drawing.
        height: Of the drawing.
    """
    series = [line for line in series if line.points]
    if not series:
        return NO_DATA
    left, top, bottom, right = 52, 56, 44, 10
    base, tall, wide = height - bottom, height - top - bottom, width - left - right
    ticks = _ticks(1.0)
    parts = _legend([line.name for line in series], left)
    parts += _grid(ticks, left, width - right, base, tall, y_unit)
    for tick in ticks:
        x = left + tick * wide
        parts.append(f'<path class="grid" d="M{x:.1f},{top}V{base}"/>')
        parts.append(_text(x, base + 17, f"{tick:g}", "middle"))
    parts.append(_text(width - right, height - 6, x_unit, "end", "unit"))
    if diagonal:
        parts.append(
            f'<path class="guide" d="M{left},{base}L{left + wide},{top}"><title>{escape(diagonal)}</title></path>'
        )
    # ours last, to lie on top
    for index, line in reversed(list(enumerate(series))):
        places = [(left + x * wide, base - y * tall) for x, y in line.points]
        way = "L".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<path class="line-{"abcn"[index]}" d="M{way}"/>')
        for (x, y), hint in zip(places if line.hints else [], line.hints, strict=True):
            parts.append(
                f'<circle class="fill-{"abcn"[index]}" cx="{x:.1f}" cy="{y:.1f}" r="4">'
                f"<title>{escape(f'{line.name}: {hint}')}</title></circle>"
            )
    return _svg(width, height, title, parts)


def intervals(
    groups: Sequence[tuple[str, Sequence[Estimate]]],
    title: str,
    unit: str,
    width: int = 520,
    reference: float | None = None,
) -> Markup:
    """Points with their intervals, grouped under headings, on one axis that spans what is shown.

    The axis need not start at zero: positions are compared here, not lengths. A group without a name has no heading.
    `reference` is drawn as a dashed line through all rows.
    """
    groups = [(name, rows) for name, rows in groups if rows]
    if not groups:
        return NO_DATA
    every = [row for _, rows in groups for row in rows]
    shown = [] if reference is None else [reference]
    low = min([*shown, *(min(row.value, row.value if row.low is None else row.low) for row in every)])
    high = max([*shown, *(max(row.value, row.value if row.high is None else row.high) for row in every)])
    start, end = math.floor(low * 10) / 10, math.ceil(high * 10) / 10
    left = min(max(_text_width(row.label) for row in every) + 24, width * 0.46)
    values = {row: f"{row.value:.3f}" + (f" · {row.note}" if row.note else "") for row in every}
    right = max(60, *(_text_width(text) + 14 for text in values.values()))
    scale = (width - left - right) / ((end - start) or 1)
    parts, y = [], 0.0
    for name, rows in groups:
        if name:
            parts.append(_text(0, y + 17, name, "start", "group"))
            y += 24
        for row in rows:
            tone, x = ("a" if row.is_main else "n"), left + (row.value - start) * scale
            parts.append(_text(left - 12, y + 15, _clip(row.label, left - 16), "end"))
            if row.low is not None and row.high is not None:
                x1, x2 = left + (row.low - start) * scale, left + (row.high - start) * scale
                whisker = f"M{x1:.1f},{y + 6}v10M{x2:.1f},{y + 6}v10M{x1:.1f},{y + 11}H{x2:.1f}"
                parts.append(f'<path class="line-{tone}" d="{whisker}"/>')
            parts.append(f'<circle class="fill-{tone}" cx="{x:.1f}" cy="{y + 11}" r="4"/>')
            parts.append(_text(width, y + 15, values[row], "end", "value"))
            y += 22
        y += 8
    if reference is not None:
        parts.insert(0, f'<path class="guide" d="M{left + (reference - start) * scale:.1f},0V{y}"/>')
    axis = [f'<path class="grid" d="M{left:.1f},{y}H{width - right}"/>']
    # tenths, fewer where they would touch
    count = round((end - start) * 10)
    for tick in range(0, count + 1, max(1, math.ceil(count / 6))):
        x = left + tick / 10 * scale
        axis.append(f'<path class="grid" d="M{x:.1f},0V{y}"/>')
        axis.append(_text(x, y + 16, f"{start + tick / 10:.1f}", "middle"))
    axis.append(_text(width, y + 16, unit, "end", "unit"))
    return _svg(width, y + 24, title, axis + parts)


def matrix(
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    cells: Sequence[Sequence[int]],
    title: str,
    row_name: str,
    column_name: str,
    width: int = 420,
) -> Markup:
    """A heat map of counts: shade is the share within the row, the numbers stand in the cells."""
    if not any(any(row) for row in cells):
        return NO_DATA
    left, top = max(map(_text_width, row_labels)) + 44, 46
    size = (width - left) / len(column_labels)
    parts = [
        _text(left + (width - left) / 2, 14, column_name, "middle", "unit"),
        f'<text class="unit" text-anchor="middle" transform="translate(12 {top + 36 * len(cells)}) rotate(-90)">'
        f"{escape(row_name)}</text>",
    ]
    parts += [_text(left + (i + 0.5) * size, 36, label, "middle") for i, label in enumerate(column_labels)]
    for r, row in enumerate(cells):
        y, total = top + r * 72, sum(row) or 1
        parts.append(_text(left - 10, y + 40, row_labels[r], "end"))
        for c, value in enumerate(row):
            share, x = value / total, left + c * size
            parts += [
                f'<rect class="frame" x="{x + 1:.1f}" y="{y + 1}" width="{size - 2:.1f}" height="70" rx="3"/>',
                # 0.6 at most, so that the text above keeps its contrast in light and dark
                f'<rect class="fill-a" fill-opacity="{0.06 + 0.54 * share:.2f}" x="{x + 1:.1f}" y="{y + 1}" '
                f'width="{size - 2:.1f}" height="70" rx="3"/>',
                _text(x + size / 2, y + 34, number(value), "middle", "cell"),
                _text(x + size / 2, y + 54, f"{100 * share:.1f} % of row", "middle"),
            ]
    return _svg(width, top + 72 * len(cells) + 2, title, parts)


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> Markup:
    body = "".join(parts)
    return Markup(
        f'<svg class="chart" role="img" viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{body}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(series: Sequence[str], left: float) -> list[str]:
    parts, x = [], left
    for index, name in enumerate(series):
        parts.append(f'<rect class="fill-{"abcn"[index]}" x="{x:.1f}" y="4" width="11" height="11" rx="2"/>')
        parts.append(_text(x + 16, 14, name, "start"))
        x += _text_width(name) + 36
    return parts


def _grid(ticks: Sequence[float], left: float, width: float, base: float, scale: float, unit: str) -> list[str]:
    parts = [_text(0, base - (ticks[-1] - ticks[0]) * scale - 18, unit, "start", "unit")]
    for tick in ticks:
        y = base - (tick - ticks[0]) * scale
        parts.append(f'<path class="grid" d="M{left},{y:.1f}H{width}"/>')
        parts.append(_text(left - 8, y + 4, f"{tick:,g}", "end"))
    return parts


def _ticks(top: float, bottom: float = 0.0) -> list[float]:
    """From 0, or at most `bottom`, to at least `top` in steps of 1, 2 or 5 times a power of ten: 2 to 7 of them."""
    span = top - bottom
    if span <= 0:
        return [bottom, bottom + 1.0]
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * 5 >= span * (1 - 1e-9))
    first, last = math.floor(bottom / step + 1e-9), math.ceil(top / step - 1e-9)
    return [step * index for index in range(first, last + 1)]


def _label_step(labels: Sequence[str], step: float) -> int:
    return max(1, math.ceil((max(map(_text_width, labels)) + 10) / max(step, 1)))


def _text_width(text: str) -> float:
    """Estimate a text's width in pixels: CJK characters are square, others a little over half of that."""
    return sum(_TEXT if unicodedata.east_asian_width(char) in "WF" else _TEXT * 0.57 for char in text)


def _clip(text: str, width: float) -> str:
    while len(text) > 1 and _text_width(text) > width:
        text = text.rstrip("…")[:-1] + "…"
    return text
