"""Reads `ops_stage_runs` once, appends a row for each change, and returns which batches are done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from reviewgen_spark.warehouse.tables import Warehouse

_TABLE = "ops_stage_runs"


@dataclass(frozen=True)
class StageRun:
    """Holds the last row of a stage and batch."""

    state: str
    fingerprint: str
    counts: Mapping[str, int]
    at: datetime
    seconds: float | None = None


class Ledger:
    """Keeps the last state of every stage and batch; appends a row for each change.

    The table is a log: rows are never changed, and the last row gives the state. So a batch that was started and
    killed never counts as done, even if the configuration goes back to an older one.
    """

    def __init__(self, warehouse: Warehouse, run_id: str) -> None:
        self._warehouse = warehouse
        self._run_id = run_id
        self._last: dict[tuple[str, int | None], StageRun] = {}
        self._sequence = 0
        if warehouse.exists(_TABLE):
            for row in warehouse.records(_TABLE).read():
                self._sequence = row.sequence
                run = StageRun(row.state, row.fingerprint, row.counts or {}, row.at, row.seconds)
                self._last[row.stage, row.batch_id] = run

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
        at = datetime.now(UTC)
        row = {
            "sequence": self._sequence + 1,
            "run_id": self._run_id,
            "stage": stage,
            "batch_id": batch_id,
            "state": state,
            "fingerprint": fingerprint,
            "table_versions": dict(versions or {}),
            "counts": dict(counts or {}),
            "seconds": seconds,
            "error_class": error_class,
            "at": at,
        }
        self._warehouse.records(_TABLE).append([row])
        self._sequence += 1
        self._last[stage, batch_id] = StageRun(state, fingerprint, dict(counts or {}), at, seconds)
