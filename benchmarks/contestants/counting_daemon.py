"""Runs Spark's daemon of Python workers, and counts the rows that the model is called with.

`spark.python.daemon.module` is set to this module. Each worker has a file below the folder REVIEWGEN_CALLS. It appends
a line for each batch before the model runs, so calls of a killed worker are counted.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reviewgen_spark.inference.labelling import label

FOLDER = "REVIEWGEN_CALLS"


def counted(score_window: Any) -> Any:
    """Returns `score_window` with a `score` that records its number of rows."""

    def counting(*, score: Any, **arguments: Any) -> Any:
        def recorded_score(rows: Sequence[Sequence[int]]) -> Any:
            with (Path(os.environ[FOLDER]) / str(os.getpid())).open("a") as file:
                file.write(f"{len(rows)}\n")
            return score(rows)

        return score_window(score=recorded_score, **arguments)

    return counting


def count_calls(folder: Path) -> int:
    """Returns the number of rows that the model was called with."""
    return sum(int(line) for file in folder.iterdir() for line in file.read_text().split())


if __name__ == "__main__":
    from pyspark import daemon

    if FOLDER in os.environ:
        label.score_window = counted(label.score_window)
    daemon.manager()
