"""What a machine is fit for: doctor, estimate."""

import argparse

from reviewgen_spark.cli.command import Commands, add_command, open_session, read_config, tell_progress


def add_commands(commands: Commands) -> None:
    """Add the commands with their options."""
    doctor = add_command(
        commands, "doctor", _doctor, "check machine, workers, model and tables: a line each, with what to do next"
    )
    doctor.epilog = "exit codes: 0 nothing failed, 2 a wrong setting, 5 something else failed; warnings do not count"

    estimate = add_command(
        commands, "estimate", _estimate, "time a sample, and tell what labelling everything will take and cost"
    )
    estimate.add_argument("stage", choices=("label",))
    estimate.add_argument("--sample", type=int, default=2_000, help="reviews to time, about (default 2000)")
    estimate.add_argument("--all", action="store_true", help="every review, not only those that lack a label")
    estimate.add_argument("--cost-per-hour", type=float, metavar="X", help="of the machines together, any currency")


def _doctor(options: argparse.Namespace) -> int:
    from reviewgen_spark.doctor import examine

    return examine(options.env, options.set, lambda line: print(line, flush=True))


def _estimate(options: argparse.Namespace) -> int:
    from reviewgen_spark.estimation import estimate_labelling

    config = read_config(options)
    with open_session(config) as spark:
        found = estimate_labelling(spark, config, options.sample, options.all, options.cost_per_hour, tell_progress)
    print("\n".join(found.lines()))
    if not found.batches:
        print("nothing to label; --all estimates every review again")
    return 0
