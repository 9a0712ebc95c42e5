"""Adds the commands about runs of pipelines: run, status, quality."""

import argparse

from reviewgen_spark.cli.command import RUN_EXIT_CODES, Commands, add_command, open_session, read_config
from reviewgen_spark.config.messages import print_line, print_message
from reviewgen_spark.orchestration.job import add_pipeline_options, batch_range, run_stages
from reviewgen_spark.pipelines import PIPELINES, all_stages, check_of, stages_of


def add_commands(commands: Commands) -> None:
    """Adds the commands with their options."""
    run = add_command(
        commands,
        "run",
        _run,
        "run a pipeline over every batch that is not done yet",
        """reviewgen run nightly
reviewgen run nightly --force tokens --batches 3-7        # compute the tokens of five batches again
reviewgen run nightly --max-batches 20                    # a new champion labels 20 old batches a night
reviewgen run nightly --set label.alias=compressed        # label with the compressed model
reviewgen run nightly --set label.alias=compressed --set label.runtime=onnx    # the same by ONNX Runtime
reviewgen run nightly --set label.alias=compressed --set label.cascade=true    # n-grams label first
reviewgen run generate --until summarise                  # summaries only, without a model""",
        RUN_EXIT_CODES,
    )
    run.add_argument("pipeline", choices=PIPELINES, help="the pipeline to run")
    add_pipeline_options(run)

    status = add_command(
        commands,
        "status",
        _status,
        "show how far every stage is, and which files wait for a decision",
        "reviewgen status --counts --env demo",
        "0 done, 2 wrong configuration, 3 the counts do not add up, 5 everything else",
    )
    status.add_argument(
        "--counts", action="store_true", help="count the records of every table; exit 3 if the sums do not match"
    )

    quality = add_command(
        commands,
        "quality",
        _quality,
        "print each quality rule with its condition and the number of reviews that it matched",
        "reviewgen quality --batches 3-7",
    )
    quality.add_argument("--batches", metavar="A-B", help="only batches A to B (default: all)")


def _run(options: argparse.Namespace) -> int:
    name = options.pipeline
    return run_stages(name, stages_of(name), read_config(options), options, check_of(name))


def _status(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.counts import count_records
    from reviewgen_spark.operations.status import backfill_lines, stage_lines
    from reviewgen_spark.orchestration.backlog import Backlog
    from reviewgen_spark.orchestration.delivery_gate import decision_command, undecided_files
    from reviewgen_spark.orchestration.erasure_log import open_erasures
    from reviewgen_spark.orchestration.ledger import Ledger
    from reviewgen_spark.warehouse.tables import Warehouse

    config = read_config(options)
    with open_session(config) as spark:
        warehouse = Warehouse(spark, config)
        if not warehouse.exists("ops_stage_runs"):
            print_line(f"{config.paths.warehouse}: no run yet; start with `reviewgen run nightly`")
            return 0
        ledger = Ledger(warehouse, "status")
        for line in (
            *stage_lines(ledger, all_stages()),
            *backfill_lines(Backlog(config, warehouse, ledger), all_stages()),
            *open_erasures(warehouse),
        ):
            print_line(line)
        for row in undecided_files(warehouse, config):
            print_line(f"refused whole: {row.path}: {row.detail}; `{decision_command('accept|retry', row.path)}`")
        if options.counts:
            counts = count_records(warehouse)
            for line in counts.lines():
                print_line(line)
            for fault in counts.faults:
                print_message(f"does not add up: {fault}")
            return 3 if counts.faults else 0
    return 0


def _quality(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.status import quality_lines
    from reviewgen_spark.warehouse.tables import Warehouse

    config, batches = read_config(options), batch_range(options.batches)
    with open_session(config) as spark:
        warehouse = Warehouse(spark, config)
        for line in quality_lines(warehouse, config.quality.rules, batches):
            print_line(line)
    return 0
