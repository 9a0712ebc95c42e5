"""Runs stages: hands each its inputs, writes its outputs, keeps the ledger; what is not done yet, the backlog says."""

import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.config.progress import add_bar, progress_bars
from reviewgen_spark.errors import ErrorShareError, ReviewgenError, StageError
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.backlog import Backlog, Force, upstream
from reviewgen_spark.orchestration.erasure_log import ErasureLog
from reviewgen_spark.orchestration.failures import describe_failure
from reviewgen_spark.orchestration.lease import Lease
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.source_file_log import record_source_files
from reviewgen_spark.orchestration.stage import Inputs, Stage, fingerprint
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.tables import Warehouse, Written


@dataclass
class Run:
    """One process that writes to a warehouse, from taking the lease to giving it back."""

    spark: SparkSession
    config: Config
    warehouse: Warehouse
    ledger: Ledger
    lease: Lease
    report: Callable[[str], None]
    run_id: str
    backlog: Backlog
    artifacts: Artifacts
    _erased: str | None = None

    @progress_bars()
    def pipeline(self, stages: Sequence[Stage]) -> None:
        """Run stages in order, each over everything it has not done yet.

        Raises:
            StageError: When a stage fails; what was finished before stays, and the next run goes on from there.
        """
        self.warehouse.converge(
            sorted({name for stage in stages for name in (*stage.reads, *stage.writes, *stage.history)})
        )
        advance = add_bar("stages", len(stages), is_even=False)
        for stage in stages:
            self.stage(stage)
            advance(1)

    def stage(self, stage: Stage) -> None:
        """Run one stage over everything that it has not done yet."""
        for warning in self.backlog.resources(stage).warnings:
            self.report(f"[{stage.name}] warning: {warning}")
        try:
            if stage.plan is not None:
                self._reserve(stage)
            if stage.scope == "table":
                self._table_stage(stage)
            else:
                self._batch_stage(stage)
        finally:
            self.spark.catalog.clearCache()

    # -- running -----------------------------------------------------------------------------------------------

    @progress_bars()
    def _batch_stage(self, stage: Stage) -> None:
        pending = self.backlog.pending(stage)
        now = self.backlog.this_run(stage, pending)
        if not pending:
            self.report(f"[{stage.name}] nothing to do")
        advance = add_bar(f"{stage.name}: batches", len(now))
        for number, batch in enumerate(now, start=1):
            print_ = pending[batch]
            tables = {
                name: self.warehouse.read(name).where(F.col("batch_id") == batch)
                if "batch_id" in TABLES[name].columns.names
                else self.warehouse.read(name)
                for name in stage.reads
            }
            for name in stage.history:
                last = batch if name in stage.reads else batch - 1
                tables[name] = self.warehouse.read(name).where(F.col("batch_id") <= last)
            self._execute(stage, batch, print_, tables, f"batch {batch} ({number}/{len(now)})")
            advance(1)
        if len(now) < len(pending):
            self.report(f"[{stage.name}] {len(pending) - len(now):,} batches wait for the next run (--max-batches)")

    def _table_stage(self, stage: Stage) -> None:
        inputs = {
            f"{name}/{batch}": print_ for name in upstream(stage) for batch, print_ in self._finished(name).items()
        }
        artifacts: dict[str, Path] = {}
        for name in stage.uses:
            made = self.ledger.last(name, None)
            folder = self.artifacts.folder(name, made.fingerprint) if made else None
            if made is None or folder is None or made.state != "succeeded" or not folder.is_dir():
                raise StageError(f"{stage.name}: it needs what the stage {name} makes; run its whole pipeline")
            artifacts[name] = folder
            inputs[name] = made.fingerprint
        if any(TABLES[name].is_review_level for name in stage.reads) and (erased := self._erasures()):
            inputs["erasures"] = erased  # rows are gone, and no batch has another fingerprint for it
        print_ = fingerprint(stage, self.config, self.backlog.resources(stage), inputs)
        is_there = not stage.makes_files or self.artifacts.folder(stage.name, print_).is_dir()
        if self.ledger.is_done(stage.name, None, print_) and is_there and not self.backlog.is_forced(stage, None):
            self.report(f"[{stage.name}] nothing to do")
            return
        tables = {name: self._finished_rows(name) for name in stage.reads}
        self._execute(stage, None, print_, tables, "whole tables", artifacts)

    def _erasures(self) -> str:
        if self._erased is None:
            self._erased = ErasureLog(self.warehouse, self.run_id).fingerprint()
        return self._erased

    def _finished(self, stage: str) -> dict[Any, str]:
        table_run = self.ledger.last(stage, None)
        if table_run is not None:
            return {"all": table_run.fingerprint} if table_run.state == "succeeded" else {}
        return dict(self.ledger.done(stage))

    def _finished_rows(self, name: str) -> DataFrame:
        """A table at its version now; of a review-level one the finished batches, never half of one."""
        rows = self.warehouse.read(name, self.warehouse.version(name))
        if not TABLES[name].is_review_level:
            return rows
        return rows.where(F.col("batch_id").isin(list(self.ledger.done(TABLES[name].stage))))

    def _execute(
        self,
        stage: Stage,
        batch: int | None,
        print_: str,
        tables: Mapping[str, DataFrame],
        where: str,
        artifacts: Mapping[str, Path] | None = None,
    ) -> None:
        started = time.monotonic()
        self.lease.check()
        self.ledger.record(stage.name, batch, "started", print_)
        self.report(f"[{stage.name}] {where}: started")
        out = self.artifacts.staging(f"{stage.name}-{self.run_id}")
        if stage.makes_files:
            out.mkdir(parents=True, exist_ok=True)
        inputs = Inputs(
            tables=tables,
            config=self.config,
            resources=self.backlog.resources(stage).value,
            artifacts=artifacts or {},
            out=out,
            checkpoints=self.artifacts.checkpoints(stage.name, print_),
            fingerprint=print_,
            batch_id=batch,
            report=lambda line: self.report(f"[{stage.name}] {line}"),
        )
        try:
            outputs = stage.run(inputs)
            counts, versions = self._publish(stage, batch, print_, outputs)
            if stage.makes_files:
                self.lease.check()
                self.artifacts.publish(stage.name, print_, out)
                shutil.rmtree(inputs.checkpoints, ignore_errors=True)
        except BaseException as error:
            self._record_failure(stage, batch, print_, error, time.monotonic() - started)
            if isinstance(error, ReviewgenError) or not isinstance(error, Exception):
                raise
            self.lease.check()  # where another run has taken over, its commits made ours fail: say that
            cause = error if os.environ.get("REVIEWGEN_TRACEBACK") else None  # see job.guarded
            raise StageError(f"{stage.name}, {where}: {describe_failure(error)}") from cause
        finally:
            self.spark.catalog.clearCache()
            shutil.rmtree(out, ignore_errors=True)
        seconds = time.monotonic() - started
        self.lease.check()
        self.ledger.record(
            stage.name,
            batch,
            "succeeded",
            print_,
            versions=versions,
            counts=counts,
            seconds=round(seconds, 3),
        )
        rows = counts[stage.writes[0]] if stage.writes else 0  # its main table, as `reviewgen status` counts
        speed = f", {rows / seconds:,.0f} rows/s" if rows else ""
        self.report(f"[{stage.name}] {where}: {rows:,} rows in {seconds:.1f} s{speed}")

    def _publish(
        self, stage: Stage, batch: int | None, print_: str, outputs: Mapping[str, DataFrame]
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Write a stage's tables in their fixed order; a rerun after a kill gives the same."""
        counts: dict[str, int] = {}
        versions: dict[str, int] = {}
        for name in stage.writes:
            if stage.max_error_pct is not None and name == stage.writes[0]:
                counts["errors"] = self._check_errors(stage, outputs[name])
            self.lease.check()
            written = self._write(stage, name, outputs, batch, print_)
            counts[name], versions[name] = written.row_count, written.version
            if batch is not None and name in self.config.tables.parquet_exports:
                self.warehouse.export_batch(name, batch)
        return counts, versions

    def _write(
        self, stage: Stage, name: str, outputs: Mapping[str, DataFrame], batch: int | None, print_: str
    ) -> Written:
        if batch is not None:
            if name not in outputs:
                return self.warehouse.clear_batch(name, batch)
            return self.warehouse.replace_batch(name, outputs[name], batch)
        if stage.mode == "by_fingerprint":
            return self.warehouse.replace_fingerprint(name, outputs[name], print_)
        return self.warehouse.replace(name, outputs[name])

    def _check_errors(self, stage: Stage, rows: DataFrame) -> int:
        assert stage.max_error_pct is not None
        counted = rows.groupBy(F.col("error.class").alias("error_class")).count().collect()
        by_class = {row["error_class"]: row["count"] for row in counted}
        total = sum(by_class.values())
        errors = total - by_class.pop(None, 0)
        failures = {name: count for name, count in by_class.items() if name not in stage.expected_errors}
        limit = stage.max_error_pct(self.config)
        if total and 100 * sum(failures.values()) / total > limit:
            found = ", ".join(f"{name} {count:,}" for name, count in sorted(failures.items()))
            raise ErrorShareError(
                f"{stage.name}: {sum(failures.values()):,} of {total:,}"
                f" rows ended in an error ({found}), more than {limit:g} %; "
                f"nothing was published. Mend the cause, or raise {stage.name}.max_error_pct"
            )
        return int(errors)

    def _record_failure(
        self, stage: Stage, batch: int | None, print_: str, error: BaseException, seconds: float
    ) -> None:
        try:
            self.lease.check()
            self.ledger.record(
                stage.name,
                batch,
                "failed",
                print_,
                seconds=round(seconds, 3),
                error_class=type(error).__name__,
            )
        except Exception:
            # The first failure is the one to tell; the row `started` already keeps the batch from counting as done. Who
            # has lost the warehouse leaves its log to the run that took over.
            return

    # -- reserving ---------------------------------------------------------------------------------------------

    def _reserve(self, stage: Stage) -> None:
        """Reserve files and batch ids for what is new, in one commit, before anything of it is written."""
        assert stage.plan is not None
        known = self.warehouse.records("ops_source_files").read()
        rows = stage.plan(self.spark, self.config, known)
        if rows:
            self.lease.check()
            record_source_files(self.warehouse, known, rows)
            taken = {row["batch_id"] for row in rows} - {None}
            rejected = [row["path"] for row in rows if row["state"] == "rejected"]
            count = len({row["path"] for row in rows if row["batch_id"] is not None})
            self.report(f"[{stage.name}] {count:,} new files in {len(taken):,} batches")
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
    """Take the warehouse for writing, and give it back at the end.

    Raises:
        LeaseError: When another run holds it.
    """
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
    warehouse = Warehouse(spark, config)
    lease = Lease(warehouse, config, run_id)
    lease.acquire()
    try:
        warehouse.converge(["ops_stage_runs", "ops_source_files"])
        ledger = Ledger(warehouse, run_id)
        backlog = Backlog(config, warehouse, ledger, force, batches, max_batches)
        artifacts = Artifacts(config.paths.artifacts)
        yield Run(spark, config, warehouse, ledger, lease, report or _print_progress, run_id, backlog, artifacts)
    finally:
        lease.release()


def _print_progress(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)
