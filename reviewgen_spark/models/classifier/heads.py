"""Defines one head per task on one encoder, and computes its loss and probabilities.

Linear heads on the same pooled vector are slices of one linear layer. So a model of many tasks is a plain sequence
classifier and needs no format of its own. Its width is the sum of its heads' widths. Rows without a label for a task
are left out of that task's loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reviewgen_spark.models.data.targets import MISSING

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """Describes one task: its labels in the order of its logits, and their position in the classifier's output.

    `width` is the number of labels, or 1 for two labels with a sigmoid. `temperature` divides the logits (Guo et al.
    2017). It is fitted on validation.
    """

    task: str
    labels: tuple[str, ...]
    start: int
    width: int
    temperature: float = 1.0


def plan_heads(labels: Mapping[str, Sequence[str]], sigmoid: bool) -> tuple[Head, ...]:
    """Assigns each head its columns of the output.

    Args:
        labels: label names by task, in the order of the heads.
        sigmoid: gives tasks of two labels one logit and binary cross-entropy, instead of two logits and softmax.
    """
    heads: list[Head] = []
    start = 0
    for task, names in labels.items():
        width = 1 if sigmoid and len(names) == 2 else len(names)
        heads.append(Head(task, tuple(names), start, width))
        start += width
    return tuple(heads)


def multi_task_loss(
    logits: "torch.Tensor",
    targets: "torch.Tensor",
    heads: Sequence[Head],
    weights: Mapping[str, "torch.Tensor"] | None = None,
    label_smoothing: float = 0.0,
) -> "torch.Tensor":
    """Computes the mean loss over tasks, a scalar; each task averages over its labelled rows.

    Args:
        logits: (B, width of all heads).
        targets: (B, heads) int64, MISSING where there is no label.
        heads: the heads, in the order of the targets' columns.
        weights: (labels,) by task, the weight of a row of each label; without it, all weights are equal.
        label_smoothing: the share of the target that is spread over all labels (Szegedy et al. 2016).
    """
    import torch
    import torch.nn.functional as F

    losses: list[Any] = []
    for column, head in enumerate(heads):
        known = targets[:, column] != MISSING  # (B,)
        if not bool(known.any()):
            continue
        task_logits = logits[known, head.start : head.start + head.width].float()  # (K, width)
        labels = targets[known, column]  # (K,)
        weight = weights.get(head.task) if weights else None
        if head.width == 1:
            smoothed = labels.float() * (1 - label_smoothing) + label_smoothing / 2
            row_losses = F.binary_cross_entropy_with_logits(task_logits[:, 0], smoothed, reduction="none")
            row_weights = torch.ones_like(row_losses) if weight is None else weight[labels]
            losses.append((row_losses * row_weights).sum() / row_weights.sum())
        else:
            losses.append(F.cross_entropy(task_logits, labels, weight=weight, label_smoothing=label_smoothing))
    if not losses:
        return logits.sum() * 0.0  # no row of the batch is labelled, but the graph must stay connected
    return torch.stack(losses).mean()


def balanced_weights(targets: Ints, labels: int) -> Floats:
    """Returns (labels,) weights that give every label the same total weight, as scikit-learn's `balanced`."""
    counts = np.bincount(targets[targets != MISSING], minlength=labels).astype(np.float64)
    return np.asarray(counts.sum() / (labels * np.maximum(counts, 1)))


def probabilities(logits: Floats, head: Head) -> Floats:
    """Converts raw logits (N, width of all heads) to calibrated probabilities (N, labels) of one head."""
    task_logits = logits[:, head.start : head.start + head.width] / head.temperature
    if head.width == 1:
        # Softmax over (0, z) is the sigmoid of z.
        task_logits = np.concatenate([np.zeros_like(task_logits), task_logits], axis=1)
    task_logits = task_logits - task_logits.max(axis=1, keepdims=True)
    exponentials = np.exp(task_logits)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def margins(logits: Floats, head: Head) -> Floats:
    """Converts raw logits (N, width of all heads) to uncalibrated log odds (N,) of the second of two labels."""
    if head.width == 1:
        return np.asarray(logits[:, head.start])
    return np.asarray(logits[:, head.start + 1] - logits[:, head.start])
