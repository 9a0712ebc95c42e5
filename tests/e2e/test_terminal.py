"""Tests that a successful command prints its result and no warning of the JVM or of a library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

# The JVM itself reports these variables on stderr.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")}
CLEAR_SCREEN = "\x1b[2J"


def reviewgen(root: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reviewgen_spark.cli", *arguments, "--env", "local", "--set", f"paths.root={root}"]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300, env=ENVIRONMENT)


def test_sql_prints_only_the_rows(tmp_path: Path) -> None:
    text = "质量很好" * 40
    query = f"SELECT '{text}' AS text, 1.5 AS score UNION ALL SELECT concat('a', char(27), '[2J\\nb'), NULL"
    done = reviewgen(tmp_path, "sql", query)
    assert done.stderr == ""
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert f"|{text}|  1.5|" in lines  # not truncated, because standard output is not a terminal
    assert any(line.startswith("|a\\x1b[2J\\nb ") and line.endswith("| NULL|") for line in lines)
    assert CLEAR_SCREEN not in done.stdout


def test_shell_prints_only_its_banner(tmp_path: Path) -> None:
    done = reviewgen(tmp_path, "shell", stdin="print(spark.range(3).count())\n")
    banner, *rest = done.stderr.splitlines()
    assert banner.startswith("spark and config are defined")
    assert rest == [""]  # Python ends the prompt with a line break
    assert done.stdout.replace(">>> ", "").split() == ["3"]


def test_status_prints_no_warning(tmp_path: Path) -> None:
    done = reviewgen(tmp_path, "status", "--counts")
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout
