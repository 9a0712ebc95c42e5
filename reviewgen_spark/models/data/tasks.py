"""Defines the tasks of a classifier, and reads their labels from the corpus.

| task | labels | from |
|---|---|---|
| sentiment | negative, positive | column `label` |
| sentiment3 | negative, neutral, positive | column `sentiment` |
| stars | 1 to 5 | column `rating` |
| category | all categories of the training split | column `category` |
| toxicity | clean, toxic | column `toxicity` |
| aspect | negative, neutral, positive | column `polarity`, one row per text and `aspect` |
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.models.data.corpus import LABELS, POLARITIES, Examples
from reviewgen_spark.models.data.targets import MISSING

FIXED = {
    "sentiment": LABELS,
    "sentiment3": ("negative", "neutral", "positive"),
    "stars": ("1", "2", "3", "4", "5"),
    "toxicity": ("clean", "toxic"),
    "aspect": POLARITIES,
}
COLUMNS = {"sentiment3": "sentiment", "stars": "rating", "category": "category", "toxicity": "toxicity"}
OWN_LABEL = ("sentiment", "aspect")  # tasks whose label is the label of the row


def label_names(tasks: Sequence[str], train: Examples) -> dict[str, tuple[str, ...]]:
    """Returns the labels of each task, in the order of its logits.

    Raises:
        DataQualityError: the training split has fewer than two labels of a task.
    """
    names: dict[str, tuple[str, ...]] = {}
    for task in tasks:
        values = set(train.labels[train.labels != MISSING]) if task in OWN_LABEL else _values(train, task)
        if len(values) < 2:
            raise DataQualityError(
                f"finetune.tasks: the training rows have {len(values)} labels of '{task}', and a task needs 2; "
                "ingest gold labels for it, or remove it from finetune.tasks"
            )
        names[task] = FIXED.get(task) or tuple(sorted(str(value) for value in values))
    return names


def read_targets(names: Mapping[str, Sequence[str]], examples: Examples) -> npt.NDArray[np.int64]:
    """Returns (N, tasks) indices of labels; MISSING for no label, or for one that is not in the training split."""
    targets = np.full((len(examples), len(names)), MISSING, dtype=np.int64)
    for column, (task, labels) in enumerate(names.items()):
        if task in OWN_LABEL:
            targets[:, column] = examples.labels
            continue
        label_index = {label: index for index, label in enumerate(labels)}
        values = examples.columns[COLUMNS[task]]
        targets[:, column] = [MISSING if value is None else label_index.get(str(value), MISSING) for value in values]
    return targets


def _values(examples: Examples, task: str) -> set[object]:
    return {value for value in examples.columns[COLUMNS[task]] if value is not None}
