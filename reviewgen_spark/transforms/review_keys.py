"""Identifies a review by its source and its review_id, because two sources may number their reviews alike.

A batch has one source: `ingest.source` of the run that read it. So the source of a record follows from its batch_id.
"""

from collections import Counter
from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

Sources = Mapping[int, str]
"""The source of each batch. It may be empty if there is only one source."""


def has_several(sources: Sources) -> bool:
    """Returns whether the records come from more than one source.

    >>> has_several({1: "a", 2: "a"}), has_several({1: "a", 2: "b"})
    (False, True)
    """
    return len(set(sources.values())) > 1


def review_key(sources: Sources) -> tuple[Column, ...]:
    """Returns the columns that identify a review: review_id, and the source if there are several."""
    review_id = F.col("review_id")
    return (source_of("batch_id", sources), review_id) if has_several(sources) else (review_id,)


def is_same_review(other: str, sources: Sources) -> Column:
    """Compares a row with a struct of record_id, review_id and batch_id: whether both are records of one review.

    Args:
        other: Name of the column with the struct.
        sources: Source of each batch.
    """
    is_same_id = F.col(f"{other}.review_id") == F.col("review_id")
    if not has_several(sources):
        return is_same_id
    return is_same_id & (source_of(f"{other}.batch_id", sources) == source_of("batch_id", sources))


def source_of(batch_id: str, sources: Sources) -> Column:
    """Returns the source of a batch as a column. A batch that is not in `sources` counts to the most frequent source.

    Args:
        batch_id: Name of the column with the batch.
        sources: Source of each batch; at least one.
    """
    (usual, _), *others = sorted(Counter(sources.values()).items(), key=lambda item: (-item[1], item[0]))

    def choose(otherwise: Column, source: str) -> Column:
        batches = sorted(batch for batch, name in sources.items() if name == source)
        return F.when(F.col(batch_id).isin(batches), F.lit(source)).otherwise(otherwise)

    return reduce(choose, (source for source, _ in others), F.lit(usual))
