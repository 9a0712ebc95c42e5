"""Spark's daemon of Python workers, which also notes each row that the model is called with.

`spark.python.daemon.module` names it. A file a worker below the folder REVIEWGEN_CALLS, appended a line a batch before
the model answers: what a killed worker has called stays counted.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reviewgen_spark.inference.labelling import label

FOLDER = "REVIEWGEN_CALLS"


def counted(score_window: Any) -> Any:
    """`score_window`, its `score` noting how many rows it is called with."""

    def counting(*, score: Any, **given: Any) -> Any:
        def noted(rows: Sequence[Sequence[int]]) -> Any:
            with (Path(os.environ[FOLDER]) / str(os.getpid())).open("a") as file:
                file.write(f"{len(rows)}\n")
            return score(rows)

        return score_window(score=noted, **given)

    return counting


def count_calls(folder: Path) -> int:
    """Rows that the model was called with."""
    return sum(int(line) for file in folder.iterdir() for line in file.read_text().split())


if __name__ == "__main__":
    from pyspark import daemon

    if FOLDER in os.environ:
        label.score_window = counted(label.score_window)
    daemon.manager()
