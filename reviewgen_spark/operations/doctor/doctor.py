"""Checks whether this machine and its executors are ready for a run, for `reviewgen doctor`; changes nothing.

A failed check becomes a finding, and the next check runs. Checks without Spark run first.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import ConfigError, DamagedTableError, ModelNotFoundError, RegistryError, ReviewgenError
from reviewgen_spark.inference.labelling.label import require_label_model
from reviewgen_spark.operations.doctor import health_checks
from reviewgen_spark.operations.doctor.finding import Finding, exit_code
from reviewgen_spark.operations.doctor.health_checks import TableState, WorkerEnvironment
from reviewgen_spark.operations.doctor.workers import LIBRARIES, environment_reader, existing_folder, survey_workers
from reviewgen_spark.orchestration.java import java_version
from reviewgen_spark.orchestration.permissions import open_folders
from reviewgen_spark.orchestration.resources.models import label_model
from reviewgen_spark.orchestration.resources.user_key import KEY_VARIABLE
from reviewgen_spark.orchestration.session import DELTA_PACKAGE, start_session
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.schema_evolution import differences
from reviewgen_spark.warehouse.table_damage import find_damage

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from reviewgen_spark.warehouse.tables import Warehouse

_RUN_AGAIN = "correct the failures above, then run `reviewgen doctor` again"


@dataclass(frozen=True)
class Champion:
    """Holds the finding about the champion, and the size of its weights if all its files are complete."""

    finding: Finding
    model_bytes: int | None = None


def examine(env: str | None, overrides: Sequence[str], report: Callable[[str], None]) -> int:
    """Runs all checks that are possible, reports each finding at once, and returns the exit code.

    Args:
        env: Value of `--env`.
        overrides: Values of `--set`.
        report: Called with one line for each finding.
    """
    findings: list[Finding] = []
    for finding in _findings(env, overrides):
        findings.append(finding)
        report(finding.line())
    return exit_code(findings)


def _findings(env: str | None, overrides: Sequence[str]) -> Iterator[Finding]:
    """Yields the findings of all checks that are possible."""
    java = health_checks.check_java(java_version())
    yield java
    try:
        config = load_config(env, overrides)
    except ConfigError as error:
        for fault in error.args:
            yield Finding("fail", "configuration", fault, is_configuration=True)
        yield Finding("warn", "other checks", "not run, because they need the configuration", _RUN_AGAIN)
        return
    yield Finding("ok", "configuration", f"paths.root is {config.paths.root}")
    yield from examine_machine(config)
    champion = find_champion(config)
    yield champion.finding
    # Measured before the JVM of the driver takes memory.
    available_bytes = WorkerEnvironment(**environment_reader(None, ())(None)).available_bytes
    if java.level == "fail":
        message = "not started, because it needs Java; workers, lease and tables are not checked"
        yield Finding("warn", "spark", message, _RUN_AGAIN)
        return
    try:
        spark = start_session(config, "reviewgen doctor")
    except ConfigError as error:
        yield Finding("fail", "spark", str(error), is_configuration=True)
        return
    except Exception as error:
        yield Finding("fail", "spark", f"does not start ({type(error).__name__})", "see docs/runbook.md")
        return
    try:
        yield from examine_spark(spark, config, champion.model_bytes, available_bytes)
    finally:
        spark.stop()


def examine_machine(config: Config) -> Iterator[Finding]:
    """Checks jars, key, folders and disks, without Spark."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # spark-submit has its own jars
        jars = Path(config.paths.jars)
        names = [path.name for path in jars.glob("*.jar")] if jars.is_dir() else []
        yield health_checks.check_jars(config.paths.jars, names, DELTA_PACKAGE)
    file = config.clean.user_key_file
    key_file = Path(config.paths.root) / file if file else None
    yield health_checks.check_user_key(os.environ.get(KEY_VARIABLE, ""), key_file, KEY_VARIABLE)
    if "://" not in config.paths.landing:
        yield health_checks.check_landing(config.paths.landing, Path(config.paths.landing).is_dir())
    exports = config.paths.exports if config.tables.parquet_exports else ""
    paths = (config.paths.warehouse, config.paths.artifacts, exports, config.spark.extra.get("spark.local.dir", ""))
    yield from check_permissions(config)
    devices = set()
    for path in (*paths, tempfile.gettempdir()):
        if path and "://" not in path:
            folder = existing_folder(Path(path))
            if folder.stat().st_dev not in devices:
                devices.add(folder.stat().st_dev)
                usage = shutil.disk_usage(folder)
                yield health_checks.check_disk(str(folder), usage.free, usage.total)


def check_permissions(config: Config) -> Iterator[Finding]:
    """Yields a finding if more users can enter the folders of a run than `paths.permissions` allows."""
    paths = config.paths
    folders = (paths.warehouse, paths.artifacts, paths.exports, paths.model_artifacts)
    local = [Path(folder) for folder in folders if "://" not in folder]
    if opened := open_folders(Path(paths.root), local, paths.permissions):
        yield health_checks.report_open_folders(opened, paths.permissions)


def find_champion(config: Config) -> Champion:
    """Finds the model that labels, and checks its files. A missing registry is not created."""
    name, alias, uri = config.models.name, config.label.alias, config.paths.tracking_uri
    # Limits the wait to seconds, because MLflow retries an unreachable server seven times, for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from reviewgen_spark.models.registry.mlflow_store import has_store
    from reviewgen_spark.models.registry.registry import list_models

    if not has_store(uri):
        if config.paths.mlflow_uri is None:
            return Champion(health_checks.check_champion(name, None, f"no registry at {uri} yet", False))
        message = f"there is no registry at {uri}"
        return Champion(Finding("fail", "champion", message, "correct paths.mlflow_uri", is_configuration=True))

    try:
        pinned = label_model(config, keeps=False)
        require_label_model(pinned.model, config.label)
    except ModelNotFoundError as error:
        has_alias = any(alias in (*entry.aliases, str(entry.version)) for entry in list_models(uri, name))
        problem, _, advice = str(error).partition("; ")
        return Champion(health_checks.check_champion(name, None, problem, has_alias, advice))
    except RegistryError as error:
        problem, _, advice = str(error).partition("; ")
        return Champion(Finding("fail", "champion", problem, advice, True))
    except ReviewgenError as error:
        return Champion(Finding("fail", "champion", str(error)))
    model = pinned.model
    finding = health_checks.check_champion(name, model.version, pinned.warning, False)
    return Champion(finding, (model.path / "model.safetensors").stat().st_size)


def examine_spark(
    spark: "SparkSession", config: Config, model_bytes: int | None, available_bytes: int
) -> Iterator[Finding]:
    """Checks the workers, the lease and the tables.

    Args:
        spark: Session of this project.
        config: Configuration of a run.
        model_bytes: Size of the champion's weights; None if there is no usable champion.
        available_bytes: Memory of this machine before the session was started.
    """
    parallelism = spark.sparkContext.defaultParallelism
    driver = WorkerEnvironment(**environment_reader(None, LIBRARIES)(None))
    try:
        workers = survey_workers(spark, config)
    except Exception as error:
        from reviewgen_spark.orchestration.failures import describe_failure

        yield Finding("fail", "workers", f"cannot run a task ({describe_failure(error)})", "set PYSPARK_PYTHON")
        workers = []
    is_local = str(spark.sparkContext.master).startswith("local")
    if workers:
        yield from health_checks.check_workers(driver, workers)
        yield health_checks.check_gpu(config.label.device, driver, workers)
        yield health_checks.check_artifacts(str(existing_folder(Path(config.paths.artifacts))), workers)
        if not is_local:
            available_bytes = min(worker.available_bytes for worker in workers)
    hosts = len({worker.host for worker in workers}) or 1
    workers_per_host = -(-parallelism // hosts)
    yield health_checks.check_arrow(
        int(spark.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch", "0") or 0),
        spark_bytes(spark.conf.get("spark.sql.execution.arrow.maxBytesPerBatch", "0") or "0"),
        workers_per_host,
        available_bytes,
    )
    if model_bytes is not None:
        heap = spark_bytes(config.spark.driver_memory) if is_local else 0
        yield health_checks.check_memory(model_bytes, workers_per_host, max(available_bytes - heap, 0))
    yield from examine_warehouse(spark, config)


def examine_warehouse(spark: "SparkSession", config: Config) -> Iterator[Finding]:
    """Checks the lease and the tables."""
    from reviewgen_spark.orchestration.lease import describe_holder
    from reviewgen_spark.warehouse.tables import Warehouse

    warehouse = Warehouse(spark, config)
    try:
        yield health_checks.check_lease(describe_holder(warehouse))
    except Exception as error:
        yield Finding(
            "fail", "lease", f"cannot be read ({type(error).__name__})", "see the findings about tables below"
        )
    written = _written_versions(warehouse)
    states = []
    for name in TABLES:
        try:
            if damage := find_damage(warehouse.log(name), written.get(name)):
                states.append(TableState(name, unreadable=damage.summary()))
            elif warehouse.exists(name):
                states.append(state_of(warehouse, name))
        except Exception as error:
            # Only the class is reported, because a message of Spark may contain values.
            states.append(TableState(name, unreadable=type(error).__name__))
    yield from health_checks.check_tables(states, len(TABLES))


def _written_versions(warehouse: "Warehouse") -> dict[str, int]:
    """Returns the versions that the log of runs has recorded; if it is lost or damaged, only that it must exist."""
    from reviewgen_spark.orchestration.ledger import RUNS, Ledger

    try:
        return Ledger(warehouse, "doctor").written_versions()
    except DamagedTableError:
        return {RUNS: 0}


def state_of(warehouse: "Warehouse", name: str) -> TableState:
    """Compares a table with schemas/, checks that its files exist, and reads one row."""
    faults, additions = differences(warehouse.log(name), TABLES[name])
    rows = warehouse.read(name)
    files = [Path(unquote(urlsplit(file).path)) for file in rows.inputFiles() if file.startswith("file:/")]
    missing = sum(not file.is_file() for file in files)
    if missing:
        return TableState(name, unreadable=f"{missing:,} of its {len(files):,} files are missing")
    # An executor reads one row with all columns, and nothing is printed.
    rows.limit(1).write.format("noop").mode("overwrite").save()
    return TableState(name, tuple(faults), tuple(additions))


def spark_bytes(text: str) -> int:
    """Converts a size in the notation of Spark to bytes.

    >>> spark_bytes("3g"), spark_bytes("16777216"), spark_bytes("256MB"), spark_bytes("-1")
    (3221225472, 16777216, 268435456, -1)
    """
    match = re.fullmatch(r"\s*(-?\d+)\s*([kmgt]?)i?b?\s*", text.lower())
    if match is None:
        raise ConfigError(f"got {text!r}, expected a size such as 16777216, 512m or 3g")
    factor: int = 1024 ** " kmgt".index(match[2] or " ")
    return int(match[1]) * factor
