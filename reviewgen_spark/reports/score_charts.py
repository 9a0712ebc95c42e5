"""A model's figures on one split, beside those of its baselines: as charts, as a table, in words."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from markupsafe import Markup

from reviewgen_spark.reports import charts
from reviewgen_spark.reports.charts import Estimate

MODELS = {"model": "fine-tuned model", "tfidf_logistic": "TF-IDF + logistic", "majority": "majority class"}
METRICS = {
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
SIDES = ("positive", "negative")


class Figure(Protocol):
    """A score on all rows of the split, with its 95 % bootstrap interval where it has one."""

    @property
    def model(self) -> str:
        """Which was scored."""

    @property
    def metric(self) -> str:
        """What was measured."""

    @property
    def value(self) -> float:
        """What came out."""

    @property
    def low(self) -> float | None:
        """The lower bound."""

    @property
    def high(self) -> float | None:
        """The upper bound."""


def draw_scores(scores: Sequence[Figure]) -> Markup:
    """Three metrics of every model with their intervals."""
    groups = []
    for metric in _DRAWN_METRICS:
        found = {score.model: score for score in scores if score.metric == metric}
        rows = [
            Estimate(
                MODELS.get(model, model), found[model].value, found[model].low, found[model].high, model == "model"
            )
            for model in _in_order(found)
        ]
        groups.append((METRICS[metric], rows))
    return charts.intervals(groups, "Scores with 95 % intervals", "score")


def draw_confusion(scores: Sequence[Figure]) -> Markup:
    """Our model's confusion matrix."""
    cells = {score.metric: int(score.value) for score in scores if score.model == "model"}
    if not {"tn", "fp", "fn", "tp"} <= set(cells):
        return charts.NO_DATA
    rows = ((cells["tp"], cells["fn"]), (cells["fp"], cells["tn"]))
    return charts.matrix(SIDES, SIDES, rows, "Confusion matrix", "true label", "predicted by the model")


def score_table(scores: Sequence[Figure]) -> list[dict[str, Any]]:
    """One row a model: its name, whether it is ours, and its scores by metric."""
    by_model: dict[str, dict[str, Any]] = {}
    for score in scores:
        if score.metric in METRICS:
            by_model.setdefault(score.model, {})[score.metric] = score
    return [
        {"name": MODELS.get(model, model), "is_main": model == "model", "scores": by_model[model]}
        for model in _in_order(by_model)
    ]


def tell_gains(scores: Sequence[Figure]) -> list[str]:
    """How much F1 ours gains over each baseline on the same rows, with its paired interval."""
    gains = []
    for score in scores:
        over = score.metric.removeprefix("f1_gain_over_")
        if over != score.metric and score.low is not None and score.high is not None:
            interval = f"{score.value:+.3f} ({score.low:+.3f} to {score.high:+.3f})"
            gains.append(f"{interval} over {MODELS.get(over, over)}")
    return gains


def _in_order(models: Mapping[str, Any]) -> list[str]:
    """Ours, then the baselines, then whatever else was scored."""
    return [name for name in MODELS if name in models] + sorted(name for name in models if name not in MODELS)
