"""Ends a run with exit code 3 when input is late, too small or refused."""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import Row

from reviewgen_spark.config import Config
from reviewgen_spark.config.messages import print_message
from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.orchestration.erasure_log import open_erasures
from reviewgen_spark.orchestration.freshness import Arrival, check_freshness, future_files
from reviewgen_spark.transforms.ingest.batch_plan import active_slices, undecided
from reviewgen_spark.transforms.ingest.listing import list_deliveries
from reviewgen_spark.warehouse.tables import Warehouse


def undecided_files(warehouse: Warehouse, config: Config, known: Sequence[Row] | None = None) -> list[Row]:
    """Returns the refused files that wait for `reviewgen ingest accept` or `retry`.

    `known` are the rows of ops_source_files; without it they are read here.
    """
    known = warehouse.records("ops_source_files").read() if known is None else known
    return undecided(list_deliveries(warehouse.spark, config.paths.landing, config.ingest), known)


def decision_command(decision: str, path: str) -> str:
    """Returns the command that decides about a refused file, as a shell reads it.

    >>> decision_command("accept|retry", "reviews/a b.csv")
    "reviewgen ingest accept|retry 'reviews/a b.csv'"
    """
    return f"reviewgen ingest {decision} {shlex.quote(path)}"


def check_night(warehouse: Warehouse, config: Config) -> None:
    """Checks the delivered files after a run whose stages all succeeded.

    Raises:
        DataQualityError: Whole files were refused, an erasure is not finished, or the input is late or too small.
    """
    known = warehouse.records("ops_source_files").read()
    faults = [
        f"{row.path}: the whole file was refused ({row.detail}); correct it and run "
        f"`{decision_command('retry', row.path)}`, or accept its readable records with "
        f"`{decision_command('accept', row.path)}`"
        for row in undecided_files(warehouse, config, known)
    ]
    arrivals = [
        Arrival(
            row.modified_at.replace(tzinfo=UTC),
            row.last_row - row.first_row + 1,
            row.path,
            row.at.replace(tzinfo=UTC),
        )
        for row in active_slices(known)
        if row.feed_code == "reviews"
    ]
    faults += open_erasures(warehouse)
    now = datetime.now(UTC)
    for line in future_files(arrivals, now):
        print_message(f"warning: {line}")
    faults += check_freshness(arrivals, config.freshness, now)
    if faults:
        raise DataQualityError(*faults)
