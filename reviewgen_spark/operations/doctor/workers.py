"""Reads what the Python processes of the executors see: libraries, memory, GPU and shared files."""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config import Config
from reviewgen_spark.operations.doctor.health_checks import WorkerEnvironment

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


LIBRARIES = ("pyarrow", "torch", "reviewgen_spark")  # every worker imports them


def survey_workers(spark: "SparkSession", config: Config) -> list[WorkerEnvironment]:
    """Runs one small task per slot, and returns what each process sees.

    A temporary file below the artifact root shows whether workers see the files of the driver.
    """
    slots = spark.sparkContext.defaultParallelism
    folder = existing_folder(Path(config.paths.artifacts))
    token = folder / f".reviewgen-doctor-{uuid.uuid4().hex}"
    try:
        token.touch()
        reader = environment_reader(str(token), LIBRARIES)
        environments = spark.sparkContext.parallelize(range(slots), slots).map(reader).collect()
    finally:
        token.unlink(missing_ok=True)
    return [WorkerEnvironment(**fields) for fields in environments]


def environment_reader(token: str | None, libraries: Sequence[str]) -> Callable[[object], dict[str, Any]]:
    """Returns a function that reads the fields of `WorkerEnvironment` in the process that runs it.

    The function is an inner function, because Spark pickles it by value. It returns plain values, because a worker may
    lack this package.

    Args:
        token: File that the driver wrote; None if the function does not search for one.
        libraries: Libraries to import.
    """

    def read_environment(_: object) -> dict[str, Any]:
        import importlib
        import platform
        import socket
        from pathlib import Path

        versions: dict[str, str | None] = {}
        for library in libraries:
            try:
                versions[library] = str(getattr(importlib.import_module(library), "__version__", "of no version"))
            except Exception:  # a broken native library raises OSError; another library may raise any exception
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

    return read_environment


def existing_folder(path: Path) -> Path:
    """Returns the path, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
