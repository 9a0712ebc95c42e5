"""Shows a model's scores on one split beside those of its baselines: as charts, as a table, in words."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from markupsafe import Markup

from reviewgen_spark.reports import charts
from reviewgen_spark.reports.charts import PointEstimate

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
# F1 is not drawn, because it is 0 for a majority class of negative, which would stretch the axis. The mean F1 of both
# classes is drawn instead.
_DRAWN_METRICS = ("accuracy", "f1_macro", "auc")
SIDES = ("positive", "negative")


class Figure(Protocol):
    """Describes a score on all rows of the split, with its 95 % bootstrap interval if it has one."""

    @property
    def model(self) -> str:
        """Returns the name of the scored model."""

    @property
    def metric(self) -> str:
        """Returns the name of the metric."""

    @property
    def value(self) -> float:
        """Returns the value of the metric."""

    @property
    def low(self) -> float | None:
        """Returns the lower bound."""

    @property
    def high(self) -> float | None:
        """Returns the upper bound."""


def draw_scores(scores: Sequence[Figure]) -> Markup:
    """Draws three metrics of every model with their intervals."""
    groups = []
    for metric in _DRAWN_METRICS:
        by_model = {score.model: score for score in scores if score.metric == metric}
        rows = [
            PointEstimate(
                MODELS.get(model, model),
                by_model[model].value,
                by_model[model].low,
                by_model[model].high,
                model == "model",
            )
            for model in _in_order(by_model)
        ]
        groups.append((METRICS[metric], rows))
    return charts.intervals(groups, "Scores with 95 % intervals", "score")


def draw_confusion(scores: Sequence[Figure]) -> Markup:
    """Draws the confusion matrix of the fine-tuned model."""
    cells = {score.metric: int(score.value) for score in scores if score.model == "model"}
    if not {"tn", "fp", "fn", "tp"} <= set(cells):
        return charts.NO_DATA
    rows = ((cells["tp"], cells["fn"]), (cells["fp"], cells["tn"]))
    return charts.matrix(SIDES, SIDES, rows, "Confusion matrix", "true label", "predicted by the model")


def score_table(scores: Sequence[Figure]) -> list[dict[str, Any]]:
    """Returns one row a model: its name, whether it is the fine-tuned model, and its scores by metric."""
    by_model: dict[str, dict[str, Any]] = {}
    for score in scores:
        if score.metric in METRICS:
            by_model.setdefault(score.model, {})[score.metric] = score
    return [
        {"name": MODELS.get(model, model), "is_main": model == "model", "scores": by_model[model]}
        for model in _in_order(by_model)
    ]


def gain_lines(scores: Sequence[Figure]) -> list[str]:
    """Describes how much F1 is gained over each baseline on the same rows, with the paired interval."""
    gains = []
    for score in scores:
        baseline = score.metric.removeprefix("f1_gain_over_")
        if baseline != score.metric and score.low is not None and score.high is not None:
            interval = f"{score.value:+.3f} ({score.low:+.3f} to {score.high:+.3f})"
            gains.append(f"{interval} over {MODELS.get(baseline, baseline)}")
    return gains


def _in_order(models: Mapping[str, Any]) -> list[str]:
    """Returns the fine-tuned model, then the known baselines, then all other models by name."""
    return [name for name in MODELS if name in models] + sorted(name for name in models if name not in MODELS)
