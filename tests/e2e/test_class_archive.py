"""Tests that sessions use the archive of classes, and start without a word when it is damaged."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reviewgen_spark.config import load_config
from reviewgen_spark.orchestration.class_archive import ARCHIVE, archive_options

JARS = Path(load_config("local").paths.jars)
# Java lists each loaded class with its source.
SESSION = """
import sys
from reviewgen_spark.config import load_config
from reviewgen_spark.orchestration.session import start_session
spark = start_session(load_config("local", sys.argv[1:]))
print(spark.range(3).count())
"""


def start(folder: Path, jars: Path) -> tuple[str, str, int]:
    """Returns both outputs of a session, and how many classes came from an archive of Spark's classes."""
    log = folder / "classes.log"
    environment = {"SPARK_SUBMIT_OPTS": f"-Xlog:class+load:file={log}", "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", SESSION, f"paths.root={folder}", f"paths.jars={jars}"],
        capture_output=True, text=True, timeout=180, cwd=folder, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = log.read_text(encoding="utf-8").splitlines()
    return (
        done.stdout,
        done.stderr,
        sum("org.apache.spark" in line and "shared objects file" in line for line in loaded),
    )


def test_a_session_loads_the_classes_of_spark_from_the_archive(tmp_path: Path) -> None:
    if not (JARS / ARCHIVE).is_file():
        pytest.skip("make setup has written no archive")
    assert archive_options(JARS)
    stdout, stderr, shared = start(tmp_path, JARS)
    assert (stdout, stderr) == ("3\n", "")
    assert shared > 1000


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_session_starts_without_a_word_when_the_archive_is_damaged(tmp_path: Path, content: bytes) -> None:
    jars = tmp_path / "jars"
    jars.mkdir()
    for jar in JARS.glob("*.jar"):
        shutil.copy2(jar, jars)
    (jars / ARCHIVE).write_bytes(content)
    assert start(tmp_path, jars) == ("3\n", "", 0)
