"""Draws estimates: points with their intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reviewgen_spark.reports.charts.drawing import NO_DATA, clip, svg, text_at, text_width


@dataclass(frozen=True)
class PointEstimate:
    """Holds a point with its interval, for a row of its own. `is_main` highlights the point among the others.

    `note` is written after the value, such as a number of rows.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    is_main: bool = False
    note: str = ""


def intervals(
    groups: Sequence[tuple[str, Sequence[PointEstimate]]],
    title: str,
    unit: str,
    width: int = 520,
    reference: float | None = None,
) -> Markup:
    """Draws points with their intervals, grouped under headings, on one axis that spans the shown values.

    The axis need not start at zero, because positions are compared, not lengths. A group without a name has no heading.
    `reference` is drawn as a dashed line through all rows.
    """
    groups = [(name, rows) for name, rows in groups if rows]
    if not groups:
        return NO_DATA
    every = [row for _, rows in groups for row in rows]
    references = [] if reference is None else [reference]
    low = min([*references, *(min(row.value, row.value if row.low is None else row.low) for row in every)])
    high = max([*references, *(max(row.value, row.value if row.high is None else row.high) for row in every)])
    start, end = math.floor(low * 10) / 10, math.ceil(high * 10) / 10
    left = min(max(text_width(row.label) for row in every) + 24, width * 0.46)
    values = {row: f"{row.value:.3f}" + (f" · {row.note}" if row.note else "") for row in every}
    right = max(60, *(text_width(text) + 14 for text in values.values()))
    scale = (width - left - right) / ((end - start) or 1)
    parts, y = [], 0.0
    for name, rows in groups:
        if name:
            parts.append(text_at(0, y + 17, name, "start", "group"))
            y += 24
        for row in rows:
            tone, x = ("a" if row.is_main else "n"), left + (row.value - start) * scale
            parts.append(text_at(left - 12, y + 15, clip(row.label, left - 16), "end"))
            if row.low is not None and row.high is not None:
                x1, x2 = left + (row.low - start) * scale, left + (row.high - start) * scale
                whisker = f"M{x1:.1f},{y + 6}v10M{x2:.1f},{y + 6}v10M{x1:.1f},{y + 11}H{x2:.1f}"
                parts.append(f'<path class="line-{tone}" d="{whisker}"/>')
            parts.append(f'<circle class="fill-{tone}" cx="{x:.1f}" cy="{y + 11}" r="4"/>')
            parts.append(text_at(width, y + 15, values[row], "end", "value"))
            y += 22
        y += 8
    if reference is not None:
        parts.insert(0, f'<path class="guide" d="M{left + (reference - start) * scale:.1f},0V{y}"/>')
    axis = [f'<path class="grid" d="M{left:.1f},{y}H{width - right}"/>']
    # tenths, fewer if their labels would touch
    count = round((end - start) * 10)
    for tick in range(0, count + 1, max(1, math.ceil(count / 6))):
        x = left + tick / 10 * scale
        axis.append(f'<path class="grid" d="M{x:.1f},0V{y}"/>')
        axis.append(text_at(x, y + 16, f"{start + tick / 10:.1f}", "middle"))
    axis.append(text_at(width, y + 16, unit, "end", "unit"))
    return svg(width, y + 24, title, axis + parts)
