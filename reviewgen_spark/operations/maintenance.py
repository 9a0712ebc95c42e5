"""Maintains tables and artifacts: compaction, row order, VACUUM, and deletion of old rows and folders."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyspark.sql import Window
from pyspark.sql import functions as F

from reviewgen_spark.orchestration.artifacts import PINNED, Artifacts
from reviewgen_spark.orchestration.runner import Run
from reviewgen_spark.schemas import TABLES, Table
from reviewgen_spark.warehouse.table_maintenance import Size, compact, size, vacuum

_RUNS = "ops_stage_runs"


@dataclass(frozen=True)
class TableBeforeAfter:
    """Holds the size of a table before and after maintenance."""

    name: str
    before: Size
    after: Size


@dataclass(frozen=True)
class Maintenance:
    """Reports what was done, or what a dry run would do.

    Attributes:
        tables: Sizes of each table; before and after are equal in a dry run.
        expired_runs: Number of deleted rows of ops_stage_runs.
        folders: Deleted folders below `paths.artifacts` that are not in use.
        is_dry: Whether this was a dry run.
    """

    tables: tuple[TableBeforeAfter, ...]
    expired_runs: int
    folders: tuple[Path, ...]
    is_dry: bool

    def lines(self) -> list[str]:
        """Returns the lines that `reviewgen maintain` prints."""
        lines = [f"{'table':<28}{'files':>8}{'MB':>10}" + ("" if self.is_dry else f"{'files':>10}{'MB':>10}")]
        for table in self.tables:
            after = "" if self.is_dry else f"{table.after.files:>10,}{table.after.megabytes:>10,.1f}"
            lines.append(f"{table.name:<28}{table.before.files:>8,}{table.before.megabytes:>10,.1f}{after}")
        verb = "would be deleted" if self.is_dry else "deleted"
        lines.append(f"{self.expired_runs:,} rows of {_RUNS} {verb}")
        return [*lines, *(f"{folder} {verb}" for folder in self.folders)]


def maintain(run: Run, is_dry: bool = False) -> Maintenance:
    """Compacts and orders each table, and removes old files, old log rows and stale artifacts.

    Old means older than `tables.retention_days`. The size of a table includes files of earlier versions.

    Args:
        run: Run that holds the warehouse.
        is_dry: Whether to report only what would be done.

    Raises:
        DamagedTableError: When a table is gone or damaged; nothing was changed.
    """
    warehouse, config = run.warehouse, run.config
    # VACUUM would delete files that a lost commit refers to.
    warehouse.require_whole(TABLES, run.ledger.written_versions())
    expired = _expire_runs(run, is_dry)
    sizes = []
    for name, table in TABLES.items():
        if name == "ops_leases" or not warehouse.exists(name):
            continue
        before = after = size(warehouse, name)
        if not is_dry:
            run.lease.check()
            run.report(f"[maintain] {name}")
            compact(warehouse, name, ordering(table))
            vacuum(warehouse, name)
            after = size(warehouse, name)
        sizes.append(TableBeforeAfter(name, before, after))
    folders = stale_folders(Path(config.paths.artifacts), _limit(config.tables.retention_days))
    if not is_dry:
        for folder in folders:
            run.lease.check()
            shutil.rmtree(folder, ignore_errors=True)
    return Maintenance(tuple(sizes), expired, tuple(folders), is_dry)


def ordering(table: Table) -> tuple[str, ...]:
    """Returns the columns to order a table by: the product, then the record, because queries filter by these."""
    if table.name.startswith("ops_"):
        return ()
    columns = ("product_id", "record_id") if table.is_review_level else ("product_id",)
    return tuple(name for name in columns if name in table.columns.names)


def stale_folders(artifacts: Path, before: datetime) -> list[Path]:
    """Returns the folders of stages that are not in use any more.

    These are kept: the newest folder of each stage, the folder of `latest`, and folders that changed since `before`.
    Models are kept too, because a rollback may need them. Old staging folders and checkpoints are from failed runs.

    Args:
        artifacts: `paths.artifacts`.
        before: Time before which a returned folder was changed last.
    """
    if not artifacts.is_dir():
        return []
    stale: list[Path] = []
    for stage in sorted(folder for folder in artifacts.iterdir() if folder.is_dir()):
        if stage.name in ("finetune", "pretrain", PINNED):
            continue
        folders = [folder for folder in stage.iterdir() if folder.is_dir() and not folder.is_symlink()]
        latest = Artifacts(artifacts).latest(stage.name)
        kept = {latest.resolve()} if latest.is_symlink() else set()
        if not stage.name.startswith("_"):
            kept |= set(sorted(folders, key=_changed_at)[-1:])
        stale += sorted(folder for folder in folders if folder not in kept and _changed_at(folder) < before)
    return stale


def _changed_at(folder: Path) -> datetime:
    """Returns the last change of a folder or its content, because checkpoints are rewritten in the same folder."""
    times = [path.stat().st_mtime for path in (folder, *folder.rglob("*")) if path.exists()]
    return datetime.fromtimestamp(max(times), UTC)


def _limit(days: int) -> datetime:
    """Returns the time this many days ago."""
    return datetime.now(UTC) - timedelta(days=days)


def _expire_runs(run: Run, is_dry: bool) -> int:
    """Deletes old rows of the ledger, and returns their number.

    The last row of each stage and batch is kept, and so is the last row with the state succeeded.
    """
    newest = Window.partitionBy("stage", "batch_id")
    is_needed = (F.col("sequence") == F.max("sequence").over(newest)) | (
        F.col("sequence") == F.max(F.when(F.col("state") == "succeeded", F.col("sequence"))).over(newest)
    )
    rows = run.warehouse.read(_RUNS).withColumn("is_needed", F.coalesce(is_needed, F.lit(False)))
    old = rows.where(~F.col("is_needed") & (F.col("at") < F.lit(_limit(run.config.tables.retention_days))))
    sequences = [row.sequence for row in old.select("sequence").collect()]
    if sequences and not is_dry:
        run.lease.check()
        expired = run.spark.createDataFrame([(sequence,) for sequence in sequences], "sequence bigint")
        run.warehouse.delete(_RUNS, expired, ("sequence",))
    return len(sequences)
