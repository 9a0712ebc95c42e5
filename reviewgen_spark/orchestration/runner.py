"""Runs stages and logs each run in the ledger.

`StageInputs` reads the input tables, `Publisher` writes the output tables, and `Backlog` decides which batches are due.
"""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.config.messages import print_message
from reviewgen_spark.config.progress import add_bar, progress_bars
from reviewgen_spark.errors import LeaseError, ReviewgenError, StageError
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.backlog import Backlog, Force
from reviewgen_spark.orchestration.failures import describe_failure
from reviewgen_spark.orchestration.lease import Lease
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.permissions import require_writable
from reviewgen_spark.orchestration.publishing import Publisher
from reviewgen_spark.orchestration.source_file_log import record_source_files
from reviewgen_spark.orchestration.stage import Inputs, Stage, fingerprint, tables_of
from reviewgen_spark.orchestration.stage_inputs import StageInputs
from reviewgen_spark.warehouse.tables import Warehouse

# A kill loses the work of one pass, at most. More batches at once are hardly faster.
_BATCHES_AT_ONCE = 64


@dataclass
class Run:
    """Runs stages in one process while it holds the lease of the warehouse."""

    spark: SparkSession
    config: Config
    warehouse: Warehouse
    ledger: Ledger
    lease: Lease
    report: Callable[[str], None]
    run_id: str
    backlog: Backlog
    artifacts: Artifacts
    inputs: StageInputs
    publisher: Publisher

    @progress_bars()
    def pipeline(self, stages: Sequence[Stage]) -> None:
        """Runs stages in order, each over all batches that are not done.

        Raises:
            DamagedTableError: When one of their tables is gone or damaged; nothing was written.
            StageError: When a stage fails. Finished batches stay, and the next run resumes after them.
        """
        self.warehouse.converge(sorted(tables_of(stages)), self.ledger.written_versions())
        advance = add_bar("stages", len(stages), is_even=False)
        for stage in stages:
            self.stage(stage)
            advance(1)

    def stage(self, stage: Stage) -> None:
        """Runs one stage over all batches that are not done."""
        for warning in self.backlog.resources(stage).warnings:
            self.report(f"[{stage.name}] warning: {warning}")
        try:
            if stage.plan is not None:
                self._reserve(stage)
            for needed in stage.needs:
                self._batches_stage(needed, self.backlog.stale(needed))
            if stage.scope == "table":
                self._table_stage(stage)
            elif stage.scope == "batches":
                due = self.backlog.pending(stage)
                self._batches_stage(stage, due)
                if not due:
                    self.report(f"[{stage.name}] nothing to do")
            else:
                self._batch_stage(stage)
        finally:
            self.spark.catalog.clearCache()
            self._remove_staged(stage)

    def _remove_staged(self, stage: Stage) -> None:
        """Removes the files that the plan of a stage left for its batches, and those of a killed run."""
        folder = self.artifacts.staging(stage.name)
        if folder.is_dir():
            with suppress(LeaseError):  # a run that took the lease may use them
                self.lease.check()
                shutil.rmtree(folder, ignore_errors=True)

    # -- running -----------------------------------------------------------------------------------------------

    @progress_bars()
    def _batch_stage(self, stage: Stage) -> None:
        pending = self.backlog.pending(stage)
        batches = self.backlog.this_run(stage, pending)
        if not pending:
            self.report(f"[{stage.name}] nothing to do")
        advance = add_bar(f"{stage.name}: batches", len(batches))
        for number, batch in enumerate(batches, start=1):
            tables = self.inputs.batch_tables(stage, batch)
            self._execute(stage, {batch: pending[batch]}, tables, f"batch {batch} ({number}/{len(batches)})")
            advance(1)
        if len(batches) < len(pending):
            self.report(f"[{stage.name}] {len(pending) - len(batches):,} batches wait for the next run (--max-batches)")

    def _batches_stage(self, stage: Stage, due: Mapping[int, str]) -> None:
        batches = sorted(due)
        parts = [batches[start : start + _BATCHES_AT_ONCE] for start in range(0, len(batches), _BATCHES_AT_ONCE)]
        for number, part in enumerate(parts, start=1):
            names = f"batch {part[0]}" if len(part) == 1 else f"{len(part):,} batches, {part[0]} to {part[-1]}"
            where = f"{names} ({number}/{len(parts)})"
            tables = self.inputs.batches_tables(stage, part)
            self._execute(stage, {batch: due[batch] for batch in part}, tables, where)

    def _table_stage(self, stage: Stage) -> None:
        folders = self.inputs.folders(stage)
        inputs = self.inputs.fingerprints(stage, folders)

        def fingerprint_of(inputs: Mapping[str, str]) -> str:
            return fingerprint(stage, self.config, self.backlog.resources(stage), inputs)

        stage_fingerprint = fingerprint_of(inputs)
        has_files = not stage.makes_files or self.artifacts.folder(stage.name, stage_fingerprint).is_dir()
        is_done = self.ledger.is_done(stage.name, None, stage_fingerprint)
        is_forced = self.backlog.is_forced(stage, None)
        if is_done and has_files and not is_forced:
            self.report(f"[{stage.name}] nothing to do")
            return
        tables = self.inputs.finished_tables(stage)
        if is_forced:  # nothing of the last run is trusted
            tables |= {name: tables[name].limit(0) for name in stage.history}
        through = 0 if is_forced else self.inputs.read_through(stage, inputs, fingerprint_of)
        earlier = {"fingerprints": inputs, "read_through": through}
        self._execute(stage, {None: stage_fingerprint}, tables, "whole tables", folders, earlier)

    def _execute(
        self,
        stage: Stage,
        due: Mapping[int | None, str],
        tables: Mapping[str, DataFrame],
        where: str,
        artifacts: Mapping[str, Path] | None = None,
        table_inputs: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Runs a stage once. `due` has the fingerprint of each batch; None is the key of a table stage."""
        started = time.monotonic()
        self.lease.check()
        self.ledger.record_all(stage.name, due, "started")
        self.report(f"[{stage.name}] {where}: started")
        stage_fingerprint = next(iter(due.values()))  # the only one, but for scope `batches`, which makes no files
        out = self.artifacts.staging(f"{stage.name}-{self.run_id}")
        if stage.makes_files:
            out.mkdir(parents=True, exist_ok=True)
        inputs = Inputs(
            tables=tables,
            config=self.config,
            resources=self.backlog.resources(stage).value,
            artifacts=artifacts or {},
            out=out,
            checkpoints=self.artifacts.checkpoints(stage.name, stage_fingerprint),
            fingerprint=stage_fingerprint,
            batch_id=None if stage.scope == "batches" else next(iter(due)),
            report=lambda line: self.report(f"[{stage.name}] {line}"),
            sources=self.inputs.sources(stage),
            batches=tuple(batch for batch in due if batch is not None),
            **table_inputs,
        )
        try:
            counts, versions = self.publisher.publish(stage, due, stage.run(inputs))
            if stage.makes_files:
                self.lease.check()
                self.artifacts.publish(stage.name, stage_fingerprint, out)
                shutil.rmtree(inputs.checkpoints, ignore_errors=True)
        except BaseException as error:
            self._record_failure(stage, due, error, time.monotonic() - started)
            if isinstance(error, ReviewgenError) or not isinstance(error, Exception):
                raise
            self.lease.check()  # if another run took the lease, its commits caused this failure: report that instead
            cause = error if os.environ.get("REVIEWGEN_TRACEBACK") else None  # see job.guarded
            raise StageError(f"{stage.name}, {where}: {describe_failure(error)}") from cause
        finally:
            self.spark.catalog.clearCache()
            shutil.rmtree(out, ignore_errors=True)
        seconds = time.monotonic() - started
        self.lease.check()
        self.ledger.record_all(stage.name, due, "succeeded", versions=versions, counts=counts, seconds=seconds)
        main = stage.writes[:1]  # the rows of its main table, as in `reviewgen status`
        rows = sum(each[name] for each in counts.values() for name in main)
        speed = f", {rows / seconds:,.0f} rows/s" if rows else ""
        self.report(f"[{stage.name}] {where}: {rows:,} rows in {seconds:.1f} s{speed}")

    def _record_failure(
        self, stage: Stage, due: Mapping[int | None, str], error: BaseException, seconds: float
    ) -> None:
        try:
            self.lease.check()
            self.ledger.record_all(stage.name, due, "failed", seconds=seconds, error_class=type(error).__name__)
        except Exception:
            # The first failure is reported, not this one. The last row is `started`, so the batch is not done. A run
            # without the lease must not write to the ledger of the run that took over.
            return

    # -- reserving ---------------------------------------------------------------------------------------------

    def _reserve(self, stage: Stage) -> None:
        """Reserves new files and their batch ids in one commit, before any of their rows is written."""
        assert stage.plan is not None
        known = self.warehouse.records("ops_source_files").read()
        rows, warnings = stage.plan(self.spark, self.config, known, self.ledger.done(stage.name).keys())
        for warning in warnings:
            self.report(f"[{stage.name}] warning: {warning}")
        if rows:
            self.lease.check()
            record_source_files(self.warehouse, known, rows)
            batches = {row["batch_id"] for row in rows if row["state"] != "retry"} - {None}
            rejected = [row["path"] for row in rows if row["state"] == "rejected"]
            count = len({row["path"] for row in rows if row["batch_id"] in batches})
            self.report(f"[{stage.name}] {count:,} new files in {len(batches):,} batches")
            for path in rejected:
                self.report(f"[{stage.name}] {path} was refused whole; see `reviewgen status`")


@contextmanager
def open_run(
    spark: SparkSession,
    config: Config,
    force: Force | None = None,
    batches: tuple[int, int] | None = None,
    report: Callable[[str], None] | None = None,
    max_batches: int | None = None,
) -> Iterator[Run]:
    """Takes the lease of the warehouse, and releases it at the end.

    Raises:
        ConfigError: When this user cannot write the warehouse or the artifacts.
        DamagedTableError: When the log of runs or the log of delivered files is gone or damaged.
        LeaseError: When another run holds the lease.
    """
    with hold_warehouse(spark, config) as (warehouse, lease):
        run_id = lease.run_id
        ledger = Ledger(warehouse, run_id)
        warehouse.converge(["ops_stage_runs", "ops_source_files"], ledger.written_versions())
        backlog = Backlog(config, warehouse, ledger, force, batches, max_batches)
        artifacts = Artifacts(config.paths.artifacts)
        yield Run(
            spark,
            config,
            warehouse,
            ledger,
            lease,
            report or _print_progress,
            run_id,
            backlog,
            artifacts,
            StageInputs(warehouse, ledger, artifacts, run_id),
            Publisher(config, warehouse, lease),
        )


@contextmanager
def hold_warehouse(spark: SparkSession, config: Config) -> Iterator[tuple[Warehouse, Lease]]:
    """Takes the lease of the warehouse without reading its logs, and releases it at the end.

    Raises:
        ConfigError: When this user cannot write the warehouse or the artifacts.
        LeaseError: When another run holds the lease.
    """
    require_writable(config)
    warehouse = Warehouse(spark, config)
    lease = Lease(warehouse, config, f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}")
    lease.acquire()
    try:
        yield warehouse, lease
    finally:
        lease.release()


def _print_progress(line: str) -> None:
    print_message(f"{datetime.now(UTC):%H:%M:%S} {line}")
