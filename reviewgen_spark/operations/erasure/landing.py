"""Erased records in delivered files: told, or emptied where that is wanted and can be done without harm."""

from pathlib import Path

from pyspark.sql import Row

from reviewgen_spark.config import Config
from reviewgen_spark.orchestration.runner import Run
from reviewgen_spark.orchestration.source_file_log import record_source_files
from reviewgen_spark.text.privacy.erasure_keys import Erased
from reviewgen_spark.transforms.erasure.landing_files import Found, empty_records, find_in_landing
from reviewgen_spark.transforms.ingest.landing import Delivery, file_hash, list_deliveries


def empty_landing(run: Run, erased: Erased, is_wanted: bool) -> tuple[list[str], list[str]]:
    """Look through every delivered file.

    Args:
        run: Holds the warehouse.
        erased: What must stay erased.
        is_wanted: Empty the records; else the files are only told.

    Returns:
        The files whose records were emptied, and those that still hold one, or that cannot be read to the end.
    """
    deliveries = list_deliveries(run.spark, run.config.paths.landing, run.config.ingest)
    known = run.warehouse.records("ops_source_files").read()
    last = {row.path: row for row in known}
    emptied: list[str] = []
    still: list[str] = []
    for found in find_in_landing(run.spark, run.config, deliveries, erased):
        said = last.get(found.delivery.path)
        if is_wanted and found.ordinals and (why := _why_not(run.config, found, said)) is None:
            _rewrite(run, found, known)
            emptied.append(_tell(found))
        elif found.ordinals:
            still.append(_tell(found) + (f": {why}" if is_wanted else ""))
        elif said is None or said.state != "reserved":
            still.append(_tell(found))
    return emptied, still


def _why_not(config: Config, found: Found, said: Row | None) -> str | None:
    if "://" in config.paths.landing:
        return "rewritten only on a mounted folder; have it delivered again without them"
    if found.delivery.format_code == "delta":
        return "a Delta table: delete there, then VACUUM it"
    if found.is_damaged:
        return "damaged; have it delivered again without them"
    if said is None or said.state != "reserved":
        return "not ingested yet, or refused: run the night, decide about it, then erase again"
    return None


def _rewrite(run: Run, found: Found, known: list[Row]) -> None:
    """The copy is known to ops_source_files before it takes the file's place, so that it never looks new."""
    delivery = found.delivery
    file = Path(run.config.paths.landing) / delivery.path
    copy = empty_records(file, delivery.format_code, set(found.ordinals))
    row = {
        **vars(
            Delivery(delivery.feed_code, delivery.path, delivery.format_code, copy.stat().st_size, delivery.modified_at)
        ),
        "sha256": file_hash(str(copy)),
        # a slice of no records in no batch: what was reserved stays as it was
        "first_row": 1,
        "last_row": 0,
        "state": "reserved",
        "detail": "rewritten by reviewgen erase",
    }
    run.lease.check()
    known[:] = run.warehouse.records("ops_source_files").read()
    record_source_files(run.warehouse, known, [row])
    copy.replace(file)


def _tell(found: Found) -> str:
    """A file with the lines that hold a record, 20 at most."""
    lines = ", ".join(map(str, found.lines[:20])) + (", …" if len(found.lines) > 20 else "")
    place = f", line {lines}" if lines else ""
    return found.delivery.path + place + (" (cannot be read to its end: look yourself)" if found.is_damaged else "")
