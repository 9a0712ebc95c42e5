"""Starts the SparkSession: with Delta, UTC, bounded Arrow batches, and no review text in the log."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.config import Config, default_conf_folder
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.shipping.preload import MODULE as DAEMON_MODULE
from reviewgen_spark.orchestration.class_archive import archive_options, without_configuration_folder
from reviewgen_spark.orchestration.interrupts import note_interrupts
from reviewgen_spark.orchestration.java import launch_fault
from reviewgen_spark.orchestration.permissions import restrict_permissions, umask_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark always starts its JVM with this module, and no option of Java hides the line.
INCUBATOR_WARNING = "WARNING: Using incubator modules: jdk.incubator.vector"
DELTA_PACKAGE = "io.delta:delta-spark_4.1_2.13:4.3.1"


def session_settings(config: Config) -> dict[str, str]:
    """Returns every Spark setting that this project needs; comments give the reasons."""
    spark = config.spark
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # Tables are registered by location; a Derby metastore locks its folder against a second process.
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(spark.shuffle_partitions),
        "spark.sql.adaptive.enabled": "true",
        # Delta reads its log with 50 tasks by default. That takes seconds a table, for a log of a few kilobytes.
        "spark.databricks.delta.snapshotPartitions": "2",
        # VACUUM lists a table's files in as many tasks, by default 10,000.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(max(spark.shuffle_partitions, 4)),
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(spark.arrow_max_rows),
        # Unbounded by default: one batch of very long texts would fill a worker's memory.
        "spark.sql.execution.arrow.maxBytesPerBatch": str(spark.arrow_max_bytes),
        # The reason of a worker's failure must be kept, but without values of rows.
        "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "true",
        # The query context that Spark prints with an error quotes literals and columns.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        # A corrupt file must fail or go to quarantine. A part of its rows must never be used.
        "spark.sql.files.ignoreCorruptFiles": "false",
        # Texts, words and hashes rarely repeat. A dictionary costs a tenth of a stage's time and saves no more space
        # than zstd (a table of reviews and tokens: 61 MB, against 68 MB with Spark's defaults).
        "spark.hadoop.parquet.enable.dictionary": "false",
        "spark.sql.parquet.compression.codec": "zstd",
        # Hadoop sets the mode of each file and folder, and ignores the umask of its process.
        "spark.hadoop.fs.permissions.umask-mode": f"{umask_of(config.paths.permissions):03o}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        **spark.extra,
    }


def start_session(config: Config, app: str = "reviewgen") -> "SparkSession":
    """Starts a session, or joins the one of `spark-submit`. From now on new files of this process are restricted.

    Raises:
        ConfigError: When the Delta jars are neither in `paths.jars` nor on spark-submit's class path, or there is no
            Java that Spark can use.
    """
    restrict_permissions(config.paths.permissions)
    # Workers must run this interpreter, not the `python3` of the machine.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    # Python can import from a wheel, but Spark adds only files with these endings to the executors' path.
    SparkContext.PACKAGE_EXTENSIONS = (".zip", ".egg", ".jar", ".whl")
    # PySpark logs the query context of a failure, values included, even with Spark's log off.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    logging.getLogger("DataFrameQueryContextLogger").disabled = True
    logging.getLogger("py4j").setLevel(logging.CRITICAL)

    builder = SparkSession.builder.appName(app)
    is_submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if not is_submitted:
        builder = _local_launch(builder, config)
    for key, value in session_settings(config).items():
        builder = builder.config(key, value)
    with nullcontext() if is_submitted else _launching_jvm(), end_jvm_on_failure():
        session = builder.getOrCreate()
    note_interrupts()  # PySpark has just replaced the handler
    session.sparkContext.setLogLevel(config.spark.log_level)
    if not _has_delta(session):
        raise ConfigError(
            f"Delta's jars are not on the class path: run `make setup`, or give spark-submit --packages {DELTA_PACKAGE}"
        )
    return session


@contextmanager
def _launching_jvm() -> Iterator[None]:
    with stderr_without(INCUBATOR_WARNING), without_configuration_folder():
        yield


@contextmanager
def stderr_without(line: str) -> Iterator[None]:
    """Drops one exact line from the standard error of processes that start inside; all other lines pass.

    A separate process filters, because the JVM may write after this process has ended. It ends with the JVM.
    """
    sys.stderr.flush()
    read_end, write_end = os.pipe()
    stderr_copy = os.dup(2)
    # Without setsid, Ctrl-C would end the filter, and later lines of the JVM would be lost.
    os.posix_spawnp(
        "sed",
        ["sed", "-u", f"/^{line}$/d"],
        {**os.environ, "LC_ALL": "C"},
        file_actions=[(os.POSIX_SPAWN_DUP2, read_end, 0), (os.POSIX_SPAWN_DUP2, stderr_copy, 1)],
        setsid=True,
    )
    os.close(read_end)
    os.dup2(write_end, 2)
    os.close(write_end)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr_copy, 2)
        os.close(stderr_copy)


@contextmanager
def end_jvm_on_failure() -> Iterator[None]:
    """Ends a JVM that was starting inside when an exception came, such as Ctrl-C.

    PySpark forgets a JVM that has not answered yet. It would run on, and keep standard error open for a pipe's reader.
    """
    from pyspark import SparkContext

    before = _descendants()
    try:
        yield
    except BaseException:
        if SparkContext._gateway is None:
            for process in _descendants() - before:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)
        raise


def _descendants() -> set[int]:
    """Returns the processes that this one or one of its children started, and that still run."""
    parents: dict[int, int] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended in the meantime
            fields = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            parents[int(file.parent.name)] = int(fields[1])
    descendants: set[int] = set()
    generation = {os.getpid()}
    while generation:
        generation = {child for child, parent in parents.items() if parent in generation}
        descendants |= generation
    return descendants


def _local_launch(builder: "SparkSession.Builder", config: Config) -> "SparkSession.Builder":
    """Adds the settings that must be set before the JVM starts; spark-submit has its own.

    Raises:
        ConfigError: When there are no Delta jars, or no Java that Spark can use.
    """
    if fault := launch_fault():
        raise ConfigError(fault)
    jars = sorted(Path(config.paths.jars).glob("*.jar"))
    if not jars:
        raise ConfigError(f"{config.paths.jars}: no Delta jars in this folder: run `make setup` once, with a network")
    if config.spark.master.startswith("local"):
        # The host name of a laptop may have no address, or one that changes with the network.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        if not config.spark.master.startswith("local-cluster"):
            # Label workers are forked from a process with torch. On a cluster, executors may get this package too late.
            builder = builder.config("spark.python.daemon.module", DAEMON_MODULE)
    # The class path is used, because spark.jars copies 11 MB to a temporary folder at each start.
    classpath = ":".join(str(jar) for jar in jars)
    log4j = (default_conf_folder() / "log4j2.properties").as_uri()
    options = f"-Dlog4j2.configurationFile={log4j} -Dreviewgen.log.level={config.spark.log_level}"
    java_options = (os.environ.get(name, "") for name in ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "SPARK_SUBMIT_OPTS"))
    if not any("GC" in value for value in java_options):  # with two collectors the JVM does not start
        # A run uses every core, and the background work of G1 would slow it down (docs/experiments.md).
        options += " -XX:+UseParallelGC"
    options += archive_options(Path(config.paths.jars))
    return (
        builder.master(config.spark.master)
        .config("spark.driver.memory", config.spark.driver_memory)
        .config("spark.driver.extraClassPath", classpath)
        .config("spark.executor.extraClassPath", classpath)
        .config("spark.driver.extraJavaOptions", options)
    )


def _has_delta(session: "SparkSession") -> bool:
    jvm = session._jvm
    assert jvm is not None  # a classic session always has one
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    return loader.getResource("io/delta/sql/DeltaSparkSessionExtension.class") is not None
