"""Adds the commands with example reviews: sample, demo."""

import argparse
import shlex
import sys
from pathlib import Path

from reviewgen_spark.cli.command import RUN_EXIT_CODES, Commands, add_command, open_session, read_config
from reviewgen_spark.config.messages import print_line
from reviewgen_spark.errors import ConfigError


def add_commands(commands: Commands) -> None:
    """Adds the commands with their options."""
    sample = add_command(
        commands,
        "sample",
        _sample,
        "write a landing folder of real reviews, as a shop would deliver them",
        "reviewgen sample --rows 2000 --out var/landing",
    )
    sample.add_argument("--rows", type=int, default=20_000, help="number of review records (default 20000)")
    sample.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder to write; must be empty or absent"
    )
    sample.add_argument(
        "--seed", type=int, default=7, help="seed of the random values; the same seed gives the same bytes (default 7)"
    )

    demo = add_command(
        commands,
        "demo",
        _demo,
        "run everything on real reviews, from delivered files to a report, then print the results of a few queries",
        "reviewgen demo --env demo",
        RUN_EXIT_CODES,
    )
    demo.add_argument("--rows", type=int, default=20_000, help="number of review records (default 20000)")


def _sample(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.demo.sample import write_sample

    out: Path = options.out.resolve()
    if out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"--out {out}: the folder is not empty; choose another folder, or empty it")
    summary = write_sample(out, options.rows, options.seed)
    print_line(summary.describe())
    print_line(f"dirty records by kind: {summary.describe_dirt()}")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.demo.demo import run_demo

    config = read_config(options)
    program = sys.argv[0] if Path(sys.argv[0]).name == "reviewgen" else "reviewgen"  # .venv is rarely on the PATH
    command = shlex.join([program, "sql", *(("--env", options.env) if options.env else ())])
    with open_session(config) as spark:
        return run_demo(spark, config, options.rows, command)
