"""Tests the download of the Delta jars without a network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e


def test_a_failed_download_exits_with_five_and_names_the_next_step(tmp_path: Path) -> None:
    code = (
        "import sys; from reviewgen_spark.operations.packaging import delta_jars as jars\n"
        "jars.DELTA_PACKAGE = 'io.delta:no-such-package:0'\n"
        "sys.exit(jars.main(sys.argv[1:]))"
    )
    closed_port = "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=1 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "jars")],
        env={**os.environ, "SPARK_SUBMIT_OPTS": f"{closed_port} -Duser.home={tmp_path}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1].endswith("could not be resolved; check the network and run this again")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "jars").exists()
