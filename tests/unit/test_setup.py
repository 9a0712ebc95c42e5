"""Tests the output of `make setup`: a few lines on success; the end of the log and the next step on failure."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Replaces python, also in the virtual environment that it creates. FAILS names the step that exits with 7.
PYTHON = """#!/bin/sh
case "$*" in
  -c*platform*) echo 3.11.2 ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m "*)
    echo "noise of $2"; echo "WARN: more noise of $2" >&2; /bin/sleep 0.3
    case "$*" in *"$FAILS"*) [ -z "$FAILS" ] || exit 7 ;; esac ;;
esac
"""
JAVA = """#!/bin/sh
echo 'openjdk version "17.0.15" 2025-04-15' >&2
"""


@pytest.fixture
def setup(tmp_path: Path):
    for name, script in (
        ("python3", PYTHON),
        ("java", JAVA),
        ("sleep", "#!/bin/sh\nexec /bin/sleep 0.1\n"),  # 30 seconds become a tenth
    ):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)

    def run(fails: str = "") -> subprocess.CompletedProcess[str]:
        programs = tmp_path / "bin"
        environment = {
            **os.environ,
            "PATH": f"{programs}:/usr/bin:/bin",
            "PYTHON": f"{programs}/python3",
            "FAILS": fails,
        }
        environment.pop("JAVA_HOME", None)
        command = [str(ROOT / "setup.sh"), str(tmp_path / "venv"), str(tmp_path / "jars")]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, cwd=tmp_path)

    return run


def test_setup_prints_eight_lines_and_its_progress(setup, tmp_path: Path) -> None:
    done = setup()
    assert (done.returncode, done.stderr) == (0, "")
    progress = [line for line in done.stdout.splitlines() if line.startswith("    0:0")]
    lines = [line for line in done.stdout.splitlines() if line not in progress]
    assert progress and all("noise of" in line for line in progress)
    assert len(lines) == 8
    assert "17.0.15" in lines[1] and "3.11.2" in lines[2] and "7.6 GB" in lines[3]
    log = (tmp_path / "venv" / "setup.log").read_text(encoding="utf-8")
    assert log.count("noise of pip\n") == 4 and "noise of reviewgen_spark.operations.packaging.delta_jars" in log


@pytest.mark.parametrize(
    ("fails", "message"),
    [
        ("pip", "the libraries could not be installed: check the network"),
        (
            "reviewgen_spark.operations.packaging.delta_jars",
            "the Delta jars could not be downloaded: check the network",
        ),
        ("reviewgen_spark.operations.packaging.class_archive", "Spark could not be started: run  reviewgen doctor"),
    ],
)
def test_a_failure_shows_the_end_of_the_log_and_the_next_step(setup, tmp_path: Path, fails: str, message: str) -> None:
    done = setup(fails)
    assert done.returncode == 7
    lines = done.stderr.splitlines()
    assert lines[0] == f"the end of {tmp_path}/venv/setup.log:"
    assert f"  | WARN: more noise of {fails}" in lines
    assert lines[-1].startswith(f"error: {message}")
    assert setup().returncode == 0  # it works again


def test_a_missing_java_exits_with_two(setup, tmp_path: Path) -> None:
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n", encoding="utf-8")
    (tmp_path / "bin" / "id").write_text("#!/bin/sh\necho 1000\n", encoding="utf-8")
    (tmp_path / "bin" / "id").chmod(0o755)
    done = setup()
    assert done.returncode == 2
    assert done.stderr.startswith("error: Java 17 or 21 is missing") and "apt-get install" in done.stderr
