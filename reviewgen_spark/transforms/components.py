"""Finds connected components of pairs of near copies, and the cluster of each new text."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from reviewgen_spark.schemas.arrow import arrow_schema

_SCHEMA = StructType(
    [
        StructField("record_id", StringType()),
        StructField("component_id", StringType()),
        StructField("component_near", ArrayType(StringType())),
    ]
)

Seen = tuple[int, int, str]
"""When a record was seen: batch, microsecond, record_id. The smaller tuple was seen first."""


class Pair(NamedTuple):
    """Holds a new text and another new text or an earlier cluster near it. A cluster is given by its first record."""

    one: Seen
    other: Seen | None
    cluster: Seen | None


def connect(pairs: DataFrame) -> DataFrame:
    """Connects the pairs by union-find in one task.

    One task is enough, because a batch has at most `ingest.max_rows_per_batch` texts, with a few pairs of ids each.

    Args:
        pairs: one_seen of a new text; other_seen; cluster_seen of the other's cluster, if it is of an earlier batch.
            Each is a struct of batch_id, created_at and record_id.

    Returns:
        For each new text in a pair: component_id, the first-seen cluster of its component, and component_near, the
        other earlier clusters of the component, sorted.
    """

    def connect_all(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pairs = (pair for batch in batches for pair in _pairs(batch))
        yield pa.RecordBatch.from_pylist(list(components(pairs)), arrow_schema(_SCHEMA))

    seen_pairs = pairs.select("one_seen", "other_seen", "cluster_seen")
    # coalesce(1) would run the verification of the pairs in the one task too
    return seen_pairs.repartition(1).mapInArrow(connect_all, _SCHEMA)


def _pairs(batch: pa.RecordBatch) -> Iterator[Pair]:
    seen = (_seen(batch.column(name)) for name in ("one_seen", "other_seen", "cluster_seen"))
    for one, other, cluster in zip(*seen, strict=True):
        yield Pair(one, other if cluster is None else None, cluster)


def _seen(column: pa.StructArray) -> Iterator[Seen | None]:
    """Yields tuples that sort by first seen. Times are numbers, because datetimes are ten times slower."""
    batch_ids, times, record_ids = column.flatten()
    values = (batch_ids.to_pylist(), times.cast(pa.int64()).to_pylist(), record_ids.to_pylist())
    return (None if record_id is None else (batch, at, record_id) for batch, at, record_id in zip(*values, strict=True))


def components(pairs: Iterable[Pair]) -> Iterator[dict[str, Any]]:
    """Yields the rows of `connect` for all pairs."""
    parents: dict[str, str] = {}
    clusters: dict[str, Seen] = {}
    texts: dict[str, Seen] = {}

    def find(node: str) -> str:
        root = parents.setdefault(node, node)
        while root != parents[root]:
            root = parents[root]
        while parents[node] != root:
            parents[node], node = root, parents[node]
        return root

    for pair in pairs:
        texts[pair.one[-1]] = pair.one
        if pair.cluster is not None:
            other = pair.cluster[-1]
            clusters[other] = pair.cluster
        else:
            assert pair.other is not None
            other = pair.other[-1]
            texts[other] = pair.other
        parents[find(pair.one[-1])] = find(other)
    touched: dict[str, list[str]] = {}
    for cluster in clusters:
        touched.setdefault(find(cluster), []).append(cluster)
    firsts: dict[str, str] = {}
    for text in sorted(texts, key=texts.__getitem__):
        firsts.setdefault(find(text), text)
    for text in sorted(texts):
        root = find(text)
        earlier = sorted(touched.get(root, []), key=clusters.__getitem__)
        yield {
            "record_id": text,
            "component_id": earlier[0] if earlier else firsts[root],
            "component_near": sorted(earlier[1:]),
        }
