"""The `reviewgen` command: parses arguments and calls the module that does the work.

A module here adds the commands about one thing: their options, and what each calls.
"""

import argparse
from collections.abc import Sequence

from reviewgen_spark import __version__
from reviewgen_spark.cli import machine, models, runs, samples, tables, texts, upkeep
from reviewgen_spark.cli.command import EPILOG
from reviewgen_spark.job import guarded


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reviewgen",
        description="Nightly Spark jobs for e-commerce reviews: clean, de-duplicate, tokenise, train, label, report.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for subject in (samples, runs, tables, machine, upkeep, texts, models):
        subject.add_commands(commands)
    return parser
