"""Reads `ops_stage_runs` once, appends a row for each change, and returns which batches are done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from pyspark.sql import Row

from reviewgen_spark.warehouse.tables import Warehouse

RUNS = "ops_stage_runs"
_LOST = "TableLost"
"""The `error_class` of a row that marks a batch as not done, because a table has lost its rows."""
# Tables that no stage writes, each with a table of the same age: it was created by the run that created the other.
_CREATED_WITH = {"ops_source_files": "bronze_reviews", "ops_erasures": "bronze_erasures"}


@dataclass(frozen=True)
class StageRun:
    """Holds the last row of a stage and batch."""

    state: str
    fingerprint: str
    counts: Mapping[str, int]
    at: datetime
    seconds: float | None = None
    versions: Mapping[str, int] = field(default_factory=dict)


class Ledger:
    """Keeps the last state of every stage and batch; appends a row for each change.

    The table is a log: rows are never changed, and the last row gives the state. So a batch that was started and
    killed never counts as done, even if the configuration goes back to an older one.
    """

    def __init__(self, warehouse: Warehouse, run_id: str) -> None:
        self._warehouse = warehouse
        self._run_id = run_id
        self._last: dict[tuple[str, int | None], StageRun] = {}
        self._succeeded: dict[tuple[str, int | None], StageRun] = {}
        self._sequence = 0
        is_there = warehouse.exists(RUNS)
        # A run creates this table first. So it existed if another table has rows.
        is_lost = not is_there and warehouse.has_rows(but=(RUNS, "ops_leases"))
        warehouse.require_whole([RUNS], {RUNS: 0} if is_lost else {})
        if is_there:
            for row in warehouse.records(RUNS).read():
                self._sequence = row.sequence
                self._note(row.stage, row.batch_id, row.error_class, _run_of(row))

    def last(self, stage: str, batch_id: int | None) -> StageRun | None:
        """Returns the last row of a stage and batch, or None."""
        return self._last.get((stage, batch_id))

    def is_done(self, stage: str, batch_id: int | None, fingerprint: str) -> bool:
        """Returns whether the last row is `succeeded` with this fingerprint."""
        run = self.last(stage, batch_id)
        return run is not None and run.state == "succeeded" and run.fingerprint == fingerprint

    def done(self, stage: str) -> dict[int, str]:
        """Returns the batches whose last row is `succeeded`, in ascending order, with their fingerprints."""
        finished = {
            batch: run.fingerprint
            for (name, batch), run in self._last.items()
            if name == stage and batch is not None and run.state == "succeeded"
        }
        return dict(sorted(finished.items()))

    def unfinished(self, stage: str) -> list[int]:
        """Returns the batches that were started and not finished."""
        batches = [batch for (name, batch), run in self._last.items() if name == stage and run.state != "succeeded"]
        return sorted(batch for batch in batches if batch is not None)

    def written_versions(self) -> dict[str, int]:
        """Returns the newest version of each table that a run has recorded. These tables must exist."""
        versions: dict[str, int] = {}
        for run in self._succeeded.values():
            for name, version in run.versions.items():
                versions[name] = max(version, versions.get(name, 0))
        return {**{name: 0 for name, other in _CREATED_WITH.items() if other in versions}, **versions}

    def written_since(self, name: str, version: int) -> list[tuple[str, int | None]]:
        """Returns the stages and batches whose rows of a table are in versions after `version`."""
        found = [key for key, run in self._succeeded.items() if run.versions.get(name, -1) > version]
        return sorted(found, key=lambda key: (key[0], key[1] or 0))

    def writers(self, name: str) -> list[tuple[str, int | None]]:
        """Returns all stages and batches that have written to a table."""
        return self.written_since(name, -1)

    def take_back(self, lost: Iterable[tuple[str, int | None]]) -> None:
        """Marks stages and batches as not done, in one commit, because a table has lost their rows."""
        now = datetime.now(UTC)
        rows = []
        for stage, batch in lost:
            run = self._last[stage, batch]
            rows.append(self._row(stage, batch, StageRun("failed", run.fingerprint, {}, now), _LOST))
        if rows:
            self._append(rows)

    def record(
        self,
        stage: str,
        batch_id: int | None,
        state: str,
        fingerprint: str,
        *,
        versions: Mapping[str, int] | None = None,
        counts: Mapping[str, int] | None = None,
        seconds: float | None = None,
        error_class: str | None = None,
    ) -> None:
        """Appends a row for a new state."""
        self.record_all(
            stage,
            {batch_id: fingerprint},
            state,
            versions=versions,
            counts={batch_id: counts or {}},
            seconds=seconds,
            error_class=error_class,
        )

    def record_all(
        self,
        stage: str,
        fingerprints: Mapping[int | None, str],
        state: str,
        *,
        versions: Mapping[str, int] | None = None,
        counts: Mapping[int | None, Mapping[str, int]] = MappingProxyType({}),
        seconds: float | None = None,
        error_class: str | None = None,
    ) -> None:
        """Appends a row for the new state of each batch, in one commit; `seconds` are shared out evenly."""
        now = datetime.now(UTC)
        share = round(seconds / len(fingerprints), 3) if seconds is not None else None
        self._append(
            [
                self._row(
                    stage,
                    batch,
                    StageRun(state, fingerprint, dict(counts.get(batch, {})), now, share, dict(versions or {})),
                    error_class,
                )
                for batch, fingerprint in fingerprints.items()
            ]
        )

    def _row(self, stage: str, batch_id: int | None, run: StageRun, error_class: str | None) -> dict[str, Any]:
        return {
            "run_id": self._run_id,
            "stage": stage,
            "batch_id": batch_id,
            "state": run.state,
            "fingerprint": run.fingerprint,
            "table_versions": dict(run.versions),
            "counts": dict(run.counts),
            "seconds": run.seconds,
            "error_class": error_class,
            "at": run.at,
        }

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Appends rows in one commit, numbered after the last one."""
        numbered = [{"sequence": self._sequence + index, **row} for index, row in enumerate(rows, start=1)]
        self._warehouse.records(RUNS).append(numbered)
        self._sequence += len(rows)
        for row in rows:
            run = StageRun(
                *(row[name] for name in ("state", "fingerprint", "counts", "at", "seconds", "table_versions"))
            )
            self._note(row["stage"], row["batch_id"], row["error_class"], run)

    def _note(self, stage: str, batch_id: int | None, error_class: str | None, run: StageRun) -> None:
        """Keeps a row as the last one of its stage and batch."""
        self._last[stage, batch_id] = run
        if run.state == "succeeded":
            self._succeeded[stage, batch_id] = run
        elif error_class == _LOST:
            self._succeeded.pop((stage, batch_id), None)


def _run_of(row: Row) -> StageRun:
    return StageRun(row.state, row.fingerprint, row.counts or {}, row.at, row.seconds, row.table_versions or {})
