"""Report: one HTML page that opens without a network, from the tables.

`collect` asks Spark for figures, `render` turns them into the page; charts are drawn by `charts`, the page is
`report.html`. The page has no clock of its own: the same tables give the same bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reviewgen_spark import charts
from reviewgen_spark.charts import Bar, Estimate
from reviewgen_spark.report_data import Evaluation, ReportData, Sentiment, Word
from reviewgen_spark.report_queries import collect

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from reviewgen_spark.sections import ReportSection

__all__ = ["ReportData", "collect", "render", "write_report"]

FILE_NAME = "report.html"

_MODELS = {"model": "fine-tuned model", "tfidf_logistic": "TF-IDF + logistic", "majority": "majority class"}
_METRICS = {
    "accuracy": "Accuracy",
    "f1": "F1",
    "f1_macro": "F1, mean of classes",
    "precision": "Precision",
    "recall": "Recall",
    "auc": "AUC",
    "ece": "Calibration error",
}
# The F1 of a majority that says negative is 0 and would squeeze the axis; the mean of both classes' F1 is fair to it.
_DRAWN_METRICS = ("accuracy", "f1_macro", "auc")
_LANGUAGES = {
    "zh-hans": "Chinese, simplified",
    "zh-hant": "Chinese, traditional",
    "en": "English",
    "mixed": "mixed",
    "other": "other",
}
_SIDES = ("positive", "negative")


def write_report(tables: Mapping[str, "DataFrame"], section: "ReportSection", out: Path) -> Path:
    """Write `report.html` into the folder `out` and return its path."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / FILE_NAME
    path.write_text(render(collect(tables, section)), encoding="utf-8")
    return path


def render(data: ReportData) -> str:
    """Turn the figures into the page; names and reasons are escaped, sections without data say so."""
    environment = Environment(
        loader=PackageLoader("reviewgen_spark", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=charts.number, share=_share)
    return environment.get_template(FILE_NAME).render(
        data=data,
        charts=_draw(data),
        words=_word_charts(data.words),
        gains=_gains(data.evaluation),
        scores=_score_table(data.evaluation),
        weak=_weak_summary(data),
        metric_names=_METRICS,
        caveat=_caveat,
    )


def _draw(data: ReportData) -> dict[str, Markup]:
    """Every chart of the page by name."""
    return {
        "days": charts.columns(
            [Bar(day[5:], count) for day, count in data.days.items()], "Reviews by day of writing", "reviews"
        ),
        "quarantine": charts.bars(
            [Bar(reason, count) for reason, count in data.quarantine.items()],
            "Refused records by reason",
            "records; one with two reasons counts under both",
            tone="b",
        ),
        "languages": _counts(
            {_LANGUAGES.get(code, code): count for code, count in data.languages.items()}, "Language", "reviews"
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
        "scores": _score_chart(data.evaluation),
        "confusion": _confusion(data.evaluation),
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
    """Bars with each count's share of all."""
    total = sum(counts.values())
    return charts.bars([Bar(name, n, _share(n, total)) for name, n in counts.items()], title, unit)


def _sentiments(groups: Sequence[Sentiment], title: str) -> Markup:
    rows = [(group.name, (group.positive, group.negative)) for group in groups]
    return charts.stacked_bars(rows, _SIDES, title, "reviews")


def _word_charts(words: Sequence[Word]) -> list[Markup]:
    """Two halves on one scale, to stand side by side."""
    items = [Bar(word.word, word.z, f"{word.negative_count:,} : {word.positive_count:,}") for word in words]
    half, unit = (len(items) + 1) // 2, "z-score · negative : positive reviews with the word"
    top = max((item.value for item in items), default=None)
    halves = [part for part in (items[:half], items[half:]) if part]
    return [charts.bars(part, "Words of complaint", unit, tone="b", digits=1, top_value=top) for part in halves]


def _score_chart(evaluation: Evaluation | None) -> Markup:
    if evaluation is None:
        return charts.NO_DATA
    groups = []
    for metric in _DRAWN_METRICS:
        found = {score.model: score for score in evaluation.scores if score.metric == metric}
        rows = [
            Estimate(
                _MODELS.get(model, model), found[model].value, found[model].low, found[model].high, model == "model"
            )
            for model in _model_order(found)
        ]
        groups.append((_METRICS[metric], rows))
    return charts.intervals(groups, "Scores with 95 % intervals", "score")


def _confusion(evaluation: Evaluation | None) -> Markup:
    scores = evaluation.scores if evaluation else ()
    cells = {score.metric: int(score.value) for score in scores if score.model == "model"}
    if not {"tn", "fp", "fn", "tp"} <= set(cells):
        return charts.NO_DATA
    rows = ((cells["tp"], cells["fn"]), (cells["fp"], cells["tn"]))
    return charts.matrix(_SIDES, _SIDES, rows, "Confusion matrix", "true label", "predicted by the model")


def _score_table(evaluation: Evaluation | None) -> list[dict[str, Any]]:
    """One row a model: its name, whether it is ours, and its scores by metric."""
    by_model: dict[str, dict[str, Any]] = {}
    for score in evaluation.scores if evaluation else ():
        if score.metric in _METRICS:
            by_model.setdefault(score.model, {})[score.metric] = score
    return [
        {"name": _MODELS.get(model, model), "is_main": model == "model", "scores": by_model[model]}
        for model in _model_order(by_model)
    ]


def _gains(evaluation: Evaluation | None) -> list[str]:
    """How much F1 ours gains over each baseline on the same rows, with its paired interval."""
    gains = []
    for score in evaluation.scores if evaluation else ():
        over = score.metric.removeprefix("f1_gain_over_")
        if over != score.metric and score.low is not None and score.high is not None:
            interval = f"{score.value:+.3f} ({score.low:+.3f} to {score.high:+.3f})"
            gains.append(f"{interval} over {_MODELS.get(over, over)}")
    return gains


def _model_order(models: Mapping[str, Any]) -> list[str]:
    """Ours, then the baselines, then whatever else was scored."""
    return [name for name in _MODELS if name in models] + sorted(name for name in models if name not in _MODELS)


def _weak_matrix(data: ReportData) -> Markup:
    cells = [[data.weak_votes.get((weak, label), 0) for label in _SIDES] for weak in _SIDES]
    return charts.matrix(_SIDES, _SIDES, cells, "Weak label against model", "weak label", "model")


def _weak_summary(data: ReportData) -> dict[str, int]:
    """Rows, rows with a vote, rows that model and voters both label, and on how many of these they agree."""
    votes = data.weak_votes
    both = {pair: count for pair, count in votes.items() if None not in pair}
    return {
        "rows": sum(votes.values()),
        "voted": sum(count for (weak, _), count in votes.items() if weak is not None),
        "both": sum(both.values()),
        "agreed": sum(count for (weak, label), count in both.items() if weak == label),
    }


def _caveat(data: ReportData, *columns: str) -> str:
    """Say which of a chart's columns the source made up; nothing when none."""
    made_up = [column for column in columns if column in data.synthetic_columns]
    if not made_up:
        return ""
    return f" Synthetic here: {', '.join(made_up)}; the figures show the pipeline, not the world."


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _first(counts: Mapping[str, int], top: int) -> dict[str, int]:
    return dict(list(counts.items())[:top])


def _in_order(groups: Sequence[Sentiment], names: Sequence[str]) -> list[Sentiment]:
    return sorted(groups, key=lambda group: names.index(group.name) if group.name in names else len(names))
