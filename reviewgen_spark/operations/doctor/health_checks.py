"""Checks facts about a machine or a warehouse; each finding is ok, warn or fail, with a next step.

These are pure functions from facts to findings; `doctor` collects the facts. They do not need Spark, because Spark may
fail to start.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reviewgen_spark.operations.doctor.finding import Finding
from reviewgen_spark.orchestration.java import INSTALL_JAVA, java_fault

GIB = 2**30
# Memory of a worker without the model: torch and transformers, measured 325 MiB, and one batch.
WORKER_BYTES = 350 * 2**20
# The default of a later Spark version. A higher limit may fill the memory of a worker with long texts.
_MAX_ARROW_BYTES = 256 * 2**20
_MIN_FREE_BYTES, _LOW_FREE_BYTES = GIB, 10 * GIB
_MIN_KEY = 16


@dataclass(frozen=True)
class WorkerEnvironment:
    """Describes the environment of a Python process: the driver, or a worker on an executor.

    Attributes:
        host: Name of its machine.
        python: Version, such as 3.11.
        libraries: Version by library; None if it cannot be imported.
        has_gpu: Whether torch sees a GPU.
        available_bytes: Memory that is free for new processes on its machine.
        sees_artifacts: Whether it sees the file that the driver has just written; None if not checked.
    """

    host: str
    python: str
    libraries: dict[str, str | None]
    has_gpu: bool
    available_bytes: int
    sees_artifacts: bool | None = None


def check_java(version_text: str | None) -> Finding:
    """Checks the output of `java -version`; None means that there is no such command.

    >>> check_java('openjdk version "17.0.15" 2025-04-15').level, check_java('java version "1.8.0_392"').message
    ('ok', 'version 8')
    """
    fault = java_fault(version_text)
    if fault is not None:
        return Finding("fail", "java", fault, INSTALL_JAVA)
    numbers = re.search(r'version "(\d+)', str(version_text))
    return Finding("ok", "java", f"version {numbers[1] if numbers else 'unknown'}")


def check_jars(folder: str, names: Sequence[str], package: str) -> Finding:
    """Checks the folder of the Delta jars by the names of its files.

    Args:
        folder: `paths.jars`.
        names: Names of its files; empty if the folder is missing.
        package: Maven coordinates of Delta.
    """
    _, artifact, version = package.split(":")
    required = (f"{artifact}-{version}.jar", f"delta-storage-{version}.jar")
    missing = [jar for jar in required if not any(name.endswith(jar) for name in names)]
    if missing:
        others = sorted(name for name in names if "delta-spark" in name)
        message = f"{', '.join(missing)} missing from {folder}" + (f", which has {', '.join(others)}" if others else "")
        return Finding("fail", "delta jars", message, "empty the folder, then run `make setup` with a network", True)
    return Finding("ok", "delta jars", f"{artifact} {version}")


def check_user_key(value: str, key_file: Path | None, variable: str) -> Finding:
    """Checks the source of the key of user_key, without creating a key or reading the file.

    Args:
        value: Value of the environment variable; empty if it is not set.
        key_file: `clean.user_key_file` below root; None if the configuration sets no file.
        variable: Name of the environment variable.
    """
    advice = f"export {variable}=$(openssl rand -hex 32), once; use the same value in every run"
    if value:
        if len(value) < _MIN_KEY:
            message = f"{variable} is shorter than {_MIN_KEY} characters"
            return Finding("fail", "user key", message, advice, True)
        return Finding("ok", "user key", f"from {variable}")
    if key_file is None:
        return Finding("fail", "user key", f"{variable} is not set, and clean.user_key_file sets no file", advice, True)
    if not key_file.is_file():
        return Finding("ok", "user key", f"{key_file} does not exist yet; the first run creates it")
    if key_file.stat().st_size < _MIN_KEY:
        message = f"{key_file} is empty or cut short"
        return Finding(
            "fail", "user key", message, "restore it from a backup; another key computes every row again", True
        )
    if key_file.stat().st_mode & 0o077:
        return Finding(
            "warn", "user key", f"{key_file} is accessible to other users", f"chmod 600 {shlex.quote(str(key_file))}"
        )
    return Finding("ok", "user key", f"from {key_file}")


def report_open_folders(open_folders: Sequence[Path], permissions: str) -> Finding:
    """Reports folders that more users can enter than `paths.permissions` allows.

    New files are restricted, but a run does not change the mode of existing ones.
    """
    names = " ".join(shlex.quote(str(folder)) for folder in open_folders)
    others = "go=" if permissions == "private" else "g-w,o="
    message = f"other users may read existing files, although paths.permissions is {permissions}"
    return Finding("warn", "permissions", message, f"chmod -R {others} {names}, or set paths.permissions")


def check_arrow(max_rows: int, max_bytes: int, workers: int, available_bytes: int) -> Finding:
    """Checks the limits of an Arrow batch. A worker holds two batches: one of input and one of output."""
    message = f"{max_rows:,} rows or {max_bytes / 2**20:,.0f} MiB a batch"
    if max_rows <= 0 or max_bytes <= 0 or max_bytes >= 2**31 - 1:
        message = f"batches without a limit ({max_rows} rows, {max_bytes} bytes)"
        return Finding(
            "fail", "arrow", message, "set spark.arrow_max_rows 4096 and spark.arrow_max_bytes 16777216", True
        )
    if max_bytes > _MAX_ARROW_BYTES or 2 * workers * max_bytes > available_bytes / 2:
        return Finding("warn", "arrow", message, "lower spark.arrow_max_bytes, because long texts may fill a worker")
    return Finding("ok", "arrow", message)


def check_memory(model_bytes: int, workers: int, available_bytes: int) -> Finding:
    """Checks whether the champion fits in the memory of every worker.

    This is an upper bound: workers of a node share float32 weights, but each has its own copy in bfloat16.
    """
    bytes_per_worker = WORKER_BYTES + model_bytes
    message = (
        f"{workers} workers x {bytes_per_worker / GIB:.2f} GiB (the model is {model_bytes / 2**20:,.0f} MiB) of "
        f"{available_bytes / GIB:.1f} GiB available"
    )
    if bytes_per_worker > available_bytes:
        return Finding(
            "fail", "memory", message, "not even one worker fits: use a larger machine, or a smaller models.base"
        )
    if workers * bytes_per_worker > available_bytes:
        fitting = available_bytes // bytes_per_worker
        advice = f"run fewer workers at once (spark.master local[{fitting}]), or lower spark.driver_memory"
        return Finding("warn", "memory", message, advice)
    return Finding("ok", "memory", message)


def check_disk(folder: str, free_bytes: int, total_bytes: int) -> Finding:
    """Checks the free space of a file system."""
    message = f"{free_bytes / GIB:,.1f} of {total_bytes / GIB:,.1f} GiB free at {folder}"
    if free_bytes < _MIN_FREE_BYTES:
        return Finding("fail", "disk", message, "free disk space, or move paths.root")
    if free_bytes < _LOW_FREE_BYTES:
        return Finding(
            "warn", "disk", message, "free disk space, because a batch is written before the old one is deleted"
        )
    return Finding("ok", "disk", message)


def check_landing(folder: str, exists: bool) -> Finding:
    """Checks whether the folder for deliveries exists."""
    if exists:
        return Finding("ok", "landing folder", folder)
    return Finding(
        "warn", "landing folder", f"{folder} does not exist", "have files delivered to it, or set paths.landing"
    )


def check_champion(name: str, version: int | None, problem: str, is_damaged: bool, advice: str = "") -> Finding:
    """Checks the model that labels, as found in the registry.

    Args:
        name: `models.name`.
        version: Number of the version whose files are complete; None if there is none.
        problem: Reason why there is none, or why a local copy of the version is used.
        is_damaged: Whether a version has the alias, but cannot be used.
        advice: Next step for a version that cannot be used.
    """
    if version is not None and problem:
        return Finding("warn", "champion", problem, "start the registry, then run `reviewgen doctor` again")
    if version is not None:
        return Finding("ok", "champion", f"{name} version {version}, its files match the registered sha256")
    if is_damaged:
        default = "`reviewgen models list`, then promote a version with complete files"
        return Finding("fail", "champion", problem, advice or default)
    return Finding("warn", "champion", problem, "`reviewgen run train`, or `reviewgen models promote`")


def check_workers(driver: WorkerEnvironment, workers: Sequence[WorkerEnvironment]) -> list[Finding]:
    """Checks that all workers have the Python and the importable libraries of the driver."""
    findings: list[Finding] = []
    hosts = len({worker.host for worker in workers})
    other_versions = sorted({worker.python for worker in workers} - {driver.python})
    if other_versions:
        advice = f"set PYSPARK_PYTHON to a Python {driver.python} that every executor has"
        message = f"the driver has {driver.python}, workers have {', '.join(other_versions)}"
        findings.append(Finding("fail", "worker python", message, advice))
    else:
        findings.append(Finding("ok", "worker python", f"{driver.python}, as the driver, on {hosts} machines"))
    for library, driver_version in driver.libraries.items():
        versions = {worker.libraries.get(library) for worker in workers}
        if None in versions:
            lacking = sorted({worker.host for worker in workers if worker.libraries.get(library) is None})
            advice = "install reviewgen-spark[serve] with constraints.txt there"
            findings.append(Finding("fail", library, f"workers on {', '.join(lacking)} cannot import it", advice))
        elif versions != {driver_version} and driver_version is not None:
            other_versions = sorted(str(version) for version in versions - {driver_version})
            message = f"the driver has {driver_version}, workers have {', '.join(other_versions)}"
            findings.append(Finding("warn", library, message, "install the versions of constraints.txt everywhere"))
        else:
            shown = ", ".join(sorted(str(version) for version in versions))
            findings.append(Finding("ok", library, f"{shown} on every worker"))
    return findings


def check_gpu(device: str, driver: WorkerEnvironment, workers: Sequence[WorkerEnvironment]) -> Finding:
    """Checks which workers find a GPU, because labelling needs it where the tasks run.

    Args:
        device: `label.device`.
        driver: Environment of the driver.
        workers: Environments of the workers.
    """
    gpu_workers = sum(worker.has_gpu for worker in workers)
    message = f"found by {gpu_workers} of {len(workers)} workers, {'and' if driver.has_gpu else 'not'} by the driver"
    if device == "cuda" and gpu_workers < len(workers):
        return Finding("fail", "gpu", message, "set label.device to auto, or give every executor a GPU", True)
    if device == "auto" and 0 < gpu_workers < len(workers):
        return Finding("warn", "gpu", message, "labelling is as slow as its slowest worker; give every executor a GPU")
    if device == "auto" and driver.has_gpu and not gpu_workers:
        return Finding(
            "warn", "gpu", message, "executors label on their CPUs; give them a GPU, or set label.device cpu"
        )
    return Finding("ok", "gpu", f"{message}; label.device is {device}")


def check_artifacts(folder: str, workers: Sequence[WorkerEnvironment]) -> Finding:
    """Checks whether every worker can read the files that the driver writes below the artifact root."""
    blind = sorted({worker.host for worker in workers if not worker.sees_artifacts})
    if blind:
        message = f"workers on {', '.join(blind)} cannot read the files that the driver writes to {folder}"
        return Finding("fail", "artifact root", message, "mount one shared folder as paths.root on every machine", True)
    return Finding("ok", "artifact root", f"{folder}, readable from every worker")


def check_lease(holder: str | None) -> Finding:
    """Checks whether the lease is free. An active run is only a warning, because the next run waits for it."""
    if holder is None:
        return Finding("ok", "lease", "free")
    return Finding("warn", "lease", holder)


@dataclass(frozen=True)
class TableState:
    """Holds the state of one table.

    Attributes:
        name: Name of the table.
        faults: Differences from schemas/ that a run cannot resolve.
        additions: Columns that the next run adds.
        unreadable: Reason why the table cannot be read; None if it can.
    """

    name: str
    faults: tuple[str, ...] = ()
    additions: tuple[str, ...] = ()
    unreadable: str | None = None


def check_tables(states: Sequence[TableState], declared: int) -> list[Finding]:
    """Checks the existing tables. Returns one finding for all good tables, and one for each other table."""
    if not states:
        return [Finding("warn", "tables", "none yet", "`reviewgen run nightly` creates them")]
    findings: list[Finding] = []
    for state in states:
        if state.unreadable is not None:
            advice = f"restore the files from a backup, or run `reviewgen repair {state.name}`"
            findings.append(Finding("fail", f"table {state.name}", f"cannot be read ({state.unreadable})", advice))
        elif state.faults:
            advice = f"migrate the table by hand, or move its folder away and run `reviewgen repair {state.name}`"
            findings.append(Finding("fail", f"table {state.name}", "; ".join(state.faults), advice))
        elif state.additions:
            advice = "the next run adds what is missing"
            findings.append(Finding("warn", f"table {state.name}", f"lacks {', '.join(state.additions)}", advice))
    good = len(states) - len(findings)
    return [
        Finding(
            "ok",
            "tables",
            f"{good} of {declared} are readable and match schemas/, {declared - len(states)} do not exist yet",
        ),
        *findings,
    ]
