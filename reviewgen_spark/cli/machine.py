"""Adds the commands about the machine: doctor, estimate."""

import argparse

from reviewgen_spark.cli.command import Commands, add_command, open_session, read_config
from reviewgen_spark.config.messages import print_line, print_message


def add_commands(commands: Commands) -> None:
    """Adds the commands with their options."""
    add_command(
        commands,
        "doctor",
        _doctor,
        "check the machine, the workers, the model and the tables; each line says what to do next",
        "reviewgen doctor --env demo",
        "0 nothing failed, 2 a wrong setting, 5 something else failed; warnings do not count",
    )

    estimate = add_command(
        commands,
        "estimate",
        _estimate,
        "label a sample, and estimate rows, tokens, time and cost of labelling; nothing is written",
        "reviewgen estimate label --all --cost-per-hour 2.5",
    )
    estimate.add_argument("stage", choices=("label",), help="the stage to estimate")
    estimate.add_argument("--sample", type=int, default=2_000, help="about how many reviews to time (default 2000)")
    estimate.add_argument("--all", action="store_true", help="count every review, not only those that lack a label")
    estimate.add_argument(
        "--cost-per-hour", type=float, metavar="X", help="cost of all machines for one hour, in any currency"
    )


def _doctor(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.doctor.doctor import examine

    return examine(options.env, options.set, print_line)


def _estimate(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.estimation import estimate_labelling

    config = read_config(options)
    with open_session(config) as spark:
        estimate = estimate_labelling(spark, config, options.sample, options.all, options.cost_per_hour, print_message)
    for line in estimate.lines():
        print_line(line)
    if not estimate.batches:
        print_line("nothing to label; --all estimates every review again")
    return 0
