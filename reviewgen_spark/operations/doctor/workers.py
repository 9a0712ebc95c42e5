"""Reads what the Python processes of the executors see: libraries, memory, GPU and shared files."""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config import Config
from reviewgen_spark.operations.doctor.health_checks import WorkerEnvironment

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


LIBRARIES = ("pyarrow", "torch", "reviewgen_spark")  # what every worker imports


def survey_workers(spark: "SparkSession", config: Config) -> list[WorkerEnvironment]:
    """Runs one small task per slot, and returns what each process sees.

    A temporary file below the artifact root shows whether workers see the files of the driver.
    """
    slots = spark.sparkContext.defaultParallelism
    folder = existing_folder(Path(config.paths.artifacts))
    token = folder / f".reviewgen-doctor-{uuid.uuid4().hex}"
    try:
        token.touch()
        found = spark.sparkContext.parallelize(range(slots), slots).map(looking(str(token), LIBRARIES)).collect()
    finally:
        token.unlink(missing_ok=True)
    return [WorkerEnvironment(**facts) for facts in found]


def looking(token: str | None, libraries: Sequence[str]) -> Callable[[object], dict[str, Any]]:
    """Returns a function that reads the fields of `WorkerEnvironment` in the process that runs it.

    It is an inner function, pickled by value, and returns plain values, because a worker may lack this package.

    Args:
        token: A file, written by the driver, to look for.
        libraries: Libraries to import.
    """

    def look(_: object) -> dict[str, Any]:
        import importlib
        import platform
        import socket
        from pathlib import Path

        versions: dict[str, str | None] = {}
        for library in libraries:
            try:
                versions[library] = str(getattr(importlib.import_module(library), "__version__", "of no version"))
            except Exception:  # a broken native library raises OSError, other libraries any exception
                versions[library] = None
        meminfo = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        available = int(meminfo["MemAvailable"].split()[0]) * 1024
        limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")  # of a container
        if limit.is_file() and (text := limit.read_text().strip()).isdigit():
            available = min(available, int(text) - int(used.read_text()))
        torch = importlib.import_module("torch") if versions.get("torch") else None
        return {
            "host": socket.gethostname(),
            "python": ".".join(platform.python_version_tuple()[:2]),
            "libraries": versions,
            "has_gpu": torch is not None and bool(torch.cuda.is_available()),
            "available_bytes": max(available, 0),
            "sees_artifacts": None if token is None else Path(token).is_file(),
        }

    return look


def existing_folder(path: Path) -> Path:
    """Returns the path, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
