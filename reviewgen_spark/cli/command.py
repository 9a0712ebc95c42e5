"""Defines what the commands share: options, configuration, Spark session and progress lines.

A command imports what it needs inside its function: `reviewgen --help` must not wait for Spark.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import indent
from typing import TYPE_CHECKING, TypeAlias

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.orchestration.job import add_config_options

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EXIT_CODES = "0 done, 2 wrong configuration, 5 everything else"
RUN_EXIT_CODES = (
    "0 done, 2 wrong configuration, 3 data was refused, late or too little, 4 too many errors of the model, "
    "5 everything else"
)

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    help_: str,
    example: str,
    exit_codes: str = EXIT_CODES,
) -> argparse.ArgumentParser:
    """Adds a command that `run` carries out, with the options that every command has.

    Args:
        commands: Where to add it.
        name: Name of the command.
        run: Carries it out and returns its exit code.
        help_: Its purpose, one sentence.
        example: One or more command lines; `--help` and docs/commands.md show them.
        exit_codes: Each exit code with its meaning.
    """
    added = commands.add_parser(
        name,
        help=help_,
        description=help_,
        epilog=f"example:\n{indent(example, '  ')}\n\nexit codes: {exit_codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(added)
    added.set_defaults(run=run, example=example, exit_codes=exit_codes)
    return added


def add_group(commands: Commands, name: str, help_: str, metavar: str) -> Commands:
    """Adds a command that only has sub-commands."""
    group = commands.add_parser(name, help=help_, description=help_)
    return group.add_subparsers(required=True, metavar=metavar, prog=group.prog)


def read_config(options: argparse.Namespace) -> Config:
    """Returns the configuration that the options name."""
    return load_config(options.env, options.set)


@contextmanager
def open_session(config: Config) -> Iterator["SparkSession"]:
    """Opens a Spark session, and stops it when the command ends."""
    from reviewgen_spark.orchestration.session import start_session

    spark = start_session(config)
    try:
        yield spark
    finally:
        spark.stop()


def tell_progress(line: str) -> None:
    """Prints a line to standard error, because standard output is only for the result."""
    print(line, file=sys.stderr, flush=True)
