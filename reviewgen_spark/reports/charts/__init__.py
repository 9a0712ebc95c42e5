"""Draws charts as inline SVG: pure functions from numbers to markup, no script, no network.

Colours are CSS classes of the page, so that one place sets light and dark. Every text is escaped here. Every chart has
a `<title>` for readers who cannot see it. Widths are in CSS pixels at 1:1; the page scales down, never up.
"""

from reviewgen_spark.reports.charts.amounts import Bar, bars, columns, matrix, mirrored_columns, stacked_bars
from reviewgen_spark.reports.charts.curves import Line, lines, plane
from reviewgen_spark.reports.charts.drawing import NO_DATA, number
from reviewgen_spark.reports.charts.estimates import PointEstimate, intervals

__all__ = [
    "NO_DATA",
    "Bar",
    "Line",
    "PointEstimate",
    "bars",
    "columns",
    "intervals",
    "lines",
    "matrix",
    "mirrored_columns",
    "number",
    "plane",
    "stacked_bars",
]
