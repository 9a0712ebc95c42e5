"""Adds the commands that change a warehouse by hand: ingest, erase, maintain, repair."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reviewgen_spark.cli.command import Commands, add_command, add_group, open_session, read_config
from reviewgen_spark.config.messages import print_line
from reviewgen_spark.errors import ConfigError


def add_commands(commands: Commands) -> None:
    """Adds the commands with their options."""
    decisions = add_group(commands, "ingest", "decide about a delivered file that was refused as a whole", "DECISION")
    for name, purpose in (
        ("accept", "read what is readable of FILE in the next run; malformed records are quarantined one by one"),
        ("retry", "read FILE again in the next run, after it was repaired and delivered under the same name"),
    ):
        decision = add_command(
            decisions, name, _decide, purpose, f"reviewgen ingest {name} reviews/2026-01-09.jsonl.gz"
        )
        decision.add_argument("file", metavar="FILE", help="path of the file, as `reviewgen status` prints it")
        decision.set_defaults(decision=name)

    erasure = add_command(
        commands,
        "erase",
        _erase,
        "erase all records of users or reviews for good; without ids, finish open erasures",
        "reviewgen erase --user-file ids.txt\nreviewgen erase --review 1047 --source shop-a",
        "0 done, 2 wrong configuration, 3 a file still holds an id or a text, or was not searched, 5 everything else",
    )
    for kind in ("user", "review"):
        erasure.add_argument(
            f"--{kind}",
            action="append",
            default=[],
            metavar="ID",
            help=f"id of a {kind}; repeatable; a shell keeps it in its history",
        )
        erasure.add_argument(
            f"--{kind}-file", metavar="FILE", help=f"ids of {kind}s, one a line; - reads standard input"
        )
    erasure.add_argument(
        "--source",
        metavar="NAME",
        help="erase the ids only in this source (`ingest.source`); default: in all sources, which may share ids",
    )
    erasure.add_argument("--rewrite-landing", action="store_true", help="also empty the records in delivered files")

    maintenance = add_command(
        commands,
        "maintain",
        _maintain,
        "compact and order the tables, and remove files and rows that are older than the retention time",
        "reviewgen maintain --dry-run",
    )
    maintenance.add_argument("--dry-run", action="store_true", help="only print what would be removed")

    repairing = add_command(
        commands,
        "repair",
        _repair,
        "repair a table that is gone or damaged; the next run computes its lost batches again",
        """reviewgen repair silver_reviews
reviewgen repair bronze_reviews --accept-loss    # a delivered file is gone, and so are its rows""",
    )
    repairing.add_argument("table", metavar="TABLE", help="name of the table, from the message of the run")
    repairing.add_argument(
        "--accept-loss", action="store_true", help="continue although rows of the table cannot be restored"
    )


def _decide(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.status import decide_file
    from reviewgen_spark.orchestration.runner import open_run

    config = read_config(options)
    with open_session(config) as spark, open_run(spark, config) as run:
        decide_file(run.warehouse, options.file, options.decision)
    print_line(f"{options.file}: the next `reviewgen run nightly` will {options.decision} it")
    return 0


def _erase(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.erasure.erase import erase
    from reviewgen_spark.operations.erasure.request import ErasureRequest
    from reviewgen_spark.orchestration.runner import open_run

    config = read_config(options)
    if options.user_file == options.review_file == "-":
        raise ConfigError("--user-file - --review-file -: only one of the two can be standard input")
    request = ErasureRequest(
        _read_ids(options.user, options.user_file), _read_ids(options.review, options.review_file), options.source
    )
    with open_session(config) as spark, open_run(spark, config) as run:
        outcome = erase(run, request, options.rewrite_landing)
    for line in outcome.lines():
        print_line(line)
    print_line("run `reviewgen run nightly` now: it computes again what was derived from the erased records")
    return 3 if outcome.leftovers or outcome.unsearched else 0


def _read_ids(ids: Sequence[str], file: str | None) -> frozenset[str]:
    """Returns the ids of the command line and of a file with one id a line; empty lines are skipped."""
    if file is None:
        return frozenset(ids)
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as UTF-8 text ({type(error).__name__})") from None
    return frozenset(ids) | {line for line in text.splitlines() if line}


def _maintain(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.maintenance import maintain
    from reviewgen_spark.orchestration.runner import open_run

    config = read_config(options)
    with open_session(config) as spark, open_run(spark, config) as run:
        for line in maintain(run, options.dry_run).lines():
            print_line(line)
    return 0


def _repair(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.repair import repair

    config = read_config(options)
    with open_session(config) as spark:
        for line in repair(spark, config, options.table, options.accept_loss):
            print_line(line)
    return 0
