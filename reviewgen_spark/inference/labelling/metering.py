"""Measures labelling. The figures of a window are on its first row, so that a task that is retried counts once."""

import os
import resource
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reviewgen_spark.inference.shipping.worker import load_count

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

_COUNTS = ("load_count", "row_count", "token_count", "cell_count")
_MEASURES = ("load_seconds", "tokenise_seconds", "forward_seconds", "peak_memory_mb")
WINDOW_TYPE = (
    f"struct<worker: string, {', '.join(f'{name}: long' for name in _COUNTS)}, "
    f"{', '.join(f'{name}: double' for name in _MEASURES)}>"
)


@dataclass(frozen=True)
class BatchTime:
    """One batch that the model answered. `seconds` includes the wait for the GPU."""

    rows: int
    tokens: int
    seconds: float


class Meter:
    """Counts and times one window on a worker."""

    def __init__(self) -> None:
        """Starts with nothing counted."""
        self.batches: list[BatchTime] = []
        self.seconds = dict.fromkeys(("load", "tokenise", "forward"), 0.0)
        self._loads = load_count()
        self._cells = 0

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Adds the time of the block to a step: load, tokenise or forward."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] += time.perf_counter() - started

    def count(self, rows: list[list[int]], seconds: float) -> None:
        """Counts a batch that the model answered."""
        self.batches.append(BatchTime(len(rows), sum(map(len, rows)), seconds))
        self._cells += len(rows) * max(map(len, rows))

    def figures(self, rows: int) -> dict[str, Any]:
        """Returns the figures of a window of so many rows, as in WINDOW_TYPE."""
        return {
            "worker": f"{socket.gethostname()}:{os.getpid()}",
            "load_count": load_count() - self._loads,
            "row_count": rows,
            "token_count": sum(batch.tokens for batch in self.batches),
            "cell_count": self._cells,
            **{f"{step}_seconds": seconds for step, seconds in self.seconds.items()},
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        }


def window_type() -> "pa.DataType":
    """Returns WINDOW_TYPE for Arrow."""
    import pyarrow as pa

    fields = [("worker", pa.string()), *((name, pa.int64()) for name in _COUNTS)]
    return pa.struct([*fields, *((name, pa.float64()) for name in _MEASURES)])


def summarise_windows(scored: "DataFrame") -> "DataFrame":
    """Sums the windows of scored rows (batch_id, window) to one row a batch, as in ops_label_metrics."""
    from pyspark.sql import functions as F

    sums = (*_COUNTS[:-1], *_MEASURES[:-1])
    padding = 100 * (1 - F.sum("window.token_count") / F.nullif(F.sum("window.cell_count"), F.lit(0)))
    return (
        scored.where("window IS NOT NULL")
        .groupBy("batch_id")
        .agg(
            F.countDistinct("window.worker").alias("worker_count"),
            *(F.sum(f"window.{name}").alias(name) for name in sums),
            F.max("window.peak_memory_mb").alias("peak_memory_mb"),
            padding.alias("padding_pct"),
        )
    )


def describe_metrics(metrics: Mapping[str, Any]) -> str:
    """Returns one log line for a row of ops_label_metrics."""
    return (
        "{load_count} loads in {worker_count} workers, {row_count:,} rows, {token_count:,} tokens, "
        "{padding:.1f} % padding; seconds of workers: load {load_seconds:.1f}, tokenise {tokenise_seconds:.1f}, "
        "forward {forward_seconds:.1f}; at most {peak_memory_mb:,.0f} MB"
    ).format(**metrics, padding=metrics["padding_pct"] or 0)
