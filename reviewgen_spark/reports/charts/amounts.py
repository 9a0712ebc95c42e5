"""Draws charts of amounts: bars, columns, and a matrix of counts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from reviewgen_spark.reports.charts.drawing import (
    NO_DATA,
    axis_ticks,
    clip,
    grid,
    label_step,
    legend,
    number,
    svg,
    text_at,
    text_width,
)

_ROW = 26  # height of a horizontal bar with its gap


@dataclass(frozen=True)
class Bar:
    """Holds a labelled amount. `note` is written after the value, such as a share."""

    label: str
    value: float
    note: str = ""


def bars(
    items: Sequence[Bar],
    title: str,
    unit: str,
    width: int = 520,
    tone: str = "a",
    digits: int = 0,
    top_value: float | None = None,
) -> Markup:
    """Draws horizontal bars from zero, each with its label and value.

    Args:
        items: In the order shown.
        title: What the chart shows, for `<title>`.
        unit: Of the values, written below.
        width: Of the drawing.
        tone: Colour class: `a`, `b` or `n` (neutral).
        digits: Decimals of the values.
        top_value: Value of the longest possible bar, so that two charts can share a scale.
    """
    if not items:
        return NO_DATA
    left = min(max(text_width(item.label) for item in items) + 12, width * 0.42)
    texts = [number(item.value, digits) + (f" · {item.note}" if item.note else "") for item in items]
    right = max(map(text_width, texts)) + 14
    scale = (width - left - right) / (top_value or max(item.value for item in items) or 1)
    parts = []
    for row, (item, text) in enumerate(zip(items, texts, strict=True)):
        y, length = row * _ROW, max(item.value * scale, 0)
        parts += [
            text_at(left - 8, y + 17, clip(item.label, left - 8), "end"),
            f'<rect class="fill-{tone}" x="{left:.1f}" y="{y + 4}" width="{max(length, 0.5):.1f}" height="18" rx="2"/>',
            text_at(left + length + 6, y + 17, text, "start", "value"),
        ]
    height = len(items) * _ROW + 20
    parts.append(text_at(left, height - 4, unit, "start", "unit"))
    return svg(width, height, title, parts)


def stacked_bars(
    rows: Sequence[tuple[str, Sequence[float]]],
    series: Sequence[str],
    title: str,
    unit: str,
    width: int = 520,
) -> Markup:
    """Draws horizontal bars of equal length, divided by share. The total is written at the end.

    Args:
        rows: A label and an amount for each series.
        series: Names for the legend, at most four.
        title: What the chart shows.
        unit: Of the totals.
        width: Of the drawing.
    """
    rows = [row for row in rows if sum(row[1]) > 0]
    if not rows:
        return NO_DATA
    left = min(max(text_width(label) for label, _ in rows) + 12, width * 0.36)
    totals = [number(sum(values)) for _, values in rows]
    right = max(text_width(text) for text in [*totals, unit]) + 14
    span, top = width - left - right, 28
    parts = legend(series, left)
    parts.append(text_at(width, 14, unit, "end", "unit"))
    for row, ((label, values), total) in enumerate(zip(rows, totals, strict=True)):
        y, x, amount = top + row * _ROW, left, sum(values)
        parts.append(text_at(left - 8, y + 17, clip(label, left - 8), "end"))
        for index, value in enumerate(values):
            part = span * value / amount
            hint = escape(f"{label}, {series[index]}: {number(value)} of {total}")
            parts.append(
                f'<rect class="fill-{"abcn"[index]}" x="{x:.1f}" y="{y + 4}" width="{part:.1f}" height="18">'
                f"<title>{hint}</title></rect>"
            )
            if part > 44:
                parts.append(text_at(x + part / 2, y + 17, f"{100 * value / amount:.0f} %", "middle", "inside"))
            x += part
        parts.append(text_at(width, y + 17, total, "end", "value"))
    return svg(width, top + len(rows) * _ROW + 4, title, parts)


def columns(items: Sequence[Bar], title: str, unit: str, width: int = 520, height: int = 226) -> Markup:
    """Draws vertical bars over an ordered axis, such as days. Values are written above them if all fit."""
    if not items:
        return NO_DATA
    left, top, bottom = 52, 40, 26
    step = (width - left) / len(items)
    ticks = axis_ticks(max(item.value for item in items))
    scale = (height - top - bottom) / ticks[-1]
    base = height - bottom
    parts = grid(ticks, left, width, base, scale, unit)
    every = label_step([item.label for item in items], step)
    has_room = max(text_width(number(item.value)) for item in items) < step
    for index, item in enumerate(items):
        x, size = left + index * step, item.value * scale
        middle = x + step / 2
        hint = escape(f"{item.label}: {number(item.value)} {unit}")
        parts.append(
            f'<rect class="fill-a" x="{x + step * 0.12:.1f}" y="{base - size:.1f}" width="{step * 0.76:.1f}" '
            f'height="{size:.1f}" rx="2"><title>{hint}</title></rect>'
        )
        if has_room:
            parts.append(text_at(middle, base - size - 5, number(item.value), "middle", "value"))
        if index % every == 0:
            parts.append(text_at(middle, height - 8, item.label, "middle"))
    return svg(width, height, title, parts)


def mirrored_columns(
    labels: Sequence[str],
    above: tuple[str, Sequence[int]],
    below: tuple[str, Sequence[int]],
    title: str,
    unit: str,
    width: int = 520,
    height: int = 300,
) -> Markup:
    """Draws two series of counts at one ordered axis: the first above it, the second below it, on one scale.

    Args:
        labels: Labels of the axis, one a column.
        above: Name and counts of the upper series.
        below: Name and counts of the lower series.
        title: What the chart shows.
        unit: Of the counts.
        width: Of the drawing.
        height: Of the drawing.
    """
    if not any([*above[1], *below[1]]):
        return NO_DATA
    left, top, bottom = 52, 56, 26
    every_tick = axis_ticks(max(*above[1], *below[1]))[1]
    up, down = (
        [every_tick * index for index in range(math.ceil(max(counts) / every_tick - 1e-9) + 1)]
        for counts in (above[1], below[1])
    )
    scale = (height - top - bottom) / (up[-1] + down[-1])
    base = top + up[-1] * scale
    parts = [*legend([above[0], below[0]], left), text_at(0, top - 18, unit, "start", "unit")]
    for tick, y in [*((tick, base - tick * scale) for tick in up), *((tick, base + tick * scale) for tick in down[1:])]:
        parts.append(f'<path class="grid" d="M{left},{y:.1f}H{width}"/>')
        parts.append(text_at(left - 8, y + 4, f"{tick:,g}", "end"))
    step = (width - left) / len(labels)
    every = label_step(labels, step)
    for tone, sign, (name, counts) in (("a", -1, above), ("b", 1, below)):
        for index, (label, count) in enumerate(zip(labels, counts, strict=True)):
            size = count * scale
            parts.append(
                f'<rect class="fill-{tone}" x="{left + (index + 0.08) * step:.1f}" '
                f'y="{base - size if sign < 0 else base:.1f}" width="{step * 0.84:.1f}" height="{size:.1f}">'
                f"<title>{escape(f'{label}, {name}: {number(count)} {unit}')}</title></rect>"
            )
    parts += [
        text_at(left + (index + 0.5) * step, height - 8, label, "middle")
        for index, label in enumerate(labels)
        if index % every == 0
    ]
    return svg(width, height, title, parts)


def matrix(
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    cells: Sequence[Sequence[int]],
    title: str,
    row_name: str,
    column_name: str,
    width: int = 420,
) -> Markup:
    """Draws a heat map of counts. The shade is the share within the row, and each cell shows its count."""
    if not any(any(row) for row in cells):
        return NO_DATA
    left, top = max(map(text_width, row_labels)) + 44, 46
    size = (width - left) / len(column_labels)
    parts = [
        text_at(left + (width - left) / 2, 14, column_name, "middle", "unit"),
        f'<text class="unit" text-anchor="middle" transform="translate(12 {top + 36 * len(cells)}) rotate(-90)">'
        f"{escape(row_name)}</text>",
    ]
    parts += [text_at(left + (i + 0.5) * size, 36, label, "middle") for i, label in enumerate(column_labels)]
    for r, row in enumerate(cells):
        y, total = top + r * 72, sum(row) or 1
        parts.append(text_at(left - 10, y + 40, row_labels[r], "end"))
        for c, value in enumerate(row):
            share, x = value / total, left + c * size
            parts += [
                f'<rect class="frame" x="{x + 1:.1f}" y="{y + 1}" width="{size - 2:.1f}" height="70" rx="3"/>',
                # 0.6 at most, so that the text above keeps its contrast in light and dark
                f'<rect class="fill-a" fill-opacity="{0.06 + 0.54 * share:.2f}" x="{x + 1:.1f}" y="{y + 1}" '
                f'width="{size - 2:.1f}" height="70" rx="3"/>',
                text_at(x + size / 2, y + 34, number(value), "middle", "cell"),
                text_at(x + size / 2, y + 54, f"{100 * share:.1f} % of row", "middle"),
            ]
    return svg(width, top + 72 * len(cells) + 2, title, parts)
