"""Finds the texts that share a band of their MinHash signatures with a text of a batch: candidates for near copies."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.types import LongType, StringType, StructType, TimestampType

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema

Numbers: TypeAlias = npt.NDArray[np.int64]

_BANDS = TABLES["silver_minhash_bands"].columns
_SEEN = StructType().add("batch_id", LongType()).add("created_at", TimestampType()).add("record_id", StringType())
PAIRS = StructType().add("one_seen", _SEEN).add("other_seen", _SEEN)
# 16 MB a worker. The 2.4 million bands of 200,000 texts fill a seventh of it; those of 10,000 texts fill 0.7 %.
_SIEVE_BITS = 24
_PAIRS_A_BATCH = 50_000


def candidate_pairs(signed: DataFrame, earlier: DataFrame, batch_id: int) -> DataFrame:
    """Returns pairs of texts that share a band: one_seen of this batch, other_seen of a text that was seen earlier.

    Both are structs of batch_id, created_at and record_id. Each text of a bucket is paired with its first-seen and its
    last-seen text. A bucket of n texts gives 2n pairs, not n^2. One task computes them, because a batch has at most
    `ingest.max_rows_per_batch` texts.

    Args:
        signed: Rows of silver_minhash_bands of this batch. They are read twice.
        earlier: Those of earlier batches. No row of them is turned into rows of bands unless it shares a band.
        batch_id: The batch.
    """
    texts = signed
    if not earlier.isEmpty():
        bands = signed.select("band_hashes").toArrow().column(0).combine_chunks()
        if len(bands):
            texts = signed.unionByName(_sharing(earlier, np.unique(_flat(bands))))

    def pair_all(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if rows := list(batches):
            yield from pairs_of(pa.Table.from_batches(rows), batch_id)

    return texts.select(*_BANDS.names).repartition(1).mapInArrow(pair_all, PAIRS)


def _sharing(earlier: DataFrame, bands: Numbers) -> DataFrame:
    """Keeps the earlier texts that share a band, with these bands alone. The bands are broadcast.

    A join would turn each array into rows first: 12 million for a million texts, which took half of the stage's time.
    """
    broadcast = earlier.sparkSession.sparkContext.broadcast(bands)

    def filter_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        wanted = broadcast.value
        sieve = sieve_of(wanted)
        for batch in batches:
            yield from texts_with_bands(batch, wanted, sieve)

    return earlier.select(*_BANDS.names).mapInArrow(filter_batches, _BANDS)


def texts_with_bands(batch: pa.RecordBatch, wanted: Numbers, sieve: npt.NDArray[np.bool_]) -> Iterator[pa.RecordBatch]:
    """Yields the texts that have a wanted band, with their wanted bands alone.

    Of the texts of one band only the first-seen and the last-seen one are kept, because only they are paired. So a
    band that a million texts share costs two rows for each Arrow batch.

    Args:
        batch: Rows of silver_minhash_bands.
        wanted: The bands, sorted.
        sieve: That of these bands, from `sieve_of`.
    """
    lists = batch.column("band_hashes")
    hashes = _flat(lists)
    passed = np.flatnonzero(sieve[_sieve_index(hashes)])
    index = np.minimum(np.searchsorted(wanted, hashes[passed]), len(wanted) - 1)
    passed = passed[wanted[index] == hashes[passed]]
    if not len(passed):
        return
    texts = np.repeat(np.arange(batch.num_rows), _lengths(lists))[passed]
    used, texts = np.unique(texts, return_inverse=True)
    rows = batch.take(pa.array(used))
    rank = np.empty(len(used), np.int64)
    rank[_first_seen_order(rows)] = np.arange(len(used))
    hashes = hashes[passed]
    order = np.lexsort((rank[texts], hashes))
    is_first = np.diff(hashes[order], prepend=hashes[order[0]] - 1) != 0
    is_last = np.append(is_first[1:], True)
    chosen = np.sort(order[is_first | is_last])  # the texts ascend again
    offsets = np.searchsorted(texts[chosen], np.arange(len(used) + 1)).astype(np.int32)
    schema = arrow_schema(_BANDS)
    kept = pa.ListArray.from_arrays(pa.array(offsets), pa.array(hashes[chosen]))
    columns = {name: rows.column(name) for name in _BANDS.names} | {"band_hashes": kept}
    yield pa.RecordBatch.from_arrays([columns[f.name].cast(f.type) for f in schema], schema=schema)


def pairs_of(texts: pa.Table, batch_id: int) -> Iterator[pa.RecordBatch]:
    """Yields the distinct pairs of `candidate_pairs` for all texts that may share a band."""
    if not texts.num_rows:
        return
    texts = texts.take(_first_seen_order(texts)).combine_chunks()
    lists = texts.column("band_hashes").chunk(0)
    hashes, ranks = _flat(lists), np.repeat(np.arange(texts.num_rows), _lengths(lists))
    order = np.argsort(hashes, kind="stable")  # within a bucket the texts stay in the order in which they were seen
    hashes, ranks = hashes[order], ranks[order]
    starts = np.flatnonzero(np.diff(hashes, prepend=hashes[0] - 1) != 0)
    sizes = np.diff(np.append(starts, len(hashes)))
    firsts, lasts = (np.repeat(ranks[ends], sizes) for ends in (starts, starts + sizes - 1))
    is_new = texts.column("batch_id").to_numpy()[ranks] == batch_id
    new, count = ranks[is_new], texts.num_rows
    ends = (firsts[is_new], lasts[is_new])
    pairs = [np.maximum(new, end) * count + np.minimum(new, end) for end in ends]
    distinct = np.unique(np.concatenate(pairs))
    one, other = np.divmod(distinct, count)
    is_pair = one != other
    schema, seen = arrow_schema(PAIRS), texts.select(_SEEN.names).to_struct_array().combine_chunks()
    for start in range(0, int(is_pair.sum()), _PAIRS_A_BATCH):
        part = slice(start, start + _PAIRS_A_BATCH)
        structs = [seen.take(pa.array(end[is_pair][part])).cast(schema.field(0).type) for end in (one, other)]
        yield pa.RecordBatch.from_arrays(structs, schema=schema)


def _first_seen_order(rows: pa.Table | pa.RecordBatch) -> pa.Array:
    return pc.sort_indices(rows, [(name, "ascending") for name in _SEEN.names])


def _flat(lists: pa.ListArray) -> Numbers:
    values: Numbers = lists.flatten().to_numpy()
    return values


def _lengths(lists: pa.ListArray) -> Numbers:
    lengths: Numbers = pc.list_value_length(lists).to_numpy().astype(np.int64)
    return lengths


def sieve_of(bands: Numbers) -> npt.NDArray[np.bool_]:
    """Returns an array that is true at the last bits of each band. It drops nearly all other bands without a search."""
    sieve = np.zeros(1 << _SIEVE_BITS, bool)
    sieve[_sieve_index(bands)] = True
    return sieve


def _sieve_index(hashes: Numbers) -> Numbers:
    return hashes & ((1 << _SIEVE_BITS) - 1)
