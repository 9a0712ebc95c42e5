"""Decides which batches a stage still has to run, in which order, and which of them this run takes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reviewgen_spark.config import Config
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.stage import Resources, Stage, fingerprint
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.tables import Warehouse


@dataclass(frozen=True)
class Force:
    """Selects a stage that runs again although it is done: all its batches, or those from first to last."""

    stage: str
    first: int | None = None
    last: int | None = None

    def covers(self, stage: str, batch_id: int | None) -> bool:
        """Returns whether this batch of this stage must run again."""
        if stage != self.stage:
            return False
        if batch_id is None or self.first is None:
            return True
        return self.first <= batch_id <= (self.first if self.last is None else self.last)


@dataclass
class Backlog:
    """Compares the fingerprints in the ledger with the current ones; writes nothing.

    Attributes:
        config: The whole configuration.
        warehouse: The warehouse; its table ops_source_files holds the batches that ingest reserved.
        ledger: The finished batches and their fingerprints.
        force: The stage and batches that run again although they are done.
        batches: First and last batch of a back-fill.
        max_batches: How many batches one run takes, for stages with `newest_first`.
    """

    config: Config
    warehouse: Warehouse
    ledger: Ledger
    force: Force | None = None
    batches: tuple[int, int] | None = None
    max_batches: int | None = None
    _resolved: dict[str, Resources] = field(default_factory=dict)

    def pending(self, stage: Stage) -> dict[int, str]:
        """Returns the batches of this run that are not done, in ascending order, with their new fingerprints."""
        return {
            batch: stage_fingerprint
            for batch, stage_fingerprint, is_done in self._states(stage)
            if self._is_in_range(batch) and (not is_done or self.is_forced(stage, batch))
        }

    def stale(self, stage: Stage) -> dict[int, str]:
        """Returns all batches that are not done, as `pending` does, whatever the batches of this run."""
        return {batch: stage_fingerprint for batch, stage_fingerprint, is_done in self._states(stage) if not is_done}

    def _states(self, stage: Stage) -> Iterator[tuple[int, str, bool]]:
        """Yields each batch whose inputs are finished, its fingerprint, and whether it is done."""
        resources = self.resources(stage)
        previous = ""
        for batch, inputs in self._input_batches(stage).items():
            if stage.history:
                # Through the previous batch, the fingerprint covers all earlier batches that this one reads.
                inputs = {**inputs, "previous": previous}
            stage_fingerprint = fingerprint(stage, self.config, resources, inputs)
            recorded = self.ledger.last(stage.name, batch)
            is_done = self.ledger.is_done(stage.name, batch, stage_fingerprint)
            if stage.keeps_done and recorded is not None and recorded.state == "succeeded":
                is_done, stage_fingerprint = True, recorded.fingerprint
            yield batch, stage_fingerprint, is_done
            previous = stage_fingerprint

    def this_run(self, stage: Stage, pending: Mapping[int, str]) -> list[int]:
        """Returns the pending batches that this run takes, in its order.

        >>> from types import SimpleNamespace as Some
        >>> backlog = Backlog(None, None, None, max_batches=2)
        >>> backlog.this_run(Some(newest_first=True), {1: "a", 2: "b", 3: "c"})
        [3, 2]
        >>> backlog.this_run(Some(newest_first=False), {1: "a", 2: "b", 3: "c"})
        [1, 2, 3]
        """
        if not stage.newest_first:
            return sorted(pending)
        return sorted(pending, reverse=True)[: self.max_batches]

    def resources(self, stage: Stage) -> Resources:
        """Returns the models, keys and dictionaries of a stage; they are resolved once."""
        if stage.name not in self._resolved:
            self._resolved[stage.name] = stage.resources(self.config)
        return self._resolved[stage.name]

    def is_forced(self, stage: Stage, batch_id: int | None) -> bool:
        """Returns whether a batch must run again although it is done."""
        return self.force is not None and self.force.covers(stage.name, batch_id)

    def _is_in_range(self, batch: int) -> bool:
        return self.batches is None or self.batches[0] <= batch <= self.batches[1]

    def _input_batches(self, stage: Stage) -> dict[int, dict[str, str]]:
        """Returns the batches whose inputs are all finished, with the fingerprints of these inputs."""
        if stage.plan is not None:
            return {batch: {"files": digest} for batch, digest in self._reserved().items()}
        finished = {name: self.ledger.done(name) for name in upstream(stage)}
        batches = set.intersection(*(set(done) for done in finished.values())) if finished else set()
        optional = {name: self.ledger.done(name) for name in writers(stage.optional)}
        return {
            batch: {
                **{name: done[batch] for name, done in finished.items()},
                **{name: done.get(batch, "absent") for name, done in optional.items()},
            }
            for batch in sorted(batches)
        }

    def _reserved(self) -> dict[int, str]:
        """Returns for each batch a text with its slices of files."""
        slices: dict[int, list[str]] = {}
        for row in self.warehouse.records("ops_source_files").read():
            if row.batch_id is not None and row.state in ("reserved", "rejected"):
                slices.setdefault(row.batch_id, []).append(f"{row.path}:{row.sha256}:{row.first_row}:{row.last_row}")
        return {batch: "\n".join(sorted(parts)) for batch, parts in sorted(slices.items())}


def upstream(stage: Stage) -> list[str]:
    """Returns the stages that write the input tables of this one."""
    return sorted({*writers(stage.reads)} - {stage.name})


def writers(tables: Iterable[str]) -> list[str]:
    """Returns the stages that write these tables; the ops tables are left out."""
    return sorted({TABLES[name].stage for name in tables if not name.startswith("ops_")} - {"(runner)"})
