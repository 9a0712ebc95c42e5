"""Appends rows to ops_source_files."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from reviewgen_spark.warehouse.tables import Warehouse


def record_source_files(warehouse: Warehouse, known: Iterable[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Appends rows to ops_source_files, numbered after the known ones."""
    last = max((int(row.sequence) for row in known), default=0)
    now = datetime.now(UTC)
    numbered = [{**row, "sequence": last + index, "at": now} for index, row in enumerate(rows, start=1)]
    warehouse.records("ops_source_files").append(numbered)
