"""Runs contestants in turns, and writes the results of a benchmark.

A contestant is a script that does one piece of work in its own process and ends with a line of JSON, at least
`{"seconds": ...}`. This is the time of the work, without the start of an interpreter or a Spark session. Machines are
shared and noisy, so contestants take turns (A B A B) and only ratios of medians count.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
RIVALS = FOLDER.parent / ".bench-venv" / "bin" / "python"


@dataclass(frozen=True)
class Contestant:
    """A script in contestants/, its arguments, and the interpreter that runs it."""

    name: str
    script: str
    arguments: tuple[str, ...]
    python: str = sys.executable

    @property
    def is_installed(self) -> bool:
        return Path(self.python).exists()

    def run(self, out: Path) -> dict[str, Any]:
        """Runs the script once and returns its last line.

        Raises:
            RuntimeError: with the end of its output, if it fails or prints nothing.
        """
        command = [self.python, str(FOLDER / "contestants" / self.script), *self.arguments, "--out", str(out)]
        # Rivals can import this package for the parts that both sides share, but not its dependencies.
        environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent), "PYSPARK_PYTHON": self.python}
        environment |= {"PYSPARK_DRIVER_PYTHON": self.python, "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        if done.returncode or not lines:
            raise RuntimeError(f"{self.name}: exit code {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
        result: dict[str, Any] = json.loads(lines[-1])
        return result


def take_turns(
    contestants: Sequence[Contestant], out: Callable[[Contestant], Path], turns: int
) -> dict[str, list[dict[str, Any]]]:
    """Runs each contestant `turns` times, in turns, and returns their results by name. Prints one line for each run."""
    results_by_name: dict[str, list[dict[str, Any]]] = {contestant.name: [] for contestant in contestants}
    for turn in range(turns):
        for contestant in contestants:
            started = time.monotonic()
            result = contestant.run(out(contestant))
            results_by_name[contestant.name].append(result)
            print(
                f"  turn {turn + 1}/{turns}  {contestant.name:<34} {result['seconds']:9.2f} s"
                f"  (process {time.monotonic() - started:.0f} s)",
                flush=True,
            )
    return results_by_name


def median(results: Sequence[Mapping[str, Any]], key: str = "seconds") -> float:
    return statistics.median(float(result[key]) for result in results)


def bar(name: str, value: float, limit: float, at_most: bool = False) -> dict[str, Any]:
    """Returns a figure and whether it is at least `limit`, or at most `limit` with `at_most`."""
    holds = value <= limit if at_most else value >= limit
    return {"name": name, "value": round(value, 4), "bar": limit, "holds": holds}


def conclude(
    bench: str, rows: int, data: str, bars: Sequence[Mapping[str, Any]], path: Path | None, full: bool, **more: Any
) -> None:
    """Prints the table of bars and writes the JSON file."""
    print(f"\n{bench}, {rows:,} rows: {data}" + ("" if full else "; indicative, the bars are for the full size"))
    for item in bars:
        print(f"  {'holds' if item['holds'] else 'FAILS'}  {item['name']:<58} {item['value']:>9}  bar {item['bar']}")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        report = {"bench": bench, "rows": rows, "data": data, "bars": list(bars), **more}
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def arguments(description: str | None, rows: int) -> argparse.ArgumentParser:
    """Returns a parser with the options of every benchmark."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=rows, help=f"rows of the work (default {rows:,})")
    parser.add_argument("--turns", type=int, default=3, help="runs of each contestant; medians count (default 3)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--without-rivals", action="store_true", help="only our side; rivals need `make bench-setup`")
    return parser
