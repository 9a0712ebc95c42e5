"""Tests that the benchmarks run on a few rows and without rivals; their figures have no meaning here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import INTERPRETED

FOLDER = Path(__file__).parents[2] / "benchmarks"
ALONE = ("--without-rivals", "--turns", "1")

pytestmark = pytest.mark.e2e


def run_benchmark(script: str, *arguments: str) -> str:
    options = [os.environ["SPARK_SUBMIT_OPTS"], *(f"-D{key}={value}" for key, value in INTERPRETED.items())]
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "SPARK_SUBMIT_OPTS": " ".join(options)},
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    ("script", "name", "bars", "options"),
    [
        ("b1_text.py", "B1", {"clean + tokenise / pure functions", "pure full chain / (NFKC + rjieba)"}, ()),
        (
            "b2_dedup.py",
            "B2",
            {"recall of planted pairs with Jaccard >= 0.8 and equal verdicts", "time of 1 % more / time of all rows"},
            (),
        ),
        ("b3_label.py", "B3", {"float32 / torch alone", "loads a worker"}, ("--model", "scratch:tiny")),
        (
            "b5_generate.py",
            "B5",
            {"ours / generate, sorted"},
            ("--layers", "1", "--hidden", "32"),
        ),
    ],
)
def test_a_benchmark_writes_its_results(
    script: str, name: str, bars: set[str], options: tuple[str, ...], tmp_path: Path
) -> None:
    run_benchmark(script, "--rows", "400", *ALONE, *options, "--json", str(tmp_path / "out.json"))
    report = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (report["bench"], report["rows"]) == (name, 400)
    assert bars <= {bar["name"] for bar in report["bars"]}
    assert all(bar["value"] > 0 and bar["holds"] in (True, False) for bar in report["bars"])
