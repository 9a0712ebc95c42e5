"""Builds the report from the tables: one HTML page that opens without a network.

`collect` computes the figures with Spark, and `render` fills the template `report.html` with them. `charts` draws. The
page contains no current time, so the same tables give the same bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from markupsafe import Markup

from reviewgen_spark.reports import charts
from reviewgen_spark.reports.charts import Bar
from reviewgen_spark.reports.html import LANGUAGES, fill, share
from reviewgen_spark.reports.nightly.figures import ReportData, Sentiment, Word
from reviewgen_spark.reports.nightly.queries import collect
from reviewgen_spark.reports.score_charts import METRICS, SIDES, draw_confusion, draw_scores, gain_lines, score_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from reviewgen_spark.config import ReportSection

__all__ = ["ReportData", "collect", "render", "write_report"]

FILE_NAME = "report.html"


def write_report(
    tables: Mapping[str, "DataFrame"],
    section: "ReportSection",
    out: Path,
    sources: Mapping[int, str] = MappingProxyType({}),
) -> Path:
    """Writes `report.html` into the folder `out` and returns its path; `sources` are those of the batches."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / FILE_NAME
    path.write_text(render(collect(tables, section, sources)), encoding="utf-8")
    return path


def render(data: ReportData) -> str:
    """Fills the page with the figures. Names and reasons are escaped. Sections without data say so."""
    scores = data.evaluation.scores if data.evaluation else ()
    return fill(
        FILE_NAME,
        data=data,
        charts=_draw(data),
        words=_word_charts(data.words),
        gains=gain_lines(scores),
        scores=score_table(scores),
        weak=_weak_summary(data),
        metric_names=METRICS,
        caveat=_caveat,
    )


def _draw(data: ReportData) -> dict[str, Markup]:
    """Draws every chart of the page; returns them by name."""
    scores = data.evaluation.scores if data.evaluation else ()
    return {
        "days": charts.columns(
            [Bar(day[5:], count) for day, count in data.days.items()], "Reviews by day of writing", "reviews"
        ),
        "quarantine": charts.bars(
            [Bar(reason, count) for reason, count in data.quarantine.items()],
            "Refused records by reason",
            "records; a record with two reasons is counted twice",
            tone="b",
        ),
        "languages": _counts(
            {LANGUAGES.get(code, code): count for code, count in data.languages.items()}, "Language", "reviews"
        ),
        "masks": charts.bars(
            [Bar(kind, count) for kind, count in data.masks.items()], "Personal data masked", "masks set", tone="n"
        ),
        "rules": charts.bars(
            [Bar(rule, count) for rule, count in _first(data.rules, 10).items()], "Texts changed", "reviews", tone="n"
        ),
        "copy_groups": charts.bars(
            [Bar(size, count) for size, count in data.copy_groups.items()],
            "How often a text occurs",
            "different texts",
            tone="n",
        ),
        "splits": _sentiments(_in_order(data.splits, ("train", "validation", "test", "none")), "Sentiment by split"),
        "categories": _sentiments(data.categories, "Sentiment by category"),
        "sentiment_days": charts.lines(
            [day.name[5:] for day in data.sentiment_days],
            [("positive", [100 * day.positive / (day.positive + day.negative) for day in data.sentiment_days])],
            "Share of positive reviews by day",
            "% of labelled reviews",
            top_value=100,
        ),
        "score_bins": charts.columns(
            [Bar(f"{index / len(data.score_bins):.2f}", count) for index, count in enumerate(data.score_bins)],
            "Probability of positive",
            "reviews",
        ),
        "scores": draw_scores(scores),
        "confusion": draw_confusion(scores),
        "weak": _weak_matrix(data),
        "stages": charts.bars(
            [Bar(stage.stage, stage.seconds) for stage in data.stages if stage.runs],
            "Seconds by stage",
            "seconds, all successful runs",
            tone="n",
            digits=1,
        ),
    }


def _counts(counts: Mapping[str, int], title: str, unit: str) -> Markup:
    """Draws bars with each count's share of all."""
    total = sum(counts.values())
    return charts.bars([Bar(name, n, share(n, total)) for name, n in counts.items()], title, unit)


def _sentiments(groups: Sequence[Sentiment], title: str) -> Markup:
    rows = [(group.name, (group.positive, group.negative)) for group in groups]
    return charts.stacked_bars(rows, SIDES, title, "reviews")


def _word_charts(words: Sequence[Word]) -> list[Markup]:
    """Draws the words as two charts on one scale, to be shown side by side."""
    items = [Bar(word.word, word.z, f"{word.negative_count:,} : {word.positive_count:,}") for word in words]
    half, unit = (len(items) + 1) // 2, "z-score · negative : positive reviews"
    top = max((item.value for item in items), default=None)
    halves = [part for part in (items[:half], items[half:]) if part]
    return [
        charts.bars(part, "Words that are more frequent in negative reviews", unit, tone="b", digits=1, top_value=top)
        for part in halves
    ]


def _weak_matrix(data: ReportData) -> Markup:
    cells = [[data.weak_votes.get((weak, label), 0) for label in SIDES] for weak in SIDES]
    return charts.matrix(SIDES, SIDES, cells, "Weak label against model", "weak label", "model")


def _weak_summary(data: ReportData) -> dict[str, int]:
    """Counts rows, rows with a weak label, rows with both labels, and rows on which both labels agree."""
    votes = data.weak_votes
    with_both = {pair: count for pair, count in votes.items() if None not in pair}
    return {
        "rows": sum(votes.values()),
        "voted": sum(count for (weak, _), count in votes.items() if weak is not None),
        "both": sum(with_both.values()),
        "agreed": sum(count for (weak, label), count in with_both.items() if weak == label),
    }


def _caveat(data: ReportData, *columns: str) -> str:
    """Returns a note on the synthetic columns of a chart; empty if it has none."""
    synthetic = [column for column in columns if column in data.synthetic_columns]
    if not synthetic:
        return ""
    return f" Synthetic here: {', '.join(synthetic)}; the figures test the pipeline and describe no real shop."


def _first(counts: Mapping[str, int], top: int) -> dict[str, int]:
    return dict(list(counts.items())[:top])


def _in_order(groups: Sequence[Sentiment], names: Sequence[str]) -> list[Sentiment]:
    return sorted(groups, key=lambda group: names.index(group.name) if group.name in names else len(names))
