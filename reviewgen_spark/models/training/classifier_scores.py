"""Runs a classifier during training, computes validation scores, and calibrates heads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reviewgen_spark.models.classifier.heads import Head, margins, probabilities
from reviewgen_spark.models.classifier.tokenizer import Tokens
from reviewgen_spark.models.data.batches import cut_by_token_budget, model_inputs
from reviewgen_spark.models.data.targets import MISSING
from reviewgen_spark.models.evaluation.metrics import (
    class_cells,
    class_metrics,
    confusion,
    count_metrics,
    fit_temperature,
)
from reviewgen_spark.models.training.optimizer import LoopSettings
from reviewgen_spark.models.training.trainer import autocast

EVALUATION_TOKENS = 8192


def inputs_of(rows: Sequence[Tokens], has_types: bool, pad_id: int, device: str) -> dict[str, torch.Tensor]:
    """Returns the inputs of the model for some rows, each (B, T)."""
    types = [row.types for row in rows] if has_types else None
    return model_inputs([row.ids for row in rows], types, pad_id, device)


def run_model(
    model: Any, rows: Sequence[Tokens], keys: Sequence[str], has_types: bool, pad_id: int, settings: LoopSettings
) -> npt.NDArray[np.float64]:
    """Computes the logits of each row, (N, width of all heads), in the precision of training."""
    all_logits: npt.NDArray[np.float64] | None = None
    with torch.inference_mode(), autocast(settings.device, settings.precision):
        for batch in cut_by_token_budget([len(row.ids) for row in rows], keys, EVALUATION_TOKENS):
            inputs = inputs_of([rows[index] for index in batch], has_types, pad_id, settings.device)
            logits = model(**inputs).logits.double().cpu().numpy()  # (B, width)
            all_logits = np.zeros((len(rows), logits.shape[1])) if all_logits is None else all_logits
            all_logits[batch] = logits
    assert all_logits is not None  # an empty split is refused when it is read
    return all_logits


def score_validation(
    logits: npt.NDArray[np.float64], targets: npt.NDArray[np.int64], heads: Sequence[Head]
) -> dict[str, float]:
    """Computes loss, accuracy and F1 of the first task, and the accuracy of each other task, on their labelled rows.

    For the task aspect, which is always the only task, the F1 is the mean over its labels.
    """
    if heads[0].task == "aspect":
        return score_polarities(probabilities(logits, heads[0]), targets[:, 0])
    known = targets[:, 0] != MISSING
    odds, labels = margins(logits[known], heads[0]), targets[known, 0]
    counts = count_metrics(confusion(labels, (odds >= 0).astype(np.int64)))
    figures = {
        "validation_loss": float(np.logaddexp(0, np.where(labels == 1, -odds, odds)).mean()),
        "validation_accuracy": float(counts["accuracy"]),
        "validation_f1": float(counts["f1"]),
    }
    for column, head in enumerate(heads[1:], start=1):
        known = targets[:, column] != MISSING
        if known.any():
            predictions = probabilities(logits[known], head).argmax(axis=1)
            figures[f"validation_{head.task}_accuracy"] = float((predictions == targets[known, column]).mean())
    return figures


def score_polarities(scores: npt.NDArray[np.float64], targets: npt.NDArray[np.int64]) -> dict[str, float]:
    """Computes the figures of `score_validation` from (N, labels) probabilities and (N,) correct labels."""
    labels = scores.shape[1]
    metrics = class_metrics(class_cells(targets, scores.argmax(axis=1), labels), labels)
    correct = scores[np.arange(len(targets)), targets]
    return {
        "validation_loss": float(-np.log(np.maximum(correct, np.finfo(np.float64).tiny)).mean()),
        "validation_accuracy": float(metrics["accuracy"]),
        "validation_f1": float(metrics["f1_macro"]),
    }


def calibrate(logits: npt.NDArray[np.float64], targets: npt.NDArray[np.int64], head: Head) -> Head:
    """Returns a head of two labels with the temperature that fits validation best, and other heads unchanged."""
    known = targets != MISSING
    if len(head.labels) != 2 or len(set(targets[known])) < 2:
        return head
    return replace(head, temperature=round(fit_temperature(margins(logits[known], head), targets[known]), 6))


@dataclass(frozen=True)
class ValidationRows:
    """The rows that choose the epoch of a classifier and calibrate it. `targets` is (N, heads)."""

    tokens: Sequence[Tokens]
    record_ids: Sequence[str]
    targets: npt.NDArray[np.int64]
    heads: tuple[Head, ...]
    has_types: bool
    pad_id: int
    settings: LoopSettings

    def predict(self, model: Any) -> npt.NDArray[np.float64]:
        """Returns the logits of each row, (N, width of all heads)."""
        return run_model(model, self.tokens, self.record_ids, self.has_types, self.pad_id, self.settings)

    def score(self, model: Any) -> dict[str, float]:
        """Returns the validation figures of a model."""
        return score_validation(self.predict(model), self.targets, self.heads)

    def calibrate(self, model: Any) -> tuple[Head, ...]:
        """Returns the heads with the temperatures that fit a model best."""
        logits = self.predict(model)
        return tuple(calibrate(logits, self.targets[:, column], head) for column, head in enumerate(self.heads))
