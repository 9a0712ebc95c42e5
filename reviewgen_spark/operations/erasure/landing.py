"""Finds erased records in delivered files, and lists them or replaces them by empty records."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import Row

from reviewgen_spark.config import Config
from reviewgen_spark.orchestration.runner import Run
from reviewgen_spark.orchestration.source_file_log import record_source_files
from reviewgen_spark.text.privacy.erasure_keys import Erased
from reviewgen_spark.transforms.erasure.landing_files import AffectedFile, empty_records, find_in_landing
from reviewgen_spark.transforms.ingest.batch_plan import active_slices
from reviewgen_spark.transforms.ingest.listing import list_deliveries
from reviewgen_spark.transforms.ingest.scan import file_hash
from reviewgen_spark.transforms.ingest.source_record import UnreadableFileError


def empty_landing(run: Run, erased: Erased, sources: Mapping[int, str], rewrite: bool) -> tuple[list[str], list[str]]:
    """Searches every delivered file for erased records.

    Args:
        run: Run that holds the warehouse.
        erased: Hashed ids of the erased users and reviews.
        sources: Source of each batch. A file without a batch is read as one of `ingest.source`.
        rewrite: Whether to empty the records; otherwise the files are only listed.

    Returns:
        The files whose records were emptied, and the files that still contain one or cannot be read to the end.
    """
    deliveries = list_deliveries(run.spark, run.config.paths.landing, run.config.ingest)
    known = run.warehouse.records("ops_source_files").read()
    last = {row.path: row for row in known}
    by_path = {row.path: sources[row.batch_id] for row in known if row.batch_id in sources}
    emptied: list[str] = []
    remaining: list[str] = []
    readable = [delivery for delivery in deliveries if not delivery.fault]
    for match in find_in_landing(run.spark, run.config, readable, erased, by_path):
        logged = last.get(match.delivery.path)
        if rewrite and match.ordinals and (obstacle := _obstacle(run.config, match, logged)) is None:
            try:
                _rewrite(run, match, known)
                emptied.append(_describe(match))
            except UnreadableFileError as error:
                remaining.append(f"{_describe(match)}: {error}")
        elif match.ordinals:
            remaining.append(_describe(match) + (f": {obstacle}" if rewrite else ""))
        elif logged is None or logged.state != "reserved":
            remaining.append(_describe(match))
    remaining += [f"{one.path}: {one.fault}; not searched" for one in deliveries if one.fault]
    return emptied, remaining


def _obstacle(config: Config, match: AffectedFile, logged: Row | None) -> str | None:
    """Returns why a file cannot be rewritten; None if it can.

    Args:
        config: Configuration with the landing folder.
        match: File with erased records.
        logged: Last row of the file in ops_source_files; None if it has none.
    """
    if "://" in config.paths.landing:
        return "only files on a mounted folder are rewritten; have it delivered again without these records"
    if match.delivery.format_code == "delta":
        return "a Delta table; delete the records there, then VACUUM it"
    if match.is_damaged:
        return "damaged; have it delivered again without these records"
    if logged is None or logged.state != "reserved":
        return "not ingested yet, or refused; run `reviewgen run nightly`, accept or retry the file, then erase again"
    return None


def _rewrite(run: Run, match: AffectedFile, known: list[Row]) -> None:
    """Replaces a file by a copy with empty records.

    Records the copy in ops_source_files before the replacement, so that ingest never treats it as a new file.
    """
    delivery = match.delivery
    file = Path(run.config.paths.landing) / delivery.path
    copy = empty_records(file, delivery.format_code, set(match.ordinals), delivery.feed_code, run.config.ingest)
    changes = {
        "size": copy.stat().st_size,
        "modified_at": delivery.modified_at,
        "sha256": file_hash(str(copy)),
        "detail": "rewritten by reviewgen erase",
    }
    run.lease.check()
    known[:] = run.warehouse.records("ops_source_files").read()
    rows: list[dict[str, Any]] = []
    for row in active_slices(known):
        if row.path == delivery.path:  # the slice stays in its batch, with the bytes that the file has now
            rows += [row.asDict() | {"state": "retry"}, row.asDict() | changes]
    record_source_files(run.warehouse, known, rows)
    copy.replace(file)


def _describe(match: AffectedFile) -> str:
    """Returns the path of a file with up to 20 of the lines that contain a record."""
    numbers = ", ".join(map(str, match.lines[:20])) + (", …" if len(match.lines) > 20 else "")
    lines = f", line {numbers}" if numbers else ""
    damage = " (cannot be read to its end; search the rest by hand)" if match.is_damaged else ""
    return match.delivery.path + lines + damage
