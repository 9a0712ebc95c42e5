"""Draws curves: lines over an ordered axis, and curves in a plane."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from reviewgen_spark.reports.charts.drawing import NO_DATA, axis_ticks, grid, label_step, legend, number, svg, text_at


@dataclass(frozen=True)
class Line:
    """Holds a curve through points of a plane. The hint of a point is shown under the mouse."""

    name: str
    points: Sequence[tuple[float, float]]
    hints: Sequence[str] = ()  # none, or one a point; points with hints are drawn as dots


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
    """Draws lines over an ordered axis. None leaves a gap. A single point is drawn as a dot.

    Args:
        labels: Labels of the axis, one a point.
        series: Name and values, at most four.
        title: What the chart shows.
        unit: Of the values.
        width: Of the drawing.
        height: Of the drawing.
        top_value: Upper end of the axis, such as 100 for percent; default: from the values.
        bottom_value: The axis starts here or a little below. It may differ from 0, because positions are compared.
        digits: Decimals of the values in hints.
    """
    known = [value for _, values in series for value in values if value is not None]
    if not known:
        return NO_DATA
    left, top, bottom, right = 52, 56, 26, 24
    ticks = axis_ticks(top_value or max(known), bottom_value)
    base, scale = height - bottom, (height - top - bottom) / (ticks[-1] - ticks[0])
    step = (width - left - right * 2) / max(len(labels) - 1, 1)
    xs = [left + right + index * step for index in range(len(labels))]
    parts = legend([name for name, _ in series], left)
    parts += grid(ticks, left, width, base, scale, unit)
    every = label_step(labels, step)
    parts += [text_at(x, height - 8, label, "middle") for x, label in list(zip(xs, labels, strict=True))[::every]]
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
    return svg(width, height, title, parts)


def plane(
    series: Sequence[Line],
    title: str,
    x_unit: str,
    y_unit: str,
    diagonal: str = "",
    width: int = 520,
    height: int = 420,
) -> Markup:
    """Draws curves in the square from 0 to 1, such as a ROC curve.

    Args:
        series: The curves, at most four; the main one first.
        title: What the chart shows.
        x_unit: Of the horizontal axis.
        y_unit: Of the vertical axis.
        diagonal: What the dashed line from (0, 0) to (1, 1) means, as a hint; none is drawn without it.
        width: Of the drawing.
        height: Of the drawing.
    """
    series = [line for line in series if line.points]
    if not series:
        return NO_DATA
    left, top, bottom, right = 52, 56, 44, 10
    base, tall, wide = height - bottom, height - top - bottom, width - left - right
    ticks = axis_ticks(1.0)
    parts = legend([line.name for line in series], left)
    parts += grid(ticks, left, width - right, base, tall, y_unit)
    for tick in ticks:
        x = left + tick * wide
        parts.append(f'<path class="grid" d="M{x:.1f},{top}V{base}"/>')
        parts.append(text_at(x, base + 17, f"{tick:g}", "middle"))
    parts.append(text_at(width - right, height - 6, x_unit, "end", "unit"))
    if diagonal:
        parts.append(
            f'<path class="guide" d="M{left},{base}L{left + wide},{top}"><title>{escape(diagonal)}</title></path>'
        )
    # the main curve last, so that it is on top
    for index, line in reversed(list(enumerate(series))):
        positions = [(left + x * wide, base - y * tall) for x, y in line.points]
        path = "L".join(f"{x:.1f},{y:.1f}" for x, y in positions)
        parts.append(f'<path class="line-{"abcn"[index]}" d="M{path}"/>')
        for (x, y), hint in zip(positions if line.hints else [], line.hints, strict=True):
            parts.append(
                f'<circle class="fill-{"abcn"[index]}" cx="{x:.1f}" cy="{y:.1f}" r="4">'
                f"<title>{escape(f'{line.name}: {hint}')}</title></circle>"
            )
    return svg(width, height, title, parts)
