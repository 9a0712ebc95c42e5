"""Model page: one HTML page a model, from its folder, its scores and its curves.

The page has no clock of its own and holds no review text: the same model and figures give the same bytes. Parts whose
figures were not computed are left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from reviewgen_spark.models.classifier.model_folder import CURVE_FILE, ModelSettings, folder_sha256, read_settings
from reviewgen_spark.models.evaluation.curves import Bin, Curves, calibration_error
from reviewgen_spark.models.evaluation.evaluation import CELLS, MODEL, Score
from reviewgen_spark.reports import charts
from reviewgen_spark.reports.charts import Estimate, Line
from reviewgen_spark.reports.html import LANGUAGES, fill
from reviewgen_spark.reports.score_charts import METRICS, MODELS, draw_confusion, draw_scores, score_table

FILE_NAME = "model_page.html"
SPLIT = "test"
MIN_ROWS = 20  # the interval of a smaller slice spans most of the axis and says nothing
MAX_SLICES = 20
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
_DRAWN_MODELS = (MODEL, "tfidf_logistic")
_PERTURBATIONS = {
    "none": "unperturbed",
    "swap": "neighbours swapped",
    "drop": "characters dropped",
    "double": "characters doubled",
    "homophones": "homophones",
    "emoji": "neutral emoji behind",
    "traditional": "traditional script",
    "negated": "negated",
}


@dataclass(frozen=True)
class ModelPage:
    """What the page shows."""

    settings: ModelSettings
    sha256: str
    training: Sequence[Mapping[str, float]]  # by epoch
    scores: Sequence[Score]
    curves: Curves | None = None
    train_rows: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What a baseline means for the model: the F1 gained over it on the same rows, with its paired interval."""

    baseline: str
    gain: float
    low: float
    high: float

    @property
    def finding(self) -> str:
        """In words."""
        if self.low > 0:
            return "better, and the whole interval says so"
        return "worse, and the whole interval says so" if self.high < 0 else "no difference that holds"


def write_model_page(
    model: Path, scores: Sequence[Score], curves: Curves | None, train_rows: int | None, out: Path
) -> Path:
    """Write `model_page.html` into the folder `out` and return its path.

    Args:
        model: a model folder.
        scores: of the model and its baselines.
        curves: of the same evaluation.
        train_rows: labelled rows that it could learn from, where that is known.
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
    """Turn the figures into the page; every name is escaped."""
    whole = [score for score in page.scores if (score.split, score.slice_name) == (SPLIT, "all")]
    slices = {name: _slice_scores(page.scores, name) for name in ("category", "lang", "length", "rating")}
    accuracy = next((score for score in whole if (score.model, score.metric) == (MODEL, "accuracy")), None)
    return fill(
        FILE_NAME,
        page=page,
        settings=page.settings,
        figures=dict.fromkeys((*METRICS, *CELLS)) | {score.metric: score for score in whole if score.model == MODEL},
        verdicts=_verdicts(whole),
        best_epoch=_best_epoch(page.training),
        charts=dict.fromkeys(_CHARTS)
        | {
            **_draw_training(page.training),
            **(_draw_curves(page.curves) if page.curves else {}),
            "scores": draw_scores(whole),
            "confusion": draw_confusion(whole),
            **{name: _draw_slices(name, found, accuracy) for name, found in slices.items() if _large(found)},
        },
        ece=(_calibration_errors(page.curves) if page.curves else None),
        left_out={name: _tell_left_out(found) for name, found in slices.items()},
        scores=score_table(whole),
        metric_names=METRICS,
        model_names=MODELS,
        robustness=_draw_robustness(page.scores),
        robust_rows=next(
            (score.rows for score in _slice_scores(page.scores, "robust") if "none" in score.slice_name), 0
        ),
        tasks=_task_table(page),
        min_rows=MIN_ROWS,
    )


def _verdicts(whole: Sequence[Score]) -> list[Verdict]:
    found = []
    for score in whole:
        baseline = score.metric.removeprefix("f1_gain_over_")
        if score.model == MODEL and baseline != score.metric and score.low is not None and score.high is not None:
            found.append(Verdict(MODELS.get(baseline, baseline), score.value, score.low, score.high))
    return found


def _best_epoch(training: Sequence[Mapping[str, float]]) -> int | None:
    known = [point for point in training if "validation_f1" in point]
    return int(max(known, key=lambda point: point["validation_f1"])["epoch"]) if known else None


def _draw_training(training: Sequence[Mapping[str, float]]) -> dict[str, Markup]:
    epochs = [str(int(point["epoch"])) for point in training]
    drawn = {}
    losses = [
        (name, [point.get(key) for point in training])
        for key, name in (("train_loss", "training"), ("validation_loss", "validation"))
    ]
    if any(value is not None for _name, values in losses for value in values):
        drawn["loss"] = charts.lines(epochs, losses, "Loss by epoch", "mean cross-entropy", digits=4)
    shares = [
        (name, [point.get(key) for point in training])
        for key, name in (("validation_f1", "F1"), ("validation_accuracy", "accuracy"))
    ]
    known = [value for _name, values in shares for value in values if value is not None]
    if known:
        # a little below the lowest, so that a single epoch has an axis too
        drawn["validation"] = charts.lines(
            epochs, shares, "Validation by epoch", "share", bottom_value=max(min(known) - 0.01, 0.0), digits=4
        )
    return drawn


def _draw_curves(curves: Curves) -> dict[str, Markup]:
    rankings = [(MODELS[name], curves.rankings[name]) for name in _DRAWN_MODELS if name in curves.rankings]
    edges = [f"{place / len(curves.positive_scores):.2f}" for place in range(len(curves.positive_scores))]
    drawn = {
        "reliability": charts.plane(
            [
                _reliability_line("calibrated", curves.calibrated),
                _reliability_line("before temperature", curves.uncalibrated),
            ],
            "Reliability diagram",
            "probability of positive, mean of its bin",
            "share that is positive",
            diagonal="as often as promised",
        ),
        "histogram": charts.mirrored_columns(
            edges,
            ("positive", curves.positive_scores),
            ("negative", curves.negative_scores),
            "Scores by label",
            "reviews",
            height=420,  # as tall as its neighbour
        ),
    }
    if rankings:
        drawn["roc"] = charts.plane(
            [Line(f"{name}, area {found.auc:.3f}", found.roc) for name, found in rankings],
            "ROC curve",
            "negatives taken for positive (false positive rate)",
            "positives found (true positive rate)",
            diagonal="by chance",
        )
        drawn["precision_recall"] = charts.plane(
            [Line(f"{name}, area {found.average_precision:.3f}", found.precision_recall) for name, found in rankings],
            "Precision and recall",
            "positives found (recall)",
            "right among those called positive (precision)",
        )
    return drawn


def _reliability_line(name: str, bins: Sequence[Bin]) -> Line:
    hints = [f"{each.positive:.3f} of {each.rows:,} reviews scored {each.score:.3f} are positive" for each in bins]
    return Line(
        f"{name}, ECE {calibration_error(tuple(bins)):.3f}", [(each.score, each.positive) for each in bins], hints
    )


def _calibration_errors(curves: Curves) -> dict[str, float]:
    return {
        "before": calibration_error(curves.uncalibrated),
        "after": calibration_error(curves.calibrated),
    }


def _slice_scores(scores: Sequence[Score], name: str) -> list[Score]:
    """The model's accuracy on each slice of one kind, in the order they were scored."""
    return [
        score
        for score in scores
        if (score.model, score.split, score.metric) == (MODEL, SPLIT, "accuracy")
        and score.slice_name.startswith(f"{name}=")
    ]


def _large(scores: Sequence[Score]) -> list[Score]:
    """The slices that are drawn: large enough, and the largest where there are many."""
    kept = sorted((score for score in scores if score.rows >= MIN_ROWS), key=lambda score: -score.rows)[:MAX_SLICES]
    return [score for score in scores if score in kept]


def _draw_slices(name: str, scores: Sequence[Score], overall: Score | None) -> Markup:
    """Weakest first, but what has an order of its own keeps it."""
    drawn = _large(scores)
    if name == "length":
        drawn = sorted(drawn, key=lambda score: int(_value_of(score).rstrip("+").split("-")[0]))
    elif name != "rating":
        drawn = sorted(drawn, key=lambda score: (score.value, score.slice_name))
    rows = [
        Estimate(_label(name, _value_of(score)), score.value, score.low, score.high, True, f"{score.rows:,} rows")
        for score in drawn
    ]
    return charts.intervals(
        [("", rows)], f"Accuracy by {name}", "accuracy", reference=overall.value if overall else None
    )


def _label(name: str, value: str) -> str:
    if name == "lang":
        return LANGUAGES.get(value, value)
    return f"{value} {'star' if value == '1' else 'stars'}" if name == "rating" else value


def _value_of(score: Score) -> str:
    return score.slice_name.partition("=")[2]


def _tell_left_out(scores: Sequence[Score]) -> str:
    count = len(scores) - len(_large(scores))
    if not count:
        return ""
    said = (
        f"fewer than {MIN_ROWS} rows, or than the {MAX_SLICES} largest have,"
        if len(scores) > MAX_SLICES
        else (f"fewer than {MIN_ROWS} rows")
    )
    return f" Slices with {said} are left out: {count:,}."


def _draw_robustness(scores: Sequence[Score]) -> Markup | None:
    """Each perturbation beside the unperturbed sample; the negated rows are another sample and stand apart."""
    found = {_value_of(score): score for score in _slice_scores(scores, "robust")}
    plain = found.pop("none", None)
    if plain is None:
        return None
    negated = found.pop("negated", None)
    same = [
        Estimate(
            _PERTURBATIONS.get(name, name),
            score.value,
            score.low,
            score.high,
            False,
            f"{score.value - plain.value:+.3f}",
        )
        for name, score in sorted(found.items(), key=lambda item: (item[1].value, item[0]))
    ]
    groups = [("Same labels", [Estimate(_PERTURBATIONS["none"], plain.value, plain.low, plain.high, True), *same])]
    if negated:
        row = Estimate(
            _PERTURBATIONS["negated"], negated.value, negated.low, negated.high, False, f"{negated.rows:,} rows"
        )
        groups.append(("Opposite labels", [row]))
    return charts.intervals(groups, "Accuracy under perturbations", "accuracy", width=560, reference=plain.value)


def _task_table(page: ModelPage) -> list[dict[str, Any]]:
    """A row for each task beside the first, with its labels and figures."""
    by_task: dict[str, dict[str, Score]] = {}
    for score in page.scores:
        kind, _, task = score.slice_name.partition("=")
        if (score.model, score.split, kind) == (MODEL, SPLIT, "task"):
            by_task.setdefault(task, {})[score.metric] = score
    labels = {head.task: head.labels for head in page.settings.heads}
    return [
        {"task": task, "labels": labels.get(task, ()), "rows": next(iter(found.values())).rows, "scores": found}
        for task, found in by_task.items()
    ]
