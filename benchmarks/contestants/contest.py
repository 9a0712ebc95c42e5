"""What the rules of `turns.py` ask of a contestant's command: these options, and a last line of JSON."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path


def arguments(description: str | None, lines: Sequence[str] = ()) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="folder of Parquet files to work on")
    parser.add_argument("--warm", type=Path, help="a few rows, for what is slow the first time")
    parser.add_argument("--out", type=Path, help="folder to write")
    if lines:
        parser.add_argument("--line", choices=lines, required=True, help="which line of the table")
    return parser


def tell(seconds: float, **more: float) -> None:
    """The time of the work itself, and what else is worth telling."""
    print(json.dumps({"seconds": seconds, **more}))
