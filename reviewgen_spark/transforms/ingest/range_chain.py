"""Fits the ranges of a file together: each must begin where the one before ended."""

import posixpath
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pyspark.sql import Row

from reviewgen_spark.transforms.ingest.inspection import Inspected
from reviewgen_spark.transforms.ingest.range_reading import RangeSizes, RangeTask
from reviewgen_spark.transforms.ingest.scan import Scan, Tally
from reviewgen_spark.transforms.ingest.source_ranges import Piece

_ATTEMPTS = 3  # of a range; then the rest of the file is one range


@dataclass
class Chain:
    """Holds what was read of a file: its ranges by number, their pieces, and the row of its hash."""

    inspected: Inspected
    tasks: Sequence[RangeTask]
    ranges: dict[int, Row] = field(default_factory=dict)
    pieces: dict[tuple[int, int], list[Row]] = field(default_factory=lambda: defaultdict(list))
    hashed: Row | None = None

    def add(self, row: Row) -> None:
        """Adds a row that a task returned."""
        if row.is_piece:
            self.pieces[row.number, row.attempt].append(row)
        elif row.number < 0:
            self.hashed = row
        else:
            self.ranges[row.number] = row

    def next_tasks(self) -> list[RangeTask]:
        """Returns the ranges to read again, because they do not begin where the one before ended; none if all fit."""
        again: list[RangeTask] = []
        tasks = {task.number: task for task in self.tasks}
        for before, number in pairwise(sorted(self.ranges)):
            last, row = self.ranges[before], self.ranges[number]
            if last.error:
                break
            if row.first == last.last:
                continue
            task = replace(tasks[number], attempt=row.attempt + 1, start=last.last, is_exact=True)
            if row.attempt < _ATTEMPTS:
                again.append(task)
            elif not again:  # all ranges before are right, so one more attempt is enough for all after
                self.ranges = {earlier: self.ranges[earlier] for earlier in self.ranges if earlier < number}
                return [replace(task, stop=sys.maxsize)]
        return again

    def in_order(self) -> list[tuple[Row, Piece]]:
        """Returns the pieces in their order, each as its task returned it and as a piece of the whole file."""
        ordered: list[tuple[Row, Piece]] = []
        ordinal = line = 0
        for number, row in sorted(self.ranges.items()):
            for piece in sorted(self.pieces[number, row.attempt], key=lambda piece: int(piece.ordinal)):
                place = (piece.first, piece.last, piece.skip, ordinal + piece.ordinal, line + piece.line)
                ordered.append((piece, Piece(*place, piece.row_count, piece.sha256)))
            ordinal, line = ordinal + row.row_count, line + row.line
        return ordered

    def scan(self) -> Scan:
        """Adds up the ranges, up to the first that could not be read to its end."""
        rows = [row for _, row in sorted(self.ranges.items())]
        tally, error = Tally(), self.hashed.error if self.hashed else None
        for row in rows:
            reasons = zip(row.reasons, row.reason_counts, row.reason_firsts, strict=True)
            tally.include(row.row_count, row.bad_row_count, reasons)
            error = error or row.error
            if row.error:
                break
        stamps = {row.stamp for row in [*rows, *([self.hashed] if self.hashed else [])]}
        if not error and stamps != {self.inspected.stamp}:
            error = "it changed while it was read"
        sha256 = self.hashed.sha256 if self.hashed else self.inspected.sha256
        return Scan(self.inspected.delivery, sha256 or "", error=error, **tally.figures())


def settle(
    inspected: Sequence[Inspected],
    landing: str,
    sizes: RangeSizes,
    read: Callable[[Sequence[RangeTask]], Sequence[Row]],
) -> dict[str, Chain]:
    """Reads files in ranges until all ranges fit; returns what was read, by path.

    Args:
        inspected: The files.
        landing: The landing folder.
        sizes: How finely they are cut.
        read: Runs tasks, and returns their rows.
    """
    chains = {one.delivery.path: Chain(one, first_tasks(one, landing, sizes)) for one in inspected}
    tasks = [task for chain in chains.values() for task in chain.tasks]
    while tasks:
        for row in read(tasks):
            chains[row.path].add(row)
        tasks = [task for chain in chains.values() for task in chain.next_tasks()]
    return chains


def first_tasks(one: Inspected, landing: str, sizes: RangeSizes) -> list[RangeTask]:
    """Returns the ranges of a file, and the task of its hash if it has none yet."""
    path, content = one.delivery.path, one.content
    whole = RangeTask(path, posixpath.join(landing, path), content, 0, 1, 0, sys.maxsize, is_exact=False)
    starts = [0]
    if content.kind == "parquet":
        size = 0
        for number, group_size in enumerate(one.group_sizes):
            if size >= sizes.range_bytes:
                starts, size = [*starts, number], 0
            size += group_size
    elif content.kind != "objects":
        starts = list(range(0, max(one.size, 1), sizes.range_bytes))
    tasks = [
        replace(whole, number=number, start=start, stop=stop)
        for number, (start, stop) in enumerate(pairwise([*starts, sys.maxsize]))
    ]
    return tasks if one.sha256 else [replace(whole, number=-1), *tasks]
