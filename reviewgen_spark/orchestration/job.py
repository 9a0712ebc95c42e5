"""Parses the command line of a job and runs it. A failure becomes one line with the next step, and an exit code."""

import argparse
import os
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.config.messages import ArgumentParser, print_error, print_message
from reviewgen_spark.errors import ConfigError, ReviewgenError
from reviewgen_spark.orchestration.interrupts import note_interrupts, was_interrupted
from reviewgen_spark.orchestration.stage import Stage

if TYPE_CHECKING:
    from reviewgen_spark.warehouse.tables import Warehouse

PipelineCheck: TypeAlias = "Callable[[Warehouse, Config], None]"


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that every command has."""
    parser.add_argument("--env", help="apply conf/<env>.yaml over conf/base.yaml (default: REVIEWGEN_ENV, else local)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=c", help="set one key of the configuration; repeatable"
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of commands that run stages."""
    parser.add_argument("--batches", metavar="A-B", help="only batches A to B, such as 3-7 or 3")
    parser.add_argument(
        "--max-batches",
        type=positive,
        metavar="N",
        help="label at most N batches in this run, the newest first; the next run continues",
    )
    parser.add_argument(
        "--force", metavar="STAGE", help="run STAGE again although it is done, for all batches or --batches A-B"
    )


def add_pipeline_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of commands that run a pipeline."""
    parser.add_argument("--until", metavar="STAGE", help="stop after STAGE")
    add_run_options(parser)


def batch_range(text: str | None) -> tuple[int, int] | None:
    """Parses `3-7` or `3` into the first and the last batch.

    >>> batch_range("3-7"), batch_range("3"), batch_range(None)
    ((3, 7), (3, 3), None)
    """
    if text is None:
        return None
    first, dash, last = text.partition("-")
    try:
        bounds = int(first), int(last if dash else first)
    except ValueError:
        bounds = (1, 0)
    if not 1 <= bounds[0] <= bounds[1]:
        raise ConfigError(f"--batches {text}: expected A-B with 1 <= A <= B, such as 3-7")
    return bounds


def positive(text: str) -> int:
    """Parses a whole number from 1 on the command line."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return int(text)


def run_job(stage: Stage, arguments: Sequence[str] | None = None) -> int:
    """Runs one stage over all batches that are not done, as `spark-submit jobs/<stage>.py` does."""
    parser = ArgumentParser(prog=f"jobs/{stage.name}.py", description=f"Run the stage {stage.name}.")
    add_config_options(parser)
    add_run_options(parser)
    options = parser.parse_args(arguments)
    return guarded(lambda: _run(stage.name, [stage], load_config(options.env, options.set), options))


def run_pipeline(
    name: str, stages: Sequence[Stage], check: "PipelineCheck | None" = None, arguments: Sequence[str] | None = None
) -> int:
    """Runs a pipeline over all batches that are not done, as `spark-submit pipelines/<name>.py` does.

    Args:
        name: The name of the pipeline.
        stages: Its stages, in their order.
        check: Called after the last stage; it raises errors that a scheduler must see.
        arguments: The arguments of the command line.
    """
    parser = ArgumentParser(prog=f"pipelines/{name}.py", description=f"Run the pipeline {name}.")
    add_config_options(parser)
    add_pipeline_options(parser)
    options = parser.parse_args(arguments)
    return guarded(lambda: run_stages(name, stages, load_config(options.env, options.set), options, check))


def run_stages(
    name: str,
    stages: Sequence[Stage],
    config: Config,
    options: argparse.Namespace,
    check: "PipelineCheck | None" = None,
) -> int:
    """Runs the stages of a pipeline with the options of `add_pipeline_options`; see `run_pipeline`."""
    names = [stage.name for stage in stages]
    for option, stage in (("--until", options.until), ("--force", options.force)):
        if stage is not None and stage not in names:
            raise ConfigError(f"{option} {stage}: no stage of {name}; it has {', '.join(names)}")
    selected = stages[: names.index(options.until) + 1] if options.until else stages
    return _run(name, selected, config, options, check)


def _run(
    name: str,
    stages: Sequence[Stage],
    config: Config,
    options: argparse.Namespace,
    check: "PipelineCheck | None" = None,
) -> int:
    from reviewgen_spark.orchestration.backlog import Force
    from reviewgen_spark.orchestration.runner import open_run
    from reviewgen_spark.orchestration.session import start_session

    for stage in stages:
        stage.require(config)
    batches = batch_range(options.batches)
    force = Force(options.force, *(batches or (None, None))) if options.force else None
    spark = start_session(config, f"reviewgen {name}")
    try:
        with open_run(spark, config, force, None if force else batches, max_batches=options.max_batches) as run:
            run.pipeline(stages)
            if check:
                check(run.warehouse, config)
    finally:
        spark.stop()
    return 0


def guarded(work: Callable[[], int]) -> int:
    """Runs `work`; a failure becomes one line on stderr and an exit code, and Ctrl-C becomes 130.

    A stack trace may quote a row, so it is printed only if REVIEWGEN_TRACEBACK is set, for data that is not private.
    """
    note_interrupts()
    try:
        return work()
    except (Exception, KeyboardInterrupt) as error:
        if was_interrupted(error):
            print_message("interrupted; run the same command again to continue")
            return 130
        if isinstance(error, ReviewgenError):
            print_error(error)
            _show_trace()
            return error.exit_code
        from reviewgen_spark.orchestration.failures import describe_failure

        print_message(f"error: {describe_failure(error)}")
        _show_trace()
        return 5


def _show_trace() -> None:
    if os.environ.get("REVIEWGEN_TRACEBACK"):
        for line in traceback.format_exc().splitlines():
            print_message(line)
