"""What is done to a warehouse by hand: ingest, erase, maintain."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reviewgen_spark.cli.command import Commands, add_command, open_session, read_config
from reviewgen_spark.errors import ConfigError


def add_commands(commands: Commands) -> None:
    """Add the commands with their options."""
    ingest = commands.add_parser("ingest", help="decide about a file that was refused whole")
    decisions = ingest.add_subparsers(required=True, metavar="DECISION")
    for name, help_ in (
        ("accept", "take what is readable of FILE; its malformed records are quarantined one by one"),
        ("retry", "look at FILE again on the next run, as it has been mended"),
    ):
        decision = add_command(decisions, name, _decide, help_)
        decision.add_argument("file", metavar="FILE", help="as `reviewgen status` names it")
        decision.set_defaults(decision=name)

    erasing = add_command(
        commands, "erase", _erase, "erase users' or reviews' records for good; without ids, finish what is open"
    )
    for kind in ("user", "review"):
        erasing.add_argument(
            f"--{kind}",
            action="append",
            default=[],
            metavar="ID",
            help="repeatable; a shell keeps it in its history",
        )
        erasing.add_argument(f"--{kind}-file", metavar="FILE", help="ids, one a line; - reads standard input")
    erasing.add_argument("--rewrite-landing", action="store_true", help="empty the records in delivered files too")

    tending = add_command(
        commands, "maintain", _maintain, "pack and order the tables, remove what is older than retention"
    )
    tending.add_argument("--dry-run", action="store_true", help="only say what would go")


def _decide(options: argparse.Namespace) -> int:
    from reviewgen_spark.runner import open_run
    from reviewgen_spark.status import decide_file

    config = read_config(options)
    with open_session(config) as spark, open_run(spark, config) as run:
        decide_file(run.warehouse, options.file, options.decision)
    print(f"{options.file}: the next `reviewgen run nightly` will {options.decision} it")
    return 0


def _erase(options: argparse.Namespace) -> int:
    from reviewgen_spark.erasure import Request, erase
    from reviewgen_spark.runner import open_run

    config = read_config(options)
    if options.user_file == options.review_file == "-":
        raise ConfigError("--user-file - --review-file -: only one of them can be standard input")
    request = Request(_ids(options.user, options.user_file), _ids(options.review, options.review_file))
    with open_session(config) as spark, open_run(spark, config) as run:
        outcome = erase(run, request, options.rewrite_landing)
    print("\n".join(outcome.lines()))
    print("run `reviewgen run nightly` now: it completes what stood on the erased records")
    return 3 if outcome.leftovers else 0


def _ids(named: Sequence[str], file: str | None) -> frozenset[str]:
    """Identifiers from the command line and, one a line, from a file; empty lines are none."""
    if file is None:
        return frozenset(named)
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as UTF-8 text ({type(error).__name__})") from None
    return frozenset(named) | {line for line in text.splitlines() if line}


def _maintain(options: argparse.Namespace) -> int:
    from reviewgen_spark.maintenance import maintain
    from reviewgen_spark.runner import open_run

    config = read_config(options)
    with open_session(config) as spark, open_run(spark, config) as run:
        print("\n".join(maintain(run, options.dry_run).lines()))
    return 0
