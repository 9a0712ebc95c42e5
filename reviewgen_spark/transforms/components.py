"""Connected components of near copies: pairs in; the cluster of each new text, out."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from reviewgen_spark.transforms.arrow import arrow_schema

_SCHEMA = StructType(
    [
        StructField("record_id", StringType()),
        StructField("component_id", StringType()),
        StructField("component_near", ArrayType(StringType())),
    ]
)


def connect(pairs: DataFrame) -> DataFrame:
    """Union-find in one task: a batch has at most `ingest.max_rows_per_batch` texts and a few pairs of ids each.

    Args:
        pairs: one and one_seen of a new text; other, and its other_seen where that is new too, else its cluster_id and
            cluster_seen.

    Returns:
        For each new text in a pair: component_id, the first-seen cluster of its component, and component_near, the
        other earlier clusters that the component touches, sorted.
    """

    def connect_all(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = [row for batch in batches for row in batch.to_pylist()]
        yield pa.RecordBatch.from_pylist(list(components(rows)), arrow_schema(_SCHEMA))

    wanted = pairs.select("one", "one_seen", "other", "other_seen", "cluster_id", "cluster_seen")
    return wanted.coalesce(1).mapInArrow(connect_all, _SCHEMA)


def components(pairs: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows of `connect` for all pairs together."""
    parents: dict[str, str] = {}
    clusters: dict[str, tuple[Any, ...]] = {}
    texts: dict[str, tuple[Any, ...]] = {}

    def find(node: str) -> str:
        root = parents.setdefault(node, node)
        while root != parents[root]:
            root = parents[root]
        while parents[node] != root:
            parents[node], node = root, parents[node]
        return root

    for pair in pairs:
        texts[pair["one"]] = tuple(pair["one_seen"].values())
        other = pair["cluster_id"] or pair["other"]
        if pair["cluster_id"]:
            clusters[other] = tuple(pair["cluster_seen"].values())
        else:
            texts[other] = tuple(pair["other_seen"].values())
        parents[find(pair["one"])] = find(other)
    touched: dict[str, list[str]] = {}
    for cluster in clusters:
        touched.setdefault(find(cluster), []).append(cluster)
    firsts: dict[str, str] = {}
    for text in sorted(texts, key=texts.__getitem__):
        firsts.setdefault(find(text), text)
    for text in sorted(texts):
        root = find(text)
        found = sorted(touched.get(root, []), key=clusters.__getitem__)
        yield {
            "record_id": text,
            "component_id": found[0] if found else firsts[root],
            "component_near": sorted(found[1:]),
        }
