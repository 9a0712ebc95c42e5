"""Appends rows to ops_source_files."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from reviewgen_spark.config.messages import hide_secrets
from reviewgen_spark.warehouse.tables import Warehouse


def record_source_files(warehouse: Warehouse, known: Iterable[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Appends rows to ops_source_files, numbered after the known ones."""
    last = max((int(row.sequence) for row in known), default=0)
    now = datetime.now(UTC)
    numbered = [{**_readable(row), "sequence": last + index, "at": now} for index, row in enumerate(rows, start=1)]
    warehouse.records("ops_source_files").append(numbered)


def _readable(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a row whose reason, which may quote an exception, has no secret."""
    return {**row, "detail": hide_secrets(row["detail"])} if row.get("detail") else row
