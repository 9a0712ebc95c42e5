"""Decides which delivered files are new and which batches their records go to."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import Any

from pyspark.sql import Row, SparkSession

from reviewgen_spark.config import Config, IngestSection
from reviewgen_spark.transforms.ingest.listing import Delivery, list_landing
from reviewgen_spark.transforms.ingest.range_scan import scan_deliveries
from reviewgen_spark.transforms.ingest.scan import Scan, hash_files

SHOWN = 5  # names in a warning


def plan_batches(
    spark: SparkSession, config: Config, known: Sequence[Row], done: Collection[int]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Finds the new files in the landing folder, and reserves batches for them.

    Args:
        spark: Reads the files.
        config: `paths.landing` and the section `ingest`.
        known: Rows of ops_source_files, in the order of `sequence`.
        done: Batches that ingest has finished.

    Returns:
        Rows for ops_source_files without sequence and at, and warnings. The rows are reserved slices, rejected files,
        withdrawn slices, and a slice without records and batch for a file that only looks new (copied, restored,
        touched), so that it is not read again every night.

    Raises:
        StageError: The folder of the reviews does not exist, or cannot be listed.
    """
    listing = list_landing(spark, config.paths.landing, config.ingest)
    withdrawn, notes = _withdraw(
        spark,
        config,
        listing.deliveries,
        [row for row in active_slices(known) if row.batch_id not in done and row.last_row],
    )
    known = [*known, *(Row(**row) for row in withdrawn)]
    last = {row.path: row for row in known}
    new = [delivery for delivery in listing.deliveries if _is_new(delivery, last.get(delivery.path))]
    scans = scan_deliveries(spark, config, new)
    accepted = {path for path, row in last.items() if row.state == "accepted"}
    taken = {(row.path, row.sha256) for row in known if row.state == "reserved"}
    retried = {path for path, row in last.items() if row.state == "retry"}
    fresh: list[Scan] = []
    again: list[Scan] = []
    for scan in scans:
        is_taken = (scan.delivery.path, scan.sha256) in taken and scan.delivery.path not in retried
        (again if is_taken else fresh).append(scan)
    first_batch = max((row.batch_id for row in known if row.batch_id is not None), default=0) + 1
    seen = [_source_file(scan, "reserved", None, 1, 0, detail="seen again, the same bytes") for scan in again]
    if listing.unknown:
        names = ", ".join(listing.unknown[:SHOWN]) + (", …" if len(listing.unknown) > SHOWN else "")
        notes.append(f"{len(listing.unknown):,} files of unknown kinds are not read: {names}")
    return [*withdrawn, *reserve(fresh, accepted, first_batch, config.ingest), *seen], notes


def active_slices(known: Iterable[Row]) -> list[Row]:
    """Returns the reserved slices of ops_source_files, without those that were withdrawn.

    A row `retry` with a batch withdraws the slices of its file that were reserved for this batch before.
    """
    active: list[Row] = []
    for row in known:
        if row.state == "reserved" and row.batch_id is not None:
            active.append(row)
        elif row.state == "retry" and row.batch_id is not None:
            active = [one for one in active if (one.path, one.batch_id) != (row.path, row.batch_id)]
    return active


def _withdraw(
    spark: SparkSession, config: Config, deliveries: Iterable[Delivery], pending: Sequence[Row]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Withdraws slices of unfinished batches whose file was removed or replaced since it was scanned."""
    if not pending:
        return [], []
    present = {delivery.path for delivery in deliveries if not delivery.fault}
    hashes = hash_files(spark, config.paths.landing, sorted({row.path for row in pending} & present))
    rows, notes = [], []
    for row in pending:
        if hashes.get(row.path) == row.sha256:
            continue
        what = "was replaced" if hashes.get(row.path) else "was removed"
        detail = f"the file {what} after it was reserved for batch {row.batch_id}"
        rows.append(row.asDict() | {"state": "retry", "detail": detail})
        then = "it is read anew" if row.path in present else "deliver it again"
        notes.append(f"{row.path}: {detail}, before its records were read; {then}")
    for each in rows:
        each.pop("sequence", None)
        each.pop("at", None)
    return rows, sorted(set(notes))


def reserve(
    scans: Iterable[Scan], accepted: set[str], first_batch: int, section: IngestSection
) -> list[dict[str, Any]]:
    """Splits scanned files into batches of at most `max_rows_per_batch` records, in the order of their paths.

    A rejected file takes no rows, but it takes a batch for its row in the quarantine. A file of a Delta table is never
    split, because its row numbers have gaps where rows were deleted.
    """
    rows: list[dict[str, Any]] = []
    batch, room = first_batch, section.max_rows_per_batch
    for scan in sorted(scans, key=lambda scan: scan.delivery.path):
        verdict = scan.verdict(section.max_quarantine_pct)
        if verdict and (scan.delivery.path not in accepted or not scan.row_count):
            rows.append(_source_file(scan, "rejected", batch, detail=verdict))
            continue
        first = 1
        while first <= scan.row_count:
            if room <= 0:
                batch, room = batch + 1, section.max_rows_per_batch
            is_whole = scan.delivery.format_code == "delta"
            last = scan.row_count if is_whole else min(scan.row_count, first + room - 1)
            rows.append(_source_file(scan, "reserved", batch, first, last))
            room -= last - first + 1
            first = last + 1
        if scan.row_count == 0:
            rows.append(_source_file(scan, "reserved", batch, 1, 0))
    return rows


def undecided(deliveries: Iterable[Delivery], known: Sequence[Row]) -> list[Row]:
    """Returns the rejected files that are still in the landing folder and wait for a decision.

    Args:
        deliveries: Files in the landing folder.
        known: Rows of ops_source_files, in the order of `sequence`.
    """
    last = {row.path: row for row in known}
    present = {delivery.path for delivery in deliveries}
    return [row for path, row in sorted(last.items()) if row.state == "rejected" and path in present]


def _is_new(delivery: Delivery, last: Row | None) -> bool:
    if last is None or last.state in ("retry", "accepted"):
        return True
    return (last.size, last.modified_at.replace(tzinfo=UTC)) != (delivery.size, delivery.modified_at)


def _source_file(
    scan: Scan,
    state: str,
    batch: int | None,
    first: int | None = None,
    last: int | None = None,
    detail: str | None = None,
) -> dict[str, Any]:
    delivery = asdict(scan.delivery)
    del delivery["fault"]
    return {
        **delivery,
        "sha256": scan.sha256,
        "row_count": scan.row_count,
        "bad_row_count": scan.bad_row_count,
        "first_row": first,
        "last_row": last,
        "batch_id": batch,
        "state": state,
        "detail": detail,
    }
