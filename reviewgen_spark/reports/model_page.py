"""Builds the page of a model from its folder, its scores and its curves.

The page contains no current time and no review text, so the same model and figures give the same bytes. Parts without
figures are left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reviewgen_spark.models.classifier.model_folder import CURVE_FILE, ModelSettings, folder_sha256, read_settings
from reviewgen_spark.models.evaluation.curves import Curves
from reviewgen_spark.models.evaluation.evaluation import CELLS, MODEL, Score
from reviewgen_spark.reports.html import fill
from reviewgen_spark.reports.model_charts import (
    MIN_ROWS,
    SPLIT,
    calibration_errors,
    draw_curves,
    draw_robustness,
    draw_slices,
    draw_training,
    drawn_slices,
    left_out_note,
    slice_scores,
)
from reviewgen_spark.reports.score_charts import METRICS, MODELS, draw_confusion, draw_scores, score_table

FILE_NAME = "model_page.html"
_CHARTS = (
    "loss",
    "validation",
    "roc",
    "precision_recall",
    "reliability",
    "histogram",
    "category",
    "lang",
    "length",
    "rating",
)


@dataclass(frozen=True)
class ModelPage:
    """Holds what the page shows."""

    settings: ModelSettings
    sha256: str
    training: Sequence[Mapping[str, float]]  # by epoch
    scores: Sequence[Score]
    curves: Curves | None = None
    train_rows: int | None = None


@dataclass(frozen=True)
class BaselineGain:
    """Holds the F1 that the model gains over a baseline on the same rows, with its paired interval."""

    baseline: str
    gain: float
    low: float
    high: float

    @property
    def finding(self) -> str:
        """Returns the result in words."""
        if self.low > 0:
            return "significantly better (95 %)"
        return "significantly worse (95 %)" if self.high < 0 else "no significant difference"


def write_model_page(
    model: Path, scores: Sequence[Score], curves: Curves | None, train_rows: int | None, out: Path
) -> Path:
    """Writes `model_page.html` into the folder `out` and return its path.

    Args:
        model: a model folder.
        scores: of the model and its baselines.
        curves: of the same evaluation.
        train_rows: labelled rows for its training; None if unknown.
        out: an existing folder.

    Raises:
        ModelNotFoundError: `model` is no model folder.
    """
    training = json.loads((model / CURVE_FILE).read_text(encoding="utf-8"))
    page = ModelPage(read_settings(model), folder_sha256(model), training, scores, curves, train_rows)
    path = out / FILE_NAME
    path.write_text(render(page), encoding="utf-8")
    return path


def render(page: ModelPage) -> str:
    """Fills the page with the figures; every name is escaped."""
    whole = [score for score in page.scores if (score.split, score.slice_name) == (SPLIT, "all")]
    slices = {name: slice_scores(page.scores, name) for name in ("category", "lang", "length", "rating")}
    accuracy = next((score for score in whole if (score.model, score.metric) == (MODEL, "accuracy")), None)
    return fill(
        FILE_NAME,
        page=page,
        settings=page.settings,
        figures=dict.fromkeys((*METRICS, *CELLS)) | {score.metric: score for score in whole if score.model == MODEL},
        gains=_baseline_gains(whole),
        best_epoch=_best_epoch(page.training),
        charts=dict.fromkeys(_CHARTS)
        | {
            **draw_training(page.training),
            **(draw_curves(page.curves) if page.curves else {}),
            "scores": draw_scores(whole),
            "confusion": draw_confusion(whole),
            **{name: draw_slices(name, rows, accuracy) for name, rows in slices.items() if drawn_slices(rows)},
        },
        ece=(calibration_errors(page.curves) if page.curves else None),
        left_out={name: left_out_note(rows) for name, rows in slices.items()},
        scores=score_table(whole),
        metric_names=METRICS,
        model_names=MODELS,
        robustness=draw_robustness(page.scores),
        robust_rows=next(
            (score.rows for score in slice_scores(page.scores, "robust") if "none" in score.slice_name), 0
        ),
        tasks=_task_table(page),
        min_rows=MIN_ROWS,
    )


def _baseline_gains(whole: Sequence[Score]) -> list[BaselineGain]:
    gains = []
    for score in whole:
        baseline = score.metric.removeprefix("f1_gain_over_")
        if score.model == MODEL and baseline != score.metric and score.low is not None and score.high is not None:
            gains.append(BaselineGain(MODELS.get(baseline, baseline), score.value, score.low, score.high))
    return gains


def _best_epoch(training: Sequence[Mapping[str, float]]) -> int | None:
    known = [point for point in training if "validation_f1" in point]
    return int(max(known, key=lambda point: point["validation_f1"])["epoch"]) if known else None


def _task_table(page: ModelPage) -> list[dict[str, Any]]:
    """Returns a row for each task besides the first, with its labels and figures."""
    by_task: dict[str, dict[str, Score]] = {}
    for score in page.scores:
        kind, _, task = score.slice_name.partition("=")
        if (score.model, score.split, kind) == (MODEL, SPLIT, "task"):
            by_task.setdefault(task, {})[score.metric] = score
    labels = {head.task: head.labels for head in page.settings.heads}
    return [
        {"task": task, "labels": labels.get(task, ()), "rows": next(iter(scores.values())).rows, "scores": scores}
        for task, scores in by_task.items()
    ]
