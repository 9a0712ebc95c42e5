"""Joins Arrow batches into windows of rows, and cuts results into batches of limited size."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


WINDOW_BYTES = 64 * 2**20
OUTPUT_BYTES = 16 * 2**20


def gather_windows(
    batches: Iterable["pa.RecordBatch"], window_rows: int, window_bytes: int = WINDOW_BYTES
) -> Iterator["pa.Table"]:
    """Joins Arrow batches until a window has `window_rows` rows or `window_bytes` bytes; the last may be smaller.

    No window is empty, so a task without rows does not load the model.
    """
    import pyarrow as pa

    gathered: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        gathered.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= window_rows or (rows and size >= window_bytes):
            yield pa.Table.from_batches(gathered)
            gathered, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(gathered)


def cut_by_bytes(batch: "pa.RecordBatch", limit: int) -> Iterator["pa.RecordBatch"]:
    """Cuts a batch into slices of about `limit` bytes at most. 8,192 embeddings of 1,024 numbers are 32 MB."""
    step = max(1, batch.num_rows * limit // max(batch.nbytes, limit))
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)
