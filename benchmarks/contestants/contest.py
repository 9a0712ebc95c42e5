"""Defines the command of a contestant for `turns.py`: its options, and a last line of JSON."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path


def arguments(description: str | None, lines: Sequence[str] = ()) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="folder of Parquet files to work on")
    parser.add_argument("--warm", type=Path, help="a few rows for warming up")
    parser.add_argument("--out", type=Path, help="folder to write")
    if lines:
        parser.add_argument("--line", choices=lines, required=True, help="which line of the table")
    return parser


def print_result(seconds: float, **more: float) -> None:
    """Prints the time of the work and other figures."""
    print(json.dumps({"seconds": seconds, **more}))
