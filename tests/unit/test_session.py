"""Tests the options of a local JVM; no JVM is started here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reviewgen_spark.config import load_config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.orchestration import session
from reviewgen_spark.orchestration.class_archive import ARCHIVE, archive_options, without_configuration_folder


class Builder:
    """Records its settings, as SparkSession.Builder does."""

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}

    def master(self, value: str) -> "Builder":
        return self.config("spark.master", value)

    def config(self, key: str, value: str) -> "Builder":
        self.settings[key] = value
        return self


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "SPARK_SUBMIT_OPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    config = load_config("local", [f"paths.root={tmp_path}", f"paths.jars={tmp_path}"])

    def launched() -> str:
        builder = Builder()
        session._local_launch(builder, config)
        return builder.settings["spark.driver.extraJavaOptions"]

    return launched


@pytest.mark.parametrize("variable", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "SPARK_SUBMIT_OPTS"])
def test_a_configured_garbage_collector_is_not_replaced(
    launch, tmp_path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (tmp_path / "delta.jar").touch()
    assert launch().endswith(" -XX:+UseParallelGC")
    monkeypatch.setenv(variable, "-Xss4m")
    assert "UseParallelGC" in launch()
    monkeypatch.setenv(variable, "-Xss4m -XX:+UseG1GC")
    assert "UseParallelGC" not in launch()


def test_without_jars_the_error_names_make_setup(launch) -> None:
    with pytest.raises(ConfigError, match="make setup"):
        launch()


def test_only_the_incubator_warning_is_dropped_from_stderr() -> None:
    code = (
        "import subprocess, sys; from reviewgen_spark.orchestration.session import INCUBATOR_WARNING, stderr_without\n"
        "with stderr_without(INCUBATOR_WARNING):\n"
        "    subprocess.run(['printf', sys.argv[1]], stdout=2)\n"
        "print(INCUBATOR_WARNING, file=sys.stderr)\n"
    )
    text = f"{session.INCUBATOR_WARNING}\\nbefore\\n# {session.INCUBATOR_WARNING}\\nno text: \\377\\n"
    done = subprocess.run([sys.executable, "-c", code, text], capture_output=True, check=True, timeout=60)
    warning = session.INCUBATOR_WARNING.encode()
    # The last one was written after the block, so it is not filtered.
    assert sorted(done.stderr.splitlines()) == sorted([b"before", b"# " + warning, b"no text: \xff", warning])
    assert done.stdout == b""


def test_the_archive_of_classes_is_used_unless_another_configuration_of_spark_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPARK_HOME", "SPARK_CONF_DIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert archive_options(tmp_path) == ""
    (tmp_path / ARCHIVE).touch()
    assert f"-XX:SharedArchiveFile={tmp_path / ARCHIVE} " in archive_options(tmp_path)
    with without_configuration_folder():
        assert not Path(os.environ["SPARK_CONF_DIR"]).exists()
    assert "SPARK_CONF_DIR" not in os.environ
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert archive_options(tmp_path) == ""
    with without_configuration_folder():
        assert os.environ["SPARK_CONF_DIR"] == str(tmp_path)
