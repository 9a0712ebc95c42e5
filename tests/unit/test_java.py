"""What is said about a Java that cannot start Spark, before Spark tries."""

from pathlib import Path

import pytest

from reviewgen_spark.config import load_config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.orchestration.java import launch_fault
from reviewgen_spark.orchestration.session import start_session


def make_java(home: Path, release: str | None, printed: str = "") -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{printed}' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    if release is not None:
        (home / "release").write_text(release, encoding="utf-8")
    return home


def test_a_missing_java_home_is_named_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "no java"
    monkeypatch.setenv("JAVA_HOME", str(home))
    fault = launch_fault()
    assert fault is not None and f"JAVA_HOME={home}" in fault and "not found" in fault and "install Java 17" in fault
    (home / "bin").mkdir(parents=True)
    assert launch_fault() == fault, "a folder without java is no Java"
    with pytest.raises(ConfigError, match="install Java 17"):
        start_session(load_config("local", [f"paths.root={tmp_path}"]))


@pytest.mark.parametrize(
    ("release", "printed", "expected"),
    [
        ('IMPLEMENTOR="x"\nJAVA_VERSION="1.8.0_392"\n', "", "version 8"),
        ('JAVA_VERSION="11.0.2"\nJAVA_RUNTIME_VERSION="11.0.2+9"\n', "", "version 11"),
        ('JAVA_VERSION="17.0.15"\n', "", None),
        ('JAVA_VERSION="21"\n', "", None),
        (None, 'java version "1.8.0_392"', "version 8"),
        (None, 'openjdk version "17.0.15" 2025-04-15', None),
        (None, "", "its command shows no version"),
    ],
)
def test_the_version_of_a_java(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str | None, printed: str, expected: str | None
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "jdk", release, printed)))
    fault = launch_fault()
    assert fault is None if expected is None else fault is not None and fault.startswith(f"Java: {expected} (")


def test_without_java_home_the_path_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    fault = launch_fault()
    assert fault is not None and "not found" in fault and "the PATH" in fault
