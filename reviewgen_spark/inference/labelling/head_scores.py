"""Reads the scores of each head from a model's rows of scores."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reviewgen_spark.inference.labelling.batching import Score, Scored

if TYPE_CHECKING:
    from reviewgen_spark.models.classifier.heads import Head


def split_by_task(results: list[Scored], heads: "Sequence[Head]") -> dict[str, list[Score | None]]:
    """Returns the part of each row's score that belongs to each task; None if the row or the model has none."""
    by_task: dict[str, list[Score | None]] = {
        task: [None] * len(results) for task in ("sentiment", "category", "toxicity")
    }
    start = 0
    for head in heads:
        end = start + len(head.labels)
        by_task[head.task] = [None if row.score is None else row.score[start:end] for row in results]
        start = end
    return by_task


def column_of(scores: list[Score | None], label_index: int) -> list[float | None]:
    """Returns the probability of one label for each row."""
    return [None if score is None else float(score[label_index]) for score in scores]
