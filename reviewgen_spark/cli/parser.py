"""Builds the parser of the `reviewgen` command.

Each module adds the commands about one subject, with their options and the functions that they call.
"""

import argparse

from reviewgen_spark import __version__
from reviewgen_spark.cli import machine, maintenance, models, runs, samples, tables, texts
from reviewgen_spark.cli.command import RUN_EXIT_CODES
from reviewgen_spark.config.messages import ArgumentParser


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of every command; docs/commands.md is generated from it."""
    parser = ArgumentParser(
        prog="reviewgen",
        description="Nightly Spark jobs for e-commerce reviews: clean, de-duplicate, tokenise, train, label, report.",
        epilog=f"exit codes: {RUN_EXIT_CODES}",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", prog=parser.prog)
    for module in (samples, runs, tables, machine, maintenance, texts, models):
        module.add_commands(commands)
    return parser
