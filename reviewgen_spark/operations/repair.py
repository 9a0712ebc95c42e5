"""Repairs a table that is gone or damaged, for `reviewgen repair TABLE`.

What is possible depends on the table:

- A table of a stage after `ingest`: its lost batches are marked as not done, and the next run computes them again.
- A table of `ingest`: a lost batch is read again from the delivered files, if they are still in the landing folder.
- A log (`ops_stage_runs`, `ops_source_files`, …): its rows are read from its data files. Lost rows do not come back.

Nothing that can be read is deleted, and lost rows are accepted only with `--accept-loss`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.errors import DamagedTableError
from reviewgen_spark.orchestration.backlog import Backlog
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.runner import Run, hold_warehouse, open_run
from reviewgen_spark.pipelines import all_stages
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.ingest.batch_plan import active_slices
from reviewgen_spark.transforms.ingest.scan import file_hash
from reviewgen_spark.warehouse.table_damage import Damage, find_damage
from reviewgen_spark.warehouse.table_repair import (
    drop_damaged_files,
    go_back,
    readable_rows,
    set_aside,
    write_anew,
)
from reviewgen_spark.warehouse.tables import Warehouse

LEASES, RUNS, FILES, ERASURES = "ops_leases", "ops_stage_runs", "ops_source_files", "ops_erasures"
INGEST = "ingest"
_Key = tuple[str, int | None]


def repair(spark: SparkSession, config: Config, name: str, accept_loss: bool) -> list[str]:
    """Repairs one table, and returns lines about what was done and what to do next.

    Args:
        spark: The session.
        config: The configuration.
        name: The table.
        accept_loss: Whether to continue when rows are lost for good.

    Raises:
        DamagedTableError: When rows would be lost for good, or the table cannot be repaired; nothing was changed.
        SchemaError: When there is no such table.
    """
    warehouse = Warehouse(spark, config)
    warehouse.path(name)  # raises for an unknown name
    if name == LEASES:
        return _repair_leases(warehouse)
    if name in (RUNS, FILES):  # an ordinary run cannot open without these
        with hold_warehouse(spark, config) as (held, lease):
            return _repair_log(held, name, accept_loss, None, config, lease.run_id)
    with open_run(spark, config) as run:
        if TABLES[name].stage == "(runner)":
            return _repair_log(run.warehouse, name, accept_loss, run.ledger, config, run.run_id)
        return _repair_stage_table(run, name, accept_loss)


def _repair_leases(warehouse: Warehouse) -> list[str]:
    if find_damage(warehouse.log(LEASES), None, is_deep=True) is None:
        return [f"{LEASES}: nothing to repair"]
    aside = write_anew(warehouse, LEASES, [])
    return [f"{LEASES}: created again; the damaged files are in {aside}", "make sure that no other run is going on"]


# -- tables of stages ------------------------------------------------------------------------------------------


def _repair_stage_table(run: Run, name: str, accept_loss: bool) -> list[str]:
    warehouse, ledger, table = run.warehouse, run.ledger, TABLES[name]
    damage = find_damage(warehouse.log(name), ledger.written_versions().get(name), is_deep=True)
    if damage is None:
        return [f"{name}: nothing to repair"]
    _require_mounted(warehouse, name, damage)
    is_log = any(name in stage.writes and stage.mode == "by_fingerprint" for stage in all_stages())
    if is_log:
        return _repair_log(warehouse, name, accept_loss, ledger, run.config, run.run_id)
    is_partial = damage.readable_version >= 0 and bool(table.partition_by)
    lost = _lost_batches(ledger, name, damage) if is_partial else ledger.writers(name)
    kept = _not_delivered(run, lost) if table.stage == INGEST else {}
    if kept and not accept_loss:
        batches, files = ", ".join(map(str, sorted(kept))), sorted({file for each in kept.values() for file in each})
        raise DamagedTableError(
            f"{name}: {damage.summary()}. Batches {batches} cannot be read again, because these files are not in the "
            f"landing folder, or have other bytes: {_few(files)}. Put them back, or restore the table from a backup. "
            "With --accept-loss their rows are given up, and the other batches are read again. Nothing was changed"
        )
    run.lease.check()
    again = [key for key in lost if key[1] not in kept or key[1] is None]
    ledger.take_back(again)  # first, so that a kill after it loses nothing
    lines = [f"{name}: {damage.summary()}"]
    aside = go_back(warehouse, name, damage.readable_version) if is_partial else set_aside(warehouse, name)
    lines += [f"{name}: the damaged files are in {aside}"] if aside else []
    if is_partial and damage.files:
        drop_damaged_files(warehouse, name)
    if not warehouse.exists(name):
        warehouse.converge([name])
    for key in lost:
        if key not in again:
            _accept(ledger, key, name, warehouse)
    if kept:
        lines.append(f"{name}: the lost rows of {len(kept):,} batches are given up")
    if again:
        lines.append(f"{name}: {_described(again)} will be computed again")
    if find_damage(warehouse.log(name), None, is_deep=True):  # files of the version that was gone back to
        return [*lines, f"more files are damaged: run `reviewgen repair {name}` again"]
    return [*lines, "run `reviewgen run nightly` now, or the pipeline that writes this table"]


def _lost_batches(ledger: Ledger, name: str, damage: Damage) -> list[_Key]:
    """Returns the stages and batches with rows in lost versions or in damaged files."""
    lost = set(ledger.written_since(name, damage.readable_version))
    batches = {file.batch_id for file in damage.files}
    lost |= {key for key in ledger.writers(name) if key[1] in batches}
    return sorted(lost, key=lambda key: (key[0], key[1] or 0))


def _not_delivered(run: Run, lost: Sequence[_Key]) -> dict[int, list[str]]:
    """Returns for each batch that cannot be read again the delivered files that are gone or have other bytes."""
    slices: dict[int, list[Row]] = defaultdict(list)
    for row in active_slices(run.warehouse.records(FILES).read()):
        slices[row.batch_id].append(row)
    hashes: dict[str, str] = {}
    missing: dict[int, list[str]] = {}
    for _, batch in lost:
        for row in slices[batch or 0]:
            if row.path not in hashes:
                hashes[row.path] = _hash(f"{run.config.paths.landing}/{row.path}")
            if hashes[row.path] != row.sha256:
                missing.setdefault(batch or 0, []).append(row.path)
    return missing


def _hash(location: str) -> str:
    try:
        return file_hash(location)
    except OSError:
        return ""


def _accept(ledger: Ledger, key: _Key, name: str, warehouse: Warehouse) -> None:
    """Records a batch as done without the lost rows, so that the next run does not look for them."""
    run = ledger.last(*key)
    if run is None or run.state != "succeeded":
        return
    rows = warehouse.read(name).where(F.col("batch_id") == F.lit(key[1])).count()
    ledger.record(
        *key,
        "succeeded",
        run.fingerprint,
        versions={**run.versions, name: warehouse.version(name)},
        counts={**run.counts, name: rows},
        seconds=run.seconds,
    )


# -- logs ------------------------------------------------------------------------------------------------------


def _repair_log(
    warehouse: Warehouse, name: str, accept_loss: bool, ledger: Ledger | None, config: Config, run_id: str
) -> list[str]:
    """Repairs a table to which rows are only added: its rows are read from its data files."""
    written = ledger.written_versions().get(name) if ledger else 0 if warehouse.has_rows(but=(name, LEASES)) else None
    damage = find_damage(warehouse.log(name), written, is_deep=True)
    if damage is None:
        return [f"{name}: nothing to repair"]
    _require_mounted(warehouse, name, damage)
    rows, is_whole = readable_rows(warehouse, name)
    is_complete = is_whole and bool(rows) and not damage.files
    if not is_complete and (name == FILES or not accept_loss):
        raise DamagedTableError(f"{name}: {damage.summary()}. {len(rows):,} rows can be read. {_advice(name)}")
    lines = [f"{name}: {damage.summary()}"]
    if name == RUNS and not is_complete:
        rows = []
    aside = write_anew(warehouse, name, rows)
    lines += [f"{name}: the damaged files are in {aside}"] if aside else []
    lines.append(f"{name}: created again with {len(rows):,} rows that could be read")
    if name == RUNS and not is_complete:
        done = _restore_ingest(warehouse, config, run_id)
        lines.append(f"{name}: {done:,} batches of ingest are complete; all other batches will be computed again")
    for key in ledger.writers(name) if ledger else ():
        if is_complete and ledger:
            _renumber(ledger, key, name, warehouse)
        elif ledger:
            ledger.take_back([key])
    return [*lines, "run `reviewgen run nightly` now"]


def _advice(name: str) -> str:
    """Returns what is lost with a log, and what can be done."""
    if name == FILES:
        return (
            "The others cannot be made again, because they assign delivered files to batches. Restore the table from a "
            "backup, or move paths.warehouse away and run `reviewgen run nightly`, which reads the landing folder anew"
        )
    if name == RUNS:
        return (
            "Restore the table from a backup. With --accept-loss every batch after ingest is computed again, and the "
            "history of runs is given up. Batches of ingest whose records are all in the bronze tables stay done"
        )
    if name == ERASURES:
        return (
            "Restore the table from a backup. With --accept-loss the other rows are given up: records of erased users "
            "that are delivered again will then be accepted"
        )
    return "Restore the table from a backup. With --accept-loss the other rows are given up"


def _renumber(ledger: Ledger, key: _Key, name: str, warehouse: Warehouse) -> None:
    """Records the new version of a table that was created again with all its rows."""
    run = ledger.last(*key)
    if run is not None and run.state == "succeeded":
        versions = {**run.versions, name: warehouse.version(name)}
        ledger.record(*key, "succeeded", run.fingerprint, versions=versions, counts=run.counts, seconds=run.seconds)
    else:
        ledger.take_back([key])


def _restore_ingest(warehouse: Warehouse, config: Config, run_id: str) -> int:
    """Records the batches of ingest whose delivered records are all in the bronze tables; returns their number."""
    ledger = Ledger(warehouse, run_id)
    stage = next(stage for stage in all_stages() if stage.name == INGEST)
    versions = {name: warehouse.version(name) for name in stage.writes if warehouse.exists(name)}
    counts = _bronze_counts(warehouse, tuple(versions))
    delivered: dict[int, int] = defaultdict(int)
    for row in warehouse.records(FILES).read():
        if row.batch_id is not None and row.state == "reserved":
            delivered[row.batch_id] += row.last_row - row.first_row + 1
    done = 0
    for batch, fingerprint in Backlog(config, warehouse, ledger).pending(stage).items():
        found = counts.get(batch, {})
        if sum(found.values()) == delivered[batch]:
            ledger.record(INGEST, batch, "succeeded", fingerprint, versions=versions, counts=found)
            done += 1
    return done


def _bronze_counts(warehouse: Warehouse, names: Sequence[str]) -> Mapping[int, dict[str, int]]:
    """Counts the delivered records of each batch in the tables of ingest; a file refused whole is no record."""
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for name in names:
        rows: DataFrame = warehouse.read(name)
        if name == "bronze_reviews_quarantine":
            rows = rows.where("source_line IS NOT NULL")
        for row in rows.groupBy("batch_id").count().collect():
            counts[row["batch_id"]][name] = row["count"]
    return counts


# -- texts -----------------------------------------------------------------------------------------------------


def _require_mounted(warehouse: Warehouse, name: str, damage: Damage) -> None:
    if not warehouse.log(name).is_mounted and warehouse.exists(name):
        raise DamagedTableError(
            f"{name}: {damage.summary()}. A table in an object store cannot be repaired by this command: restore it "
            "by the versions of the store"
        )


def _described(keys: Sequence[_Key]) -> str:
    batches: dict[str, list[int]] = defaultdict(list)
    for stage, batch in keys:
        batches[stage] += [] if batch is None else [batch]
    parts = [
        f"batches {_few([str(batch) for batch in numbers])} of {stage}" if numbers else f"the stage {stage}"
        for stage, numbers in batches.items()
    ]
    return ", ".join(parts)


def _few(names: Sequence[str]) -> str:
    """Joins names, at most ten of them.

    >>> _few([str(number) for number in range(12)])
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more'
    """
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
