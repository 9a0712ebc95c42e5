"""Reads the scores of each head from a model's rows of scores."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reviewgen_spark.inference.labelling.batching import Score, Scored

if TYPE_CHECKING:
    from reviewgen_spark.models.classifier.heads import Head


def split_by_task(results: list[Scored], heads: "Sequence[Head]") -> dict[str, list[Score | None]]:
    """The part of each row's score that belongs to each task; None where the row or the model has none."""
    found: dict[str, list[Score | None]] = {
        task: [None] * len(results) for task in ("sentiment", "category", "toxicity")
    }
    start = 0
    for head in heads:
        end = start + len(head.labels)
        found[head.task] = [None if row.score is None else row.score[start:end] for row in results]
        start = end
    return found


def column_of(scores: list[Score | None], place: int) -> list[float | None]:
    """The probability of one label, row by row."""
    return [None if score is None else float(score[place]) for score in scores]
