"""Finds erased records in delivered files. Lists them, or replaces them by empty records if requested."""

from pathlib import Path

from pyspark.sql import Row

from reviewgen_spark.config import Config
from reviewgen_spark.orchestration.runner import Run
from reviewgen_spark.orchestration.source_file_log import record_source_files
from reviewgen_spark.text.privacy.erasure_keys import Erased
from reviewgen_spark.transforms.erasure.landing_files import AffectedFile, empty_records, find_in_landing
from reviewgen_spark.transforms.ingest.landing import Delivery, file_hash, list_deliveries


def empty_landing(run: Run, erased: Erased, is_wanted: bool) -> tuple[list[str], list[str]]:
    """Searches every delivered file for erased records.

    Args:
        run: Holds the warehouse.
        erased: What must stay erased.
        is_wanted: Empty the records; otherwise the files are only listed.

    Returns:
        The files whose records were emptied, and the files that still hold one or cannot be read to the end.
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


def _why_not(config: Config, found: AffectedFile, said: Row | None) -> str | None:
    """Returns why a file cannot be rewritten; None if it can."""
    if "://" in config.paths.landing:
        return "rewritten only on a mounted folder; have it delivered again without them"
    if found.delivery.format_code == "delta":
        return "a Delta table: delete there, then VACUUM it"
    if found.is_damaged:
        return "damaged; have it delivered again without them"
    if said is None or said.state != "reserved":
        return "not ingested yet, or refused: run the night, decide about it, then erase again"
    return None


def _rewrite(run: Run, found: AffectedFile, known: list[Row]) -> None:
    """Replaces a file by a copy with empty records.

    Records the copy in ops_source_files before the replacement, so that ingest never treats it as a new file.
    """
    delivery = found.delivery
    file = Path(run.config.paths.landing) / delivery.path
    copy = empty_records(file, delivery.format_code, set(found.ordinals))
    row = {
        **vars(
            Delivery(delivery.feed_code, delivery.path, delivery.format_code, copy.stat().st_size, delivery.modified_at)
        ),
        "sha256": file_hash(str(copy)),
        # An empty range of rows in no batch: rows reserved earlier keep their batch.
        "first_row": 1,
        "last_row": 0,
        "state": "reserved",
        "detail": "rewritten by reviewgen erase",
    }
    run.lease.check()
    known[:] = run.warehouse.records("ops_source_files").read()
    record_source_files(run.warehouse, known, [row])
    copy.replace(file)


def _tell(found: AffectedFile) -> str:
    """Returns the path of a file with up to 20 of the lines that hold a record."""
    lines = ", ".join(map(str, found.lines[:20])) + (", …" if len(found.lines) > 20 else "")
    place = f", line {lines}" if lines else ""
    return found.delivery.path + place + (" (cannot be read to its end: look yourself)" if found.is_damaged else "")
