"""Tests that the doctor reports each fault with its next step, and continues with the other checks."""

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark import cloudpickle

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.registry.registry import store_identity
from reviewgen_spark.operations.doctor import health_checks
from reviewgen_spark.operations.doctor.doctor import examine, examine_machine, find_champion, spark_bytes
from reviewgen_spark.operations.doctor.finding import Finding, exit_code
from reviewgen_spark.operations.doctor.health_checks import GIB, TableState, WorkerEnvironment
from reviewgen_spark.operations.doctor.workers import environment_reader

DRIVER = WorkerEnvironment("here", "3.11", {"pyarrow": "25.0", "torch": "2.15"}, False, 8 * GIB)
WORKER = replace(DRIVER, host="there", sees_artifacts=True)
PACKAGE = "io.delta:delta-spark_4.1_2.13:4.3.1"
JARS = ("io.delta_delta-spark_4.1_2.13-4.3.1.jar", "io.delta_delta-storage-4.3.1.jar")


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.subject: finding.level for finding in findings}


@pytest.mark.parametrize(
    ("text", "level", "word"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime', "ok", "17"),
        ('openjdk version "21" 2023-09-19', "ok", "21"),
        ('java version "1.8.0_392"', "fail", "version 8"),
        ('openjdk version "24.0.1" 2025-04-15', "fail", "version 24"),
        ("Unrecognized option", "fail", "no version"),
        (None, "fail", "JAVA_HOME"),
    ],
)
def test_the_java_version_is_checked(text: str | None, level: str, word: str) -> None:
    finding = health_checks.check_java(text)
    assert finding.level == level and word in finding.message
    assert (finding.next_step == "") == (level == "ok")


def test_both_delta_jars_are_needed_in_the_configured_version() -> None:
    assert health_checks.check_jars("/jars", JARS, PACKAGE).level == "ok"
    for names in ((), JARS[:1], JARS[1:], ("io.delta_delta-spark_4.0_2.13-4.0.0.jar", JARS[1])):
        finding = health_checks.check_jars("/jars", names, PACKAGE)
        assert (finding.level, finding.is_configuration) == ("fail", True) and "make setup" in finding.next_step
    assert "delta-spark_4.0_2.13-4.0.0.jar" in finding.message


def test_the_user_key_is_checked_and_never_printed(tmp_path: Path) -> None:
    def check(value: str, file: Path | None) -> Finding:
        return health_checks.check_user_key(value, file, "KEY")

    file = tmp_path / "key"
    assert check("k" * 16, None).level == "ok"
    assert check("secret", file).level == "fail" and "secret" not in check("secret", file).line()
    assert (check("", None).level, check("", None).is_configuration) == ("fail", True)
    assert check("", file).level == "ok" and not file.exists()
    file.write_text("k" * 32)
    file.chmod(0o600)
    assert check("", file).level == "ok"
    file.chmod(0o644)
    assert check("", file).level == "warn"


@pytest.mark.parametrize(
    ("rows", "size", "workers", "available", "level"),
    [
        (4096, 16 * 2**20, 2, 8 * GIB, "ok"),
        (4096, 512 * 2**20, 2, 64 * GIB, "warn"),
        (4096, 128 * 2**20, 16, 6 * GIB, "warn"),
        (4096, -1, 2, 8 * GIB, "fail"),
        (0, 16 * 2**20, 2, 8 * GIB, "fail"),
    ],
)
def test_arrow_limits_are_checked(rows: int, size: int, workers: int, available: int, level: str) -> None:
    assert health_checks.check_arrow(rows, size, workers, available).level == level


def test_memory_is_checked_against_the_workers() -> None:
    model = GIB - health_checks.WORKER_BYTES
    assert health_checks.check_memory(model, 8, 8 * GIB).level == "ok"
    short = health_checks.check_memory(model, 8, 5 * GIB)
    assert short.level == "warn" and "local[5]" in short.next_step
    assert health_checks.check_memory(model, 8, GIB - 1).level == "fail"


def test_free_space_is_checked() -> None:
    assert [health_checks.check_disk("/d", free, 100 * GIB).level for free in (GIB - 1, GIB, 10 * GIB)] == [
        "fail", "warn", "ok",
    ]  # fmt: skip


def test_the_champion_is_checked() -> None:
    assert health_checks.check_champion("m", 3, "", False).level == "ok"
    assert health_checks.check_champion("m", None, "no version", False).level == "warn"
    assert health_checks.check_champion("m", None, "sha256 differs", True).level == "fail"


def test_workers_like_the_driver_pass() -> None:
    assert set(levels(health_checks.check_workers(DRIVER, [WORKER, WORKER])).values()) == {"ok"}


def test_a_worker_with_another_python_or_without_a_library_fails() -> None:
    other = replace(WORKER, host="far", python="3.12", libraries={"pyarrow": "24.0", "torch": None})
    findings = health_checks.check_workers(DRIVER, [WORKER, other])
    assert levels(findings) == {"worker python": "fail", "pyarrow": "warn", "torch": "fail"}
    assert "3.12" in findings[0].message and "24.0" in findings[1].message and "on far cannot" in findings[2].message


def test_a_driver_without_torch_may_have_workers_with_it() -> None:
    driver = replace(DRIVER, libraries={"torch": None})
    assert levels(health_checks.check_workers(driver, [WORKER]))["torch"] == "ok"


@pytest.mark.parametrize(
    ("device", "driver", "workers", "level"),
    [
        ("auto", False, (False, False), "ok"),
        ("auto", True, (True, True), "ok"),
        ("auto", True, (False, False), "warn"),
        ("auto", False, (True, False), "warn"),
        ("cuda", True, (False, True), "fail"),
        ("cuda", False, (True, True), "ok"),
        ("cpu", True, (False, False), "ok"),
    ],
)
def test_the_gpus_of_workers_are_checked(device: str, driver: bool, workers: tuple[bool, ...], level: str) -> None:
    seen = [replace(WORKER, has_gpu=has_gpu) for has_gpu in workers]
    assert health_checks.check_gpu(device, replace(DRIVER, has_gpu=driver), seen).level == level


def test_every_worker_must_see_the_artifact_root() -> None:
    assert health_checks.check_artifacts("/a", [WORKER]).level == "ok"
    blind = health_checks.check_artifacts("/a", [WORKER, replace(WORKER, host="far", sees_artifacts=False)])
    assert blind.level == "fail" and "far" in blind.message and "there" not in blind.message


def test_healthy_tables_share_a_line() -> None:
    states = [
        TableState("one"),
        TableState("two", unreadable="2 of its 3 files are missing"),
        TableState("three", faults=("column x is not in schemas/",), additions=("column y",)),
        TableState("four", additions=("column y",)),
    ]
    findings = health_checks.check_tables(states, 5)
    assert levels(findings) == {"tables": "ok", "table two": "fail", "table three": "fail", "table four": "warn"}
    assert findings[0].message.startswith("1 of 5") and "1 do not exist yet" in findings[0].message
    assert levels(health_checks.check_tables([], 5)) == {"tables": "warn"}


def test_the_exit_code_depends_on_the_worst_finding() -> None:
    healthy, warning = Finding("ok", "a", "b"), Finding("warn", "a", "b")
    broken, misconfigured = Finding("fail", "a", "b"), Finding("fail", "a", "b", is_configuration=True)
    codes = [
        exit_code(findings) for findings in ([healthy, warning], [healthy, broken], [broken, misconfigured, healthy])
    ]
    assert codes == [0, 5, 2]


def test_a_worker_reads_its_environment_without_this_package(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch()
    pickled = tmp_path / "look.pickle"
    pickled.write_bytes(cloudpickle.dumps(environment_reader(str(token), ("json", "reviewgen_spark"))))
    code = (
        "import sys, pickle, pathlib; sys.modules['reviewgen_spark'] = None; "
        f"print(pickle.loads(pathlib.Path({str(pickled)!r}).read_bytes())(0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seen = WorkerEnvironment(**ast.literal_eval(done.stdout))
    assert seen.libraries == {"json": "2.0.9", "reviewgen_spark": None}
    assert seen.sees_artifacts is True and seen.available_bytes > 0
    assert seen.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    token.unlink()
    assert environment_reader(str(token), ())(0)["sees_artifacts"] is False


def test_without_java_the_other_checks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.delenv("REVIEWGEN_USER_KEY", raising=False)
    lines: list[str] = []
    root = tmp_path / "root"
    code = examine("local", [f"paths.root={root}", "clean.user_key_file=null", "paths.jars=none"], lines.append)
    assert code == 2
    reported = {line.split(":")[0] for line in lines}
    assert {"fail  java", "fail  delta jars", "fail  user key", "warn  champion", "warn  landing folder"} <= reported
    assert "ok    configuration" in reported and "warn  spark" in reported
    assert not root.exists()  # the checks create no folder
    assert examine("local", [f"paths.root={root}"], lines.append) == 5


def test_a_wrong_configuration_is_reported_with_java(tmp_path: Path) -> None:
    lines: list[str] = []
    assert examine("local", ["paths.rot=/x", "label.device=tpu"], lines.append) == 2
    assert lines[0].split(":")[0].endswith("java")
    assert sum(line.startswith("fail  configuration: ") for line in lines) == 2


def test_the_machine_checks_need_no_existing_folder(make_config: Callable[..., Config]) -> None:
    subjects = levels(list(examine_machine(make_config())))
    assert set(subjects) == {"delta jars", "user key", "landing folder", "disk"}


def test_an_unreachable_registry_fails(make_config: Callable[..., Config]) -> None:
    config = make_config("paths.mlflow_uri=http://127.0.0.1:9")  # the discard port
    finding = find_champion(config).finding
    assert (finding.level, finding.is_configuration) == ("fail", True) and "does not answer" in finding.message


def test_a_registry_without_the_alias_is_only_a_warning(make_config: Callable[..., Config]) -> None:
    config = make_config()
    store_identity(config.paths.tracking_uri, config.models.name)
    finding = find_champion(config).finding
    assert finding.level == "warn" and "alias 'champion'" in finding.message and "run train" in finding.next_step


def test_spark_sizes_are_parsed() -> None:
    assert [spark_bytes(text) for text in ("3g", "512m", "1024", "64KiB")] == [3 * GIB, 2**29, 1024, 2**16]
    with pytest.raises(ConfigError, match="expected a size"):
        spark_bytes("much")
