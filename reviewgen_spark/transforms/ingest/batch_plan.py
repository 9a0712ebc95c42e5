"""Decides which delivered files are new and which batches their records go to."""

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

from pyspark.sql import Row, SparkSession

from reviewgen_spark.config import Config, IngestSection
from reviewgen_spark.transforms.ingest.landing import Delivery, Scan, list_deliveries, scan_deliveries


def plan_batches(spark: SparkSession, config: Config, known: Sequence[Row]) -> list[dict[str, Any]]:
    """Finds new files in the landing folder and reserves batches for them.

    Args:
        spark: The session that reads the files, one task a file.
        config: `paths.landing` and the section `ingest`.
        known: Rows of ops_source_files, in the order of `sequence`.

    Returns:
        Rows for ops_source_files, without `sequence` and `at`: reserved slices and rejected files. A file that only
        looks new (copied, restored, touched) gets an empty slice without a batch, so that it is not read every night.
    """
    last = {row.path: row for row in known}
    deliveries = list_deliveries(spark, config.paths.landing, config.ingest)
    new = [delivery for delivery in deliveries if _is_new(delivery, last.get(delivery.path))]
    scans = scan_deliveries(spark, config, new)
    accepted = {path for path, row in last.items() if row.state == "accepted"}
    reserved = {(row.path, row.sha256) for row in known if row.state == "reserved"}
    retried = {path for path, row in last.items() if row.state == "retry"}
    fresh: list[Scan] = []
    again: list[Scan] = []
    for scan in scans:
        is_reserved = (scan.delivery.path, scan.sha256) in reserved and scan.delivery.path not in retried
        (again if is_reserved else fresh).append(scan)
    first_batch = max((row.batch_id for row in known if row.batch_id is not None), default=0) + 1
    seen = [_source_file(scan, "reserved", None, 1, 0, detail="seen again, the same bytes") for scan in again]
    return [*reserve(fresh, accepted, first_batch, config.ingest), *seen]


def reserve(
    scans: Iterable[Scan], accepted: set[str], first_batch: int, section: IngestSection
) -> list[dict[str, Any]]:
    """Cuts scanned files into batches of at most `max_rows_per_batch` records, in the order of their paths.

    A rejected file uses no rows of a batch, but it has a batch, because its row in the quarantine needs one. A file of
    a Delta table is never cut, because its row numbers have gaps where rows were deleted.
    """
    rows: list[dict[str, Any]] = []
    batch, room = first_batch, section.max_rows_per_batch
    for scan in sorted(scans, key=lambda scan: scan.delivery.path):
        verdict = scan.verdict(section.max_quarantine_pct)
        if verdict and scan.delivery.path not in accepted:
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
    return {
        **vars(scan.delivery),
        "sha256": scan.sha256,
        "row_count": scan.row_count,
        "bad_row_count": scan.bad_row_count,
        "first_row": first,
        "last_row": last,
        "batch_id": batch,
        "state": state,
        "detail": detail,
    }
