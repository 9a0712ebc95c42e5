import re
from xml.etree import ElementTree

import pytest

from reviewgen_spark.reports import charts
from reviewgen_spark.reports.charts import Bar, Line, PointEstimate
from reviewgen_spark.reports.charts.drawing import TEXT_SIZE, axis_ticks, clip, text_width

SVG = "{http://www.w3.org/2000/svg}"


def drawn(markup):
    """Parses a chart as XML: it must be well formed, because it is part of a page."""
    return ElementTree.fromstring(str(markup))


def rects(markup, kind):
    return [r for r in drawn(markup).iter(f"{SVG}rect") if r.get("class") == kind]


def texts(markup):
    return [t.text for t in drawn(markup).iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_values():
    chart = charts.bars([Bar("a", 200), Bar("b", 50), Bar("c", 0)], "t", "reviews")
    lengths = [float(r.get("width")) for r in rects(chart, "fill-a")]
    assert lengths[1] / lengths[0] == pytest.approx(0.25, abs=0.001)
    assert lengths[2] == 0.5  # a sliver, so that a zero row is still a row
    assert "200" in texts(chart) and "reviews" in texts(chart)


def test_bars_share_a_scale_with_the_same_top_value():
    full, half = (
        float(rects(charts.bars([Bar("a", 5)], "t", "u", top_value=top), "fill-a")[0].get("width")) for top in (5, 10)
    )
    assert half / full == pytest.approx(0.5, abs=0.001)


def test_stacked_bars_show_shares_and_leave_empty_rows_out():
    chart = charts.stacked_bars([("x", (30, 10)), ("empty", (0, 0))], ("positive", "negative"), "t", "reviews")
    blue = [float(r.get("width")) for r in rects(chart, "fill-a")][1:]  # the first is the legend's
    orange = [float(r.get("width")) for r in rects(chart, "fill-b")][1:]
    assert len(blue) == len(orange) == 1
    assert blue[0] / orange[0] == pytest.approx(3, rel=0.01)
    assert {"75 %", "25 %", "40"} <= set(texts(chart))
    assert "empty" not in texts(chart)


def test_columns_reach_the_grid_line_of_their_value():
    chart = charts.columns([Bar("01-05", 4), Bar("01-06", 2)], "t", "reviews", height=226)
    # 226 high, 40 above and 26 below: 160 px for the top tick, which is 4
    assert [float(r.get("height")) for r in rects(chart, "fill-a")] == [160.0, 80.0]


def test_lines_have_a_gap_at_a_missing_value():
    chart = charts.lines(["a", "b", "c", "d"], [("s", [10.0, None, 20.0, 40.0])], "t", "%")
    (path,) = [p.get("d") for p in drawn(chart).iter(f"{SVG}path") if p.get("class") == "line-a"]
    assert re.sub(r"[^ML]", "", path) == "MML"
    assert len(list(drawn(chart).iter(f"{SVG}circle"))) == 3


def test_intervals_place_values_on_an_axis_of_tenths():
    rows = [PointEstimate("ours", 0.75, 0.7, 0.8, is_main=True), PointEstimate("majority", 0.5)]
    chart = charts.intervals([("Accuracy", rows), ("AUC", [])], "t", "score")
    ours, majority = (float(c.get("cx")) for c in drawn(chart).iter(f"{SVG}circle"))
    labels = texts(chart)
    assert labels[:4] == ["0.5", "0.6", "0.7", "0.8"]
    at = {t.text: float(t.get("x")) for t in drawn(chart).iter(f"{SVG}text") if t.get("text-anchor") == "middle"}
    assert majority == at["0.5"]
    assert ours == pytest.approx((at["0.7"] + at["0.8"]) / 2, abs=0.1)
    assert "AUC" not in labels


def test_intervals_show_notes_and_the_reference():
    rows = [PointEstimate("x", 0.75, 0.7, 0.8, note="1,234 rows")]
    chart = charts.intervals([("", rows)], "t", "score", reference=0.9)
    labels = texts(chart)
    assert "0.750 · 1,234 rows" in labels and "" not in labels
    at = {t.text: float(t.get("x")) for t in drawn(chart).iter(f"{SVG}text") if t.get("text-anchor") == "middle"}
    (guide,) = [p.get("d") for p in drawn(chart).iter(f"{SVG}path") if p.get("class") == "guide"]
    assert float(guide.removeprefix("M").partition(",")[0]) == pytest.approx(at["0.9"], abs=0.1)


def test_lines_may_start_above_zero():
    chart = charts.lines(["1", "2"], [("s", [0.8, 0.9])], "t", "share", bottom_value=0.79, height=242, digits=3)
    assert {"0.75", "0.9"} <= set(texts(chart)) and "0" not in texts(chart)
    low, high = (float(c.get("cy")) for c in drawn(chart).iter(f"{SVG}circle"))
    assert high == 56  # the top tick is 0.9: 56 px for legend and unit
    assert (216 - low) / (216 - high) == pytest.approx(0.05 / 0.15, abs=0.01)


def test_plane_puts_the_corners_in_the_corners():
    line = Line("ours", [(0, 0), (0.5, 1), (1, 1)], ["a", "b", "c"])
    chart = charts.plane(
        [line, Line("theirs", [(0, 0), (1, 1)])], "t", "x", "y", diagonal="chance", width=520, height=420
    )
    paths = {p.get("class"): p.get("d") for p in drawn(chart).iter(f"{SVG}path") if p.get("class") != "grid"}
    assert paths["line-a"] == "M52.0,376.0L281.0,56.0L510.0,56.0"
    assert paths["line-b"] == "M52.0,376.0L510.0,56.0"
    assert paths["guide"] == "M52,376L510,56"
    assert [t.text for t in drawn(chart).iter(f"{SVG}title")][2:] == ["ours: a", "ours: b", "ours: c"]
    assert list(paths).index("line-b") < list(paths).index("line-a")  # ours is drawn on top


def test_mirrored_columns_share_a_scale_and_meet_at_the_axis():
    chart = charts.mirrored_columns(["0", "1"], ("up", [0, 400]), ("down", [200, 0]), "t", "reviews")
    (_, up), (down, _) = rects(chart, "fill-a")[1:], rects(chart, "fill-b")[1:]  # the first are the legend's
    height, y = (float(up.get(name)) for name in ("height", "y"))
    assert float(down.get("height")) == pytest.approx(height / 2, abs=0.1)
    assert float(down.get("y")) == pytest.approx(y + height, abs=0.1)


def test_matrix_shades_by_share_of_the_row():
    chart = charts.matrix(("p", "n"), ("p", "n"), ((90, 10), (0, 50)), "t", "true", "predicted")
    shades = [float(r.get("fill-opacity")) for r in rects(chart, "fill-a")]
    assert shades == [0.55, 0.11, 0.06, 0.6]  # 0.06 + 0.54 * (0.9, 0.1, 0, 1)
    assert {"90", "90.0 % of row", "10.0 % of row", "100.0 % of row"} <= set(texts(chart))


@pytest.mark.parametrize(
    "chart",
    [
        charts.bars([], "t", "u"),
        charts.stacked_bars([("x", (0, 0))], ("a", "b"), "t", "u"),
        charts.columns([], "t", "u"),
        charts.lines([], [], "t", "u"),
        charts.lines(["a"], [("s", [None])], "t", "u"),
        charts.intervals([("Accuracy", [])], "t", "u"),
        charts.matrix(("p", "n"), ("p", "n"), ((0, 0), (0, 0)), "t", "r", "c"),
        charts.plane([Line("a", [])], "t", "x", "y"),
        charts.mirrored_columns(["0"], ("a", [0]), ("b", [0]), "t", "u"),
    ],
)
def test_an_empty_chart_says_no_data(chart):
    assert chart == charts.NO_DATA


def test_one_point_and_all_zero_values_are_drawn():
    assert "<circle" in charts.lines(["a"], [("s", [0.0])], "t", "u")
    assert "<rect" in charts.columns([Bar("a", 0)], "t", "u")
    assert "<rect" in charts.bars([Bar("a", 0)], "t", "u")
    assert "<circle" in charts.intervals([("F1", [PointEstimate("a", 0.5)])], "t", "u")


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "</svg>", "a & b", '" onload="x'])
def test_every_text_is_escaped(evil):
    for chart in (
        charts.bars([Bar(evil, 1, evil)], evil, evil),
        charts.stacked_bars([(evil, (1, 2))], (evil, evil), evil, evil),
        charts.columns([Bar(evil, 1)], evil, evil),
        charts.lines([evil], [(evil, [1.0])], evil, evil),
        charts.intervals([(evil, [PointEstimate(evil, 0.5, 0.4, 0.6)])], evil, evil),
        charts.matrix((evil, evil), (evil, evil), ((1, 2), (3, 4)), evil, evil, evil),
        charts.intervals([(evil, [PointEstimate(evil, 0.5, note=evil)])], evil, evil, reference=0.5),
        charts.plane([Line(evil, [(0, 1)], [evil])], evil, evil, evil, diagonal=evil),
        charts.mirrored_columns([evil], (evil, [1]), (evil, [2]), evil, evil),
    ):
        names = {element.tag.removeprefix(SVG) for element in drawn(chart).iter()}
        assert names <= {"svg", "title", "rect", "text", "path", "circle"}
        assert not any("onload" in element.attrib for element in drawn(chart).iter())


@pytest.mark.parametrize(
    ("top", "ticks"),
    [
        (0, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (100, [0, 20, 40, 60, 80, 100]),
        (4799, [0, 1000, 2000, 3000, 4000, 5000]),
        (0.03, [0, 0.01, 0.02, 0.03]),
    ],
)
def test_ticks_are_round_and_reach_the_top(top, ticks):
    assert axis_ticks(top) == pytest.approx(ticks)


def test_ticks_may_start_above_zero():
    assert axis_ticks(0.8, 0.7) == pytest.approx([0.7, 0.72, 0.74, 0.76, 0.78, 0.8])
    assert axis_ticks(0.91, 0.79) == pytest.approx([0.75, 0.8, 0.85, 0.9, 0.95])
    assert axis_ticks(0.5, 0.5) == [0.5, 1.5]


def test_long_labels_are_cut_and_chinese_counts_double():
    assert text_width("酒店") == 2 * TEXT_SIZE
    assert text_width("LANDLINE") > text_width("landline")
    assert clip("abcdefghij", 40) == "abcd…"
    assert clip("短", 1) == "短"
