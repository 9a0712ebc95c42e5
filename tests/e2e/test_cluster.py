"""Tests a real cluster: a standalone master and two workers as processes, the packed project, a killed worker."""

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pyspark
import pytest
from pyspark.sql import SparkSession
from reviewgen_spark.jobs import satisfaction
from reviewgen_spark.pipelines import nightly

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.operations.demo.sample import write_sample
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.warehouse.tables import Warehouse
from tests.spark.conftest import register_champion

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
HOST = "127.0.0.1"
TABLES = [name for stage in nightly.PREPARE for name in stage.writes]
TO_SATISFACTION = nightly.STAGES[: nightly.STAGES.index(satisfaction.STAGE) + 1]


def clean_environment(**variables: str) -> dict[str, str]:
    """Returns the environment of a login shell, without Spark variables and PYTHONPATH."""
    inherited = {name: os.environ[name] for name in ("HOME", "JAVA_HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **inherited,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SPARK_LOCAL_IP": HOST,
        **variables,
    }


@dataclass(frozen=True)
class Packed:
    wheel: Path
    archive: Path
    python: Path  # an interpreter without libraries, as on a node of a cluster

    def bare(self, code: str, path: str = "") -> "subprocess.CompletedProcess[str]":
        environment = clean_environment(PYTHONPATH=path)
        return subprocess.run(
            [self.python, "-c", code], env=environment, cwd=self.wheel.parent, capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """Packs the project like `make pack`, but without its set-up."""
    folder = tmp_path_factory.mktemp("packed")
    dist = folder / "dist"
    subprocess.run([ROOT / "pack.sh", sys.prefix, dist, "weak"], cwd=ROOT, check=True)
    venv.create(folder / "bare", symlinks=True)
    [wheel] = dist.glob("*.whl")
    return Packed(wheel, dist / "environment.tar.gz", folder / "bare" / "bin" / "python")


@dataclass
class Cluster:
    url: str
    state_url: str
    folder: Path
    processes: dict[str, "subprocess.Popen[bytes]"]

    def start(self, name: str, *arguments: str) -> None:
        """Starts a daemon as the leader of a process group, so that its executors can be killed with it."""
        environment = clean_environment(SPARK_HOME=str(SPARK_HOME), SPARK_CONF_DIR=str(self.folder))
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [SPARK_HOME / "bin" / "spark-class", *arguments],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def workers_alive(self) -> int:
        try:
            with build_opener(ProxyHandler({})).open(self.state_url, timeout=10) as answer:
                return int(json.load(answer)["aliveworkers"])
        except OSError:  # the master is not ready yet
            return 0

    def kill(self, name: str) -> None:
        """Kills the daemon and its executors at once, like a failing machine."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def executors(self, name: str) -> list[Path]:
        """Returns the folders of the executors that a worker has started."""
        return sorted((self.folder / name).glob("app-*/*"))


def wait_until(condition: Callable[[], bool], description: str, timeout_s: float = 300) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{description}: not within {timeout_s} s"
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Starts a master and two workers with one core and one gigabyte each."""
    port, state_port = free_port(), free_port()
    folder = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(f"spark://{HOST}:{port}", f"http://{HOST}:{state_port}/json/", folder, {})
    deploy = "org.apache.spark.deploy"
    try:
        cluster.start("master", f"{deploy}.master.Master", "--host", HOST, "--port", str(port),
                      "--webui-port", str(state_port))  # fmt: skip
        for name in ("one", "two"):
            cluster.start(name, f"{deploy}.worker.Worker", "--host", HOST, "--cores", "1", "--memory", "1g",
                          "--webui-port", "0", "--work-dir", str(folder / name), cluster.url)  # fmt: skip
        wait_until(lambda: cluster.workers_alive() == 2, "two workers at the master")
        yield cluster
    finally:
        for name, process in cluster.processes.items():
            if process.poll() is None:
                cluster.kill(name)


def overrides(landing: Path) -> list[str]:
    registry = f"sqlite:///{landing.parent}/registry/mlflow/mlflow.db"
    return [f"paths.landing={landing}", f"paths.mlflow_uri={registry}", "spark.shuffle_partitions=2"]


@contextmanager
def submit(
    cluster: Cluster, packed: Packed, root: Path, landing: Path, until: str, *of_nodes: str | Path
) -> Iterator["subprocess.Popen[str]"]:
    """Runs the command of docs/cluster.md from a folder that has only the entry file, with the local Delta jars.

    The command and its processes are killed if it is still running at the end. `of_nodes` is the interpreter of the
    executors, and the archive of libraries if the interpreter has none.
    """
    root.mkdir(exist_ok=True)
    python, *archive = of_nodes
    with zipfile.ZipFile(packed.wheel) as wheel:
        (root / "nightly.py").write_bytes(wheel.read("reviewgen_spark/pipelines/nightly.py"))
    jars = sorted(Path(load_config("local").paths.jars).glob("*.jar"))
    settings = {"spark.driver.host": HOST, "spark.pyspark.python": python,
                "spark.pyspark.driver.python": sys.executable}  # fmt: skip
    command = [
        *("spark-submit", "--master", cluster.url, "--properties-file", ROOT / "conf" / "spark-defaults.conf"),
        *("--jars", ",".join(map(str, jars)), "--py-files", packed.wheel),
        *(part for path in archive for part in ("--archives", f"{path}#environment")),
        *("--driver-memory", "1g", "--executor-memory", "1g"),
        *(part for key, value in settings.items() for part in ("--conf", f"{key}={value}")),
        *("nightly.py", "--env", "cluster", "--until", until),
        *(part for override in overrides(landing) for part in ("--set", override)),
    ]
    environment = clean_environment(REVIEWGEN_ROOT=str(root), REVIEWGEN_USER_KEY=os.environ["REVIEWGEN_USER_KEY"])
    nightly_run = subprocess.Popen(
        command, env=environment, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield nightly_run
    finally:
        if nightly_run.poll() is None:
            os.killpg(nightly_run.pid, signal.SIGKILL)
            nightly_run.wait()


def contents(spark: SparkSession, config: Config) -> dict[str, list[str]]:
    warehouse = Warehouse(spark, config)
    return {name: sorted(map(str, warehouse.read(name).collect())) for name in TABLES}


def labels(spark: SparkSession, config: Config) -> dict[str, tuple[object, ...]]:
    """Returns label, error and rounded score by record; scores differ after four digits in other batches."""
    rows = Warehouse(spark, config).read("gold_review_labels").collect()
    return {
        row.record_id: (row.sentiment_label, row.error, row.sentiment_score and round(row.sentiment_score, 4))
        for row in rows
    }


def test_the_archive_has_the_libraries_of_executors(packed: Packed, tmp_path: Path) -> None:
    with tarfile.open(packed.archive) as archive:
        names = {name.split("/")[0] for name in archive.getnames()}
        archive.extractall(tmp_path, filter="data")
    assert {"numpy", "pandas", "pyarrow", "pydantic", "orjson", "ftfy", "opencc", "rjieba", "spacy", "nltk"} <= names
    assert not {"pyspark", "py4j", "torch", "reviewgen_spark", "pytest"} & names

    code = (
        "import opencc, pyarrow, rjieba, spacy, textblob, vaderSentiment, reviewgen_spark.transforms.clean\n"
        "from reviewgen_spark.config import CleanSection\n"
        "from reviewgen_spark.text.cleaning.cleaner import Cleaner\n"
        "print(reviewgen_spark.__file__, pyarrow.__file__, sep='\\n')\n"
        "print(Cleaner(CleanSection()).clean('<b>很滿意</b>！！！！！電話13800000000').text_clean)\n"
    )
    of_spark = ":".join(map(str, sorted((SPARK_HOME / "python" / "lib").glob("*.zip"))))  # on every node
    for missing in (of_spark, f"{packed.wheel}:{of_spark}", f"{tmp_path}:{of_spark}"):
        assert "ModuleNotFoundError" in packed.bare(code, missing).stderr
    done = packed.bare(code, f"{packed.wheel}:{tmp_path}:{of_spark}")
    assert done.returncode == 0, done.stderr
    project, library, text = done.stdout.splitlines()
    assert project.startswith(str(packed.wheel)) and library.startswith(str(tmp_path))
    assert text == "很满意！！！电话[PHONE]"


def test_a_run_that_loses_a_worker_writes_the_tables_of_local_mode(
    packed: Packed, cluster: Cluster, spark: SparkSession, tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    write_sample(landing, 300)
    for broken in landing.rglob("*-broken.*"):
        broken.unlink()  # a run with a rejected file ends with 3
    register_champion(tmp_path / "registry")
    root, prepared = tmp_path / "cluster", nightly.PREPARE[-1].name
    lines: list[str] = []
    with submit(cluster, packed, root, landing, prepared, packed.python, packed.archive) as nightly_run:
        assert nightly_run.stdout is not None
        for line in nightly_run.stdout:
            lines.append(line)
            if "[dedup] batch 1 " in line and line.rstrip().endswith("started"):
                assert cluster.executors("one") and cluster.executors("two")
                time.sleep(1.0)  # the batch takes some seconds
                cluster.kill("one")
        assert nightly_run.wait(timeout=60) == 0, "".join(lines)
    assert cluster.processes["one"].returncode == -signal.SIGKILL
    assert cluster.processes["two"].poll() is None

    # the executors use the submitted files, because their interpreter has no library
    [executor] = cluster.executors("two")
    assert (executor / packed.wheel.name).is_file() and (executor / "environment" / "rjieba").is_dir()
    assert "ModuleNotFoundError" in packed.bare("import reviewgen_spark").stderr

    local, submitted = (
        load_config("cluster", [f"paths.root={tmp_path / name}", *overrides(landing)]) for name in ("local", "cluster")
    )
    with open_run(spark, local, report=lambda line: None) as run:
        run.pipeline(nightly.PREPARE)
    expected = contents(spark, local)
    assert contents(spark, submitted) == expected
    assert all(expected[name] for name in ("silver_review_splits", "silver_tokens", "silver_weak_labels"))

    texts = {row.text_raw for row in Warehouse(spark, local).read("bronze_reviews").collect() if row.text_raw}
    of_executors = "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for name in ("one", "two")
        for executor in cluster.executors(name)
        for path in executor.glob("std*")
    )
    assert " INFO " not in of_executors  # conf/spark-defaults.conf
    logged = "".join(lines) + of_executors
    assert not [text for text in texts if len(text) > 10 and text in logged]

    # the archive has no torch by default, so labelling needs an interpreter with torch; see docs/cluster.md
    with submit(cluster, packed, root, landing, TO_SATISFACTION[-1].name, sys.executable) as nightly_run:
        output, _ = nightly_run.communicate(timeout=600)
        assert nightly_run.returncode == 0, output
    with open_run(spark, local, report=lambda line: None) as run:
        run.pipeline(TO_SATISFACTION)
    labels_by_record = labels(spark, submitted)
    assert (
        labels_by_record == labels(spark, local)
        and len({label for label, _, _ in labels_by_record.values()} - {None}) == 2
    )
    loads = [row.load_count for row in Warehouse(spark, submitted).read("ops_label_metrics").collect()]
    assert max(loads) == 1, "the remaining worker loads the model once"
    assert not [text for text in texts if len(text) > 10 and text in output]
