"""Reads the inputs of a stage: its input tables, the folders of earlier stages, and the fingerprints of both."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.errors import StageError
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.backlog import upstream
from reviewgen_spark.orchestration.erasure_log import ErasureLog
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.batch_sources import batch_sources
from reviewgen_spark.warehouse.tables import Warehouse

# After more new batches than this, a stage compares everything. Each try hashes the fingerprints of all batches.
_BATCHES_TRIED = 100


@dataclass
class StageInputs:
    """Reads the inputs of stages for one run; writes nothing."""

    warehouse: Warehouse
    ledger: Ledger
    artifacts: Artifacts
    run_id: str
    _ingested: Mapping[int, str] | None = None
    _sources: Mapping[int, str] = field(default_factory=dict)

    def batch_tables(self, stage: Stage, batch: int) -> dict[str, DataFrame]:
        """Returns one batch of each input table, and the earlier batches of the tables in `history`."""
        tables = {
            name: self.warehouse.read(name).where(F.col("batch_id") == batch)
            if "batch_id" in TABLES[name].columns.names
            else self.warehouse.read(name)
            for name in stage.reads
        }
        for name in stage.history:
            last = batch if name in stage.reads else batch - 1
            tables[name] = self.warehouse.read(name).where(F.col("batch_id") <= last)
        return tables

    def batches_tables(self, stage: Stage, batches: Collection[int]) -> dict[str, DataFrame]:
        """Returns the finished ones of these batches of each input table, and all up to the last one of `history`."""
        tables = {}
        for name in sorted({*stage.reads, *stage.optional, *stage.history}):
            done = self.ledger.done(TABLES[name].stage)
            last = max(batches)
            used = [batch for batch in done if batch <= last] if name in stage.history else {*done} & {*batches}
            tables[name] = self.warehouse.read(name).where(F.col("batch_id").isin(sorted(used)))
        return tables

    def finished_tables(self, stage: Stage) -> dict[str, DataFrame]:
        """Returns the input tables of a table stage at their current versions, without unfinished batches.

        Its own tables in `history` are as they are.
        """
        own = {name: self.warehouse.read(name, self.warehouse.version(name)) for name in stage.history}
        return {name: self._finished_rows(name) for name in stage.reads} | own

    def read_through(
        self, stage: Stage, inputs: Mapping[str, str], fingerprint_of: Callable[[Mapping[str, str]], str]
    ) -> int:
        """Returns the last batch up to which a table stage has read today's inputs in its last run; 0 if unknown.

        The fingerprint of the last run covers all its inputs and rules. If the inputs up to a batch give the same
        fingerprint, they are the same. The tables in `history` must have the rows that the last run wrote, because
        an erasure or a restored version takes rows away.

        Args:
            stage: The stage.
            inputs: Its inputs now, from `fingerprints`.
            fingerprint_of: Computes its fingerprint from inputs.
        """
        last = self.ledger.last(stage.name, None)
        if not stage.history or last is None or last.state != "succeeded":
            return 0
        if any(self.warehouse.read(name).count() != last.counts.get(name) for name in stage.history):
            return 0
        numbers = {name: int(batch) for name in inputs if (batch := name.partition("/")[2]).isdigit()}
        for through in sorted(set(numbers.values()), reverse=True)[:_BATCHES_TRIED]:
            earlier = {name: value for name, value in inputs.items() if numbers.get(name, 0) <= through}
            if fingerprint_of(earlier) == last.fingerprint:
                return through
        return 0

    def folders(self, stage: Stage) -> dict[str, Path]:
        """Returns the folders that the stages in `uses` made, by stage.

        Raises:
            StageError: When one of them was not made, or does not exist any more.
        """
        folders = {}
        for name in stage.uses:
            made = self.ledger.last(name, None)
            folder = self.artifacts.folder(name, made.fingerprint) if made else None
            if made is None or folder is None or made.state != "succeeded" or not folder.is_dir():
                raise StageError(f"{stage.name}: it needs the files of the stage {name}; run its whole pipeline")
            folders[name] = folder
        return folders

    def fingerprints(self, stage: Stage, folders: Mapping[str, Path]) -> dict[str, str]:
        """Returns the fingerprints of all inputs of a table stage, by name."""
        inputs = {
            f"{name}/{batch}": fingerprint
            for name in upstream(stage)
            for batch, fingerprint in self._finished(name).items()
        }
        inputs.update({name: folder.name for name, folder in folders.items()})
        if any(TABLES[name].is_review_level for name in stage.reads) and self._erasures:
            # An erasure removes rows, and the fingerprints of their batches stay the same.
            inputs["erasures"] = self._erasures
        return inputs

    def sources(self, stage: Stage) -> Mapping[int, str]:
        """Returns the source of each batch, for a stage.

        Only ingest changes it, so it is read once before ingest and once after. Ingest itself gets the earlier batches.
        """
        ingested = self.ledger.done("ingest")
        if self._ingested is None or (stage.plan is None and ingested != self._ingested):
            self._ingested, self._sources = ingested, batch_sources(self.warehouse)
        return self._sources

    @cached_property
    def _erasures(self) -> str:
        return ErasureLog(self.warehouse, self.run_id).fingerprint()

    def _finished(self, stage: str) -> dict[str, str]:
        table_run = self.ledger.last(stage, None)
        if table_run is not None:
            return {"all": table_run.fingerprint} if table_run.state == "succeeded" else {}
        return {str(batch): fingerprint for batch, fingerprint in self.ledger.done(stage).items()}

    def _finished_rows(self, name: str) -> DataFrame:
        rows = self.warehouse.read(name, self.warehouse.version(name))
        if not TABLES[name].is_review_level:
            return rows
        return rows.where(F.col("batch_id").isin(list(self.ledger.done(TABLES[name].stage))))
