"""Ends a run with exit code 3 when input is late, too small or refused."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import Row

from reviewgen_spark.config import Config
from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.orchestration.erasure_log import open_erasures
from reviewgen_spark.orchestration.freshness import Arrival, check_freshness
from reviewgen_spark.transforms.ingest.batch_plan import undecided
from reviewgen_spark.transforms.ingest.landing import list_deliveries
from reviewgen_spark.warehouse.tables import Warehouse


def undecided_files(warehouse: Warehouse, config: Config, known: Sequence[Row] | None = None) -> list[Row]:
    """Returns the refused files that wait for `reviewgen ingest accept` or `retry`.

    `known` are the rows of ops_source_files; without it they are read here.
    """
    known = warehouse.records("ops_source_files").read() if known is None else known
    return undecided(list_deliveries(warehouse.spark, config.paths.landing, config.ingest), known)


def check_night(warehouse: Warehouse, config: Config) -> None:
    """Checks the delivered files after a run whose stages all succeeded.

    Raises:
        DataQualityError: Whole files were refused, an erasure is not finished, or the input is late or too small.
    """
    known = warehouse.records("ops_source_files").read()
    faults = [
        f"{row.path}: the whole file was refused ({row.detail}); correct it and run "
        f"`reviewgen ingest retry {row.path}`, or accept its readable records with `reviewgen ingest accept {row.path}`"
        for row in undecided_files(warehouse, config, known)
    ]
    arrivals = [
        Arrival(row.modified_at.replace(tzinfo=UTC), row.last_row - row.first_row + 1)
        for row in known
        if row.state == "reserved" and row.feed_code == "reviews" and row.batch_id is not None
    ]
    faults += open_erasures(warehouse)
    faults += check_freshness(arrivals, config.freshness, datetime.now(UTC))
    if faults:
        raise DataQualityError(*faults)
