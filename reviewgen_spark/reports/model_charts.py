"""Draws the charts of a model page from its training, its curves and its scores."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from reviewgen_spark.models.evaluation.curves import Bin, Curves, calibration_error
from reviewgen_spark.models.evaluation.evaluation import MODEL, Score
from reviewgen_spark.reports import charts
from reviewgen_spark.reports.charts import Line, PointEstimate
from reviewgen_spark.reports.html import LANGUAGES
from reviewgen_spark.reports.score_charts import MODELS

SPLIT = "test"
MIN_ROWS = 20  # the interval of a smaller slice covers most of the axis
MAX_SLICES = 20
_DRAWN_MODELS = (MODEL, "tfidf_logistic")
_PERTURBATIONS = {
    "none": "unperturbed",
    "swap": "neighbours swapped",
    "drop": "characters dropped",
    "double": "characters doubled",
    "homophones": "homophones",
    "emoji": "neutral emoji appended",
    "traditional": "traditional script",
    "negated": "negated",
}


def draw_training(training: Sequence[Mapping[str, float]]) -> dict[str, Markup]:
    """Draws loss and validation scores by epoch; leaves out a chart without values."""
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


def draw_curves(curves: Curves) -> dict[str, Markup]:
    """Draws the reliability diagram, the histogram, and the curves of the models that have them."""
    rankings = [(MODELS[name], curves.rankings[name]) for name in _DRAWN_MODELS if name in curves.rankings]
    edges = [f"{index / len(curves.positive_scores):.2f}" for index in range(len(curves.positive_scores))]
    drawn = {
        "reliability": charts.plane(
            [
                _reliability_line("calibrated", curves.calibrated),
                _reliability_line("before temperature", curves.uncalibrated),
            ],
            "Reliability diagram",
            "mean probability of positive in the bin",
            "share of positive reviews",
            diagonal="perfect calibration",
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
            [Line(f"{name}, area {ranking.auc:.3f}", ranking.roc) for name, ranking in rankings],
            "ROC curve",
            "false positive rate",
            "true positive rate (recall)",
            diagonal="chance",
        )
        drawn["precision_recall"] = charts.plane(
            [
                Line(f"{name}, area {ranking.average_precision:.3f}", ranking.precision_recall)
                for name, ranking in rankings
            ],
            "Precision and recall",
            "recall",
            "precision",
        )
    return drawn


def _reliability_line(name: str, bins: Sequence[Bin]) -> Line:
    hints = [f"{each.positive:.3f} of {each.rows:,} reviews scored {each.score:.3f} are positive" for each in bins]
    return Line(
        f"{name}, ECE {calibration_error(tuple(bins)):.3f}", [(each.score, each.positive) for each in bins], hints
    )


def calibration_errors(curves: Curves) -> dict[str, float]:
    """Returns the calibration error before and after the temperature."""
    return {
        "before": calibration_error(curves.uncalibrated),
        "after": calibration_error(curves.calibrated),
    }


def slice_scores(scores: Sequence[Score], name: str) -> list[Score]:
    """Returns the model's accuracy on each slice of one kind, in the order of the scores."""
    return [
        score
        for score in scores
        if (score.model, score.split, score.metric) == (MODEL, SPLIT, "accuracy")
        and score.slice_name.startswith(f"{name}=")
    ]


def drawn_slices(scores: Sequence[Score]) -> list[Score]:
    """Returns the slices to draw: the largest `MAX_SLICES` of those with `MIN_ROWS` rows."""
    largest = sorted((score for score in scores if score.rows >= MIN_ROWS), key=lambda score: -score.rows)[:MAX_SLICES]
    return [score for score in scores if score in largest]


def draw_slices(name: str, scores: Sequence[Score], overall: Score | None) -> Markup:
    """Draws the accuracy by slice, weakest first. Lengths and stars keep their own order."""
    drawn = drawn_slices(scores)
    if name == "length":
        drawn = sorted(drawn, key=lambda score: int(_value_of(score).rstrip("+").split("-")[0]))
    elif name != "rating":
        drawn = sorted(drawn, key=lambda score: (score.value, score.slice_name))
    rows = [
        PointEstimate(_label(name, _value_of(score)), score.value, score.low, score.high, True, f"{score.rows:,} rows")
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


def left_out_note(scores: Sequence[Score]) -> str:
    """Returns a sentence with the number of slices that are not drawn; empty for none."""
    count = len(scores) - len(drawn_slices(scores))
    if not count:
        return ""
    limit = (
        f"fewer than {MIN_ROWS} rows, or than the {MAX_SLICES} largest have,"
        if len(scores) > MAX_SLICES
        else (f"fewer than {MIN_ROWS} rows")
    )
    return f" Slices with {limit} are left out: {count:,}."


def draw_robustness(scores: Sequence[Score]) -> Markup | None:
    """Draws each perturbation beside the unperturbed sample. Negated rows are another sample and form a group."""
    by_name = {_value_of(score): score for score in slice_scores(scores, "robust")}
    plain = by_name.pop("none", None)
    if plain is None:
        return None
    negated = by_name.pop("negated", None)
    same = [
        PointEstimate(
            _PERTURBATIONS.get(name, name),
            score.value,
            score.low,
            score.high,
            False,
            f"{score.value - plain.value:+.3f}",
        )
        for name, score in sorted(by_name.items(), key=lambda item: (item[1].value, item[0]))
    ]
    groups = [("Same labels", [PointEstimate(_PERTURBATIONS["none"], plain.value, plain.low, plain.high, True), *same])]
    if negated:
        row = PointEstimate(
            _PERTURBATIONS["negated"], negated.value, negated.low, negated.high, False, f"{negated.rows:,} rows"
        )
        groups.append(("Opposite labels", [row]))
    return charts.intervals(groups, "Accuracy under perturbations", "accuracy", width=560, reference=plain.value)
