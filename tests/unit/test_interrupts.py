"""Ctrl-C ends a command with 130, whatever a library makes of it."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reviewgen_spark.errors import StageError
from reviewgen_spark.orchestration import interrupts
from reviewgen_spark.orchestration.interrupts import note_interrupts
from reviewgen_spark.orchestration.job import guarded


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    interrupts._interrupted.clear()
    yield
    signal.signal(signal.SIGINT, before)
    interrupts._interrupted.clear()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)


def replaced_in_cleanup() -> int:
    try:
        interrupt()
    finally:
        raise RuntimeError("the connection to the JVM is closed")


def swallowed_by_a_worker() -> int:
    with contextlib.suppress(KeyboardInterrupt):
        interrupt()
    raise StageError("clean, batch 1: PythonException <- KeyboardInterrupt")


def logged_by_py4j() -> int:
    try:
        interrupt()
    except KeyboardInterrupt:
        logging.exception("KeyboardInterrupt while sending command.")
        raise
    return 0


def under_a_handler_that_fails() -> int:
    def cancel(number: int, frame: object) -> None:
        raise RuntimeError("no JVM answers")  # as PySpark's handler while Spark ends

    signal.signal(signal.SIGINT, cancel)
    note_interrupts()
    interrupt()
    return 0


@pytest.mark.parametrize(
    "work", [replaced_in_cleanup, swallowed_by_a_worker, logged_by_py4j, under_a_handler_that_fails]
)
def test_an_interrupt_is_130(work: Callable[[], int], capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(work) == 130
    assert capsys.readouterr().err == "interrupted; run the same command again to continue\n"


def test_another_failure_keeps_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise StageError("label: it failed")

    assert guarded(fail) == 5
    assert capsys.readouterr().err == "error: label: it failed\n"


def test_a_thread_sets_no_handler() -> None:
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=note_interrupts)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("seconds", [0.15, 0.4, 1.0])
def test_a_command_that_is_interrupted_while_it_starts_prints_one_line(seconds: float) -> None:
    code = "import sys; from reviewgen_spark.cli import main; print('up', flush=True); sys.exit(main(['shell']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == (130, "interrupted; run the same command again to continue\n")


def test_a_jvm_that_is_starting_ends_with_its_command(tmp_path: Path) -> None:
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text('JAVA_VERSION="17.0.15"\n', encoding="utf-8")
    java = home / "bin" / "java"  # never answers, as a JVM on a busy machine
    java.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexec sleep 300\n", encoding="utf-8")
    java.chmod(0o755)
    command = [sys.executable, "-m", "reviewgen_spark.cli", "status", "--set", f"paths.root={tmp_path}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "JAVA_HOME": str(home)})
    while not (tmp_path / "started").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)  # returns when the last holder of standard error has ended
    assert (process.returncode, stderr) == (130, "interrupted; run the same command again to continue\n")
