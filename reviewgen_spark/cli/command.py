"""What the commands share: options, configuration, Spark session, and where progress is told.

A command imports what it needs inside its function: `reviewgen --help` must not wait for Spark.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.job import add_config_options

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EPILOG = """exit codes: 0 done, 2 configuration, 3 quality or freshness gate, 4 error share, 5 everything else"""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], help_: str
) -> argparse.ArgumentParser:
    """Add a command that `run` carries out, with the options that every command has."""
    added = commands.add_parser(name, help=help_, description=help_, epilog=EPILOG)
    add_config_options(added)
    added.set_defaults(run=run)
    return added


def read_config(options: argparse.Namespace) -> Config:
    """The configuration that the options name."""
    return load_config(options.env, options.set)


@contextmanager
def open_session(config: Config) -> Iterator["SparkSession"]:
    """Hold a Spark session, which ends with the command."""
    from reviewgen_spark.session import start_session

    spark = start_session(config)
    try:
        yield spark
    finally:
        spark.stop()


def tell_progress(line: str) -> None:
    """Print a line beside the result, which alone goes to standard output."""
    print(line, file=sys.stderr, flush=True)
