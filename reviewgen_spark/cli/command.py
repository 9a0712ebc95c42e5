"""Defines what the commands share: options, configuration, Spark session and progress lines.

A command imports what it needs inside its function, because `reviewgen --help` must not wait for Spark.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import indent
from typing import TYPE_CHECKING, TypeAlias

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.orchestration.job import add_config_options
from reviewgen_spark.orchestration.permissions import restrict_permissions

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
    purpose: str,
    example: str,
    exit_codes: str = EXIT_CODES,
) -> argparse.ArgumentParser:
    """Adds a command that calls `run`, with the options that every command has.

    Args:
        commands: The parsers to which the command is added.
        name: Name of the command.
        run: Executes the command and returns its exit code.
        purpose: What the command does, in one sentence.
        example: One or more command lines; `--help` and docs/commands.md show them.
        exit_codes: Each exit code with its meaning.
    """
    parser = commands.add_parser(
        name,
        help=purpose,
        description=purpose,
        epilog=f"example:\n{indent(example, '  ')}\n\nexit codes: {exit_codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.set_defaults(run=run, example=example, exit_codes=exit_codes)
    return parser


def add_group(commands: Commands, name: str, purpose: str, metavar: str) -> Commands:
    """Adds a command that only has sub-commands."""
    group = commands.add_parser(name, help=purpose, description=purpose)
    return group.add_subparsers(required=True, metavar=metavar, prog=group.prog)


def read_config(options: argparse.Namespace) -> Config:
    """Returns the configuration that the options select, and restricts the permissions of new files by it."""
    config = load_config(options.env, options.set)
    restrict_permissions(config.paths.permissions)
    return config


@contextmanager
def open_session(config: Config) -> Iterator["SparkSession"]:
    """Opens a Spark session, and stops it when the command ends."""
    from reviewgen_spark.orchestration.session import start_session

    spark = start_session(config)
    try:
        yield spark
    finally:
        spark.stop()
