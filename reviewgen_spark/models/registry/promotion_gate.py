"""Decides whether a candidate replaces the champion, from the predictions of both on the same rows.

The rows are the test split of one pinned corpus, whatever corpus the champion was trained on. Models are selected on
validation, so the test split was not used before. Uses only numpy; `candidate_scoring.py` runs the models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reviewgen_spark.config import RegisterCompressedSection, RegisterSection
from reviewgen_spark.models.evaluation.metrics import confusion, count_metrics, paired_f1_gain

if TYPE_CHECKING:
    from reviewgen_spark.models.compression.variants import VariantFigures

SLICES = ("category", "lang")  # not stars: a slice by stars has almost only one label
SAMPLES = 1000
SEED = 42

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ScoredModel:
    """Holds the predictions, size and latency of a model, which are the inputs of the gate."""

    predictions: Ints  # (N,) 0 or 1, in the order of the test rows
    labels: tuple[str, ...]  # what its predictions mean
    size_mb: float
    latency_ms: float  # of one text alone, on one thread


@dataclass(frozen=True)
class TestRows:
    """Holds the labels and slices of the test rows of both models."""

    labels: Ints  # (N,) 0 or 1
    slices: Mapping[str, npt.NDArray[np.object_]]  # name -> (N,) values, None where unknown


@dataclass(frozen=True)
class GateCheck:
    """Holds the result of one check of the gate; its text can be published."""

    name: str
    passed: bool
    finding: str


@dataclass(frozen=True)
class GateResult:
    """Holds the results of all checks."""

    checks: tuple[GateCheck, ...]

    @property
    def promoted(self) -> bool:
        """Returns whether all checks passed; the candidate then becomes champion."""
        return all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """Returns one line for `ops_model_promotions`: the failed checks, or all checks if none failed."""
        reported = [check for check in self.checks if not check.passed] or list(self.checks)
        return "; ".join(f"{check.name}: {check.finding}" for check in reported)


def judge(rows: TestRows, candidate: ScoredModel, champion: ScoredModel | None, section: RegisterSection) -> GateResult:
    """Returns the results of all checks, also after one has failed, because one run must show all faults.

    Without a champion only the limits are checked, because the label stage needs a model.
    """
    checks = [
        _limit("size", candidate.size_mb, section.max_size_mb, "MB"),
        _limit("latency", candidate.latency_ms, section.max_latency_ms, "ms a text"),
    ]
    if champion is None:
        f1 = _f1(rows.labels, candidate.predictions)
        checks.insert(0, GateCheck("champion", True, f"there is none; test F1 {f1:.4f} on {len(rows.labels):,} rows"))
        return GateResult(tuple(checks))
    is_same = candidate.labels == champion.labels
    finding = f"labels are {', '.join(candidate.labels)}"
    if not is_same:
        finding += f"; the champion's are {', '.join(champion.labels)}"
    checks.insert(0, GateCheck("signature", is_same, finding))
    checks[1:1] = [_gain(rows, candidate, champion, section), _slices(rows, candidate, champion, section)]
    return GateResult(tuple(checks))


def judge_compressed(
    teacher: "VariantFigures", compressed: "VariantFigures", section: RegisterCompressedSection
) -> GateResult:
    """Decides whether a compressed model gets its alias: small loss of F1, smaller size, more rows a second."""
    lost, speedup = compressed.f1_lost, compressed.rows_per_s / teacher.rows_per_s
    return GateResult(
        (
            GateCheck(
                "F1 lost",
                lost <= section.max_f1_loss,
                f"test F1 {compressed.f1:.4f} against the teacher's {teacher.f1:.4f}, {lost:+.4f} lost (95 %: "
                f"{compressed.f1_lost_low:+.4f} to {compressed.f1_lost_high:+.4f}), the limit is "
                f"{section.max_f1_loss:g}",
            ),
            GateCheck(
                "size",
                compressed.size_mb < teacher.size_mb,
                f"{compressed.size_mb:.1f} MB of weights, the teacher has {teacher.size_mb:.1f}",
            ),
            GateCheck("speed", speedup > 1, f"{speedup:.2f} times the teacher's rows a second on one thread"),
        )
    )


def flips(rows: TestRows, candidate: Ints, champion: Ints) -> list[tuple[str, int, int, int]]:
    """Counts changed labels by category: (category, rows, to positive, to negative), most changed first."""
    categories = np.asarray([str(value) for value in rows.slices["category"]], dtype=object)
    counts = []
    for category in sorted(set(categories)):
        is_of_category = categories == category
        to_positive = int((is_of_category & (champion == 0) & (candidate == 1)).sum())
        to_negative = int((is_of_category & (champion == 1) & (candidate == 0)).sum())
        counts.append((category, int(is_of_category.sum()), to_positive, to_negative))
    return sorted(counts, key=lambda row: (-(row[2] + row[3]) / row[1], row[0]))


def _gain(rows: TestRows, candidate: ScoredModel, champion: ScoredModel, section: RegisterSection) -> GateCheck:
    gain = paired_f1_gain(rows.labels, candidate.predictions, champion.predictions, SAMPLES, SEED)
    decisive = gain.low if section.evidence == "interval" else gain.value
    candidate_f1, champion_f1 = (_f1(rows.labels, model.predictions) for model in (candidate, champion))
    passed = decisive > section.min_f1_gain
    relation = "is" if passed else "is not"
    return GateCheck(
        "gain",
        passed,
        f"test F1 {candidate_f1:.4f} against {champion_f1:.4f}, {gain.value:+.4f} (95 %: {gain.low:+.4f} to "
        f"{gain.high:+.4f}) on {len(rows.labels):,} rows, {relation} more than {section.min_f1_gain:+g} by the "
        f"{section.evidence}",
    )


def _slices(rows: TestRows, candidate: ScoredModel, champion: ScoredModel, section: RegisterSection) -> GateCheck:
    """Checks the slice with the largest loss of accuracy.

    Accuracy is used, because F1 has no meaning in a slice of one label.
    """
    drops: list[tuple[float, str, int]] = []
    for name in SLICES:
        values = rows.slices[name]
        for value in {value for value in values if value is not None}:
            indices = np.flatnonzero(values == value)
            if len(indices) >= section.min_slice_rows:
                accuracies = [
                    (model.predictions[indices] == rows.labels[indices]).mean() for model in (champion, candidate)
                ]
                drops.append((float(accuracies[0] - accuracies[1]), f"{name}={value}", len(indices)))
    if not drops:
        return GateCheck("slices", True, f"none has {section.min_slice_rows} rows")
    drop, name, count = max(drops)
    return GateCheck(
        "slices",
        drop <= section.max_slice_drop,
        f"{name} ({count:,} rows) has the worst change of accuracy, {-drop:+.4f}; the limit is "
        f"{-section.max_slice_drop:+g}",
    )


def _limit(name: str, value: float, limit: float | None, unit: str) -> GateCheck:
    if limit is None:
        return GateCheck(name, True, f"{value:.1f} {unit}, no limit set")
    return GateCheck(name, value <= limit, f"{value:.1f} {unit}, the limit is {limit:g}")


def _f1(labels: Ints, predictions: Ints) -> float:
    return float(count_metrics(confusion(labels, predictions))["f1"])


def decide_labels(probabilities: npt.NDArray[np.float64], threshold: float) -> Ints:
    """Converts (N,) probabilities of positive to (N,) labels, by the threshold of the model."""
    return (probabilities >= threshold).astype(np.int64)


def check_lines(result: GateResult) -> Sequence[str]:
    """Returns one line per check, for people."""
    return [f"{'passed' if check.passed else 'FAILED'}  {check.name}: {check.finding}" for check in result.checks]
