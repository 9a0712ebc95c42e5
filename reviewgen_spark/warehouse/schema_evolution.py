"""Creates missing tables and adds new columns and checks. Refuses any other difference from schemas/."""

from collections.abc import Mapping
from typing import Any

from delta.tables import DeltaTable

from reviewgen_spark.errors import SchemaError
from reviewgen_spark.schemas import Table
from reviewgen_spark.warehouse.delta_log import DeltaLog, Metadata, sql_name
from reviewgen_spark.warehouse.table_damage import require_whole


def converge(log: DeltaLog, table: Table, retention_days: int, written_version: int | None = None) -> None:
    """Creates a table, or adds new columns, comments and checks to it. A table that was lost is not created.

    Args:
        log: The log of the table on disk.
        table: The table as declared.
        retention_days: How long Delta keeps its history.
        written_version: The newest version that the log of runs has recorded; None if it has recorded none.

    Raises:
        DamagedTableError: When the table is gone or damaged.
        SchemaError: When a difference needs a migration by hand.
    """
    require_whole(log, table.name, written_version)
    if log.exists():
        _alter(log, table, _properties(table, retention_days))
    else:
        _create(log, table, _properties(table, retention_days))


def differences(log: DeltaLog, table: Table) -> tuple[list[str], list[str]]:
    """Returns the differences of a table on disk: those to migrate by hand, and those that `converge` adds."""
    stored = log.metadata()
    known = {key.lower() for key in stored.properties}
    additions = [f"column {c.name}" for c in table.columns if c.name not in stored.columns.names]
    additions += [f"check {c}" for c in table.checks if f"delta.constraints.{c.lower()}" not in known]
    return _faults(table, stored), additions


def _create(log: DeltaLog, table: Table, properties: Mapping[str, str]) -> None:
    builder = (
        DeltaTable.createIfNotExists(log.spark).location(log.path).comment(table.comment).addColumns(table.columns)
    )
    if table.partition_by:
        builder = builder.partitionedBy(*table.partition_by)
    for key, value in properties.items():
        builder = builder.property(key, value)
    builder.execute()


def _properties(table: Table, retention_days: int) -> dict[str, str]:
    retention = f"interval {retention_days} days"
    return {
        "delta.logRetentionDuration": retention,
        "delta.deletedFileRetentionDuration": retention,
        **{f"delta.constraints.{check}": condition for check, condition in table.checks.items()},
    }


def _alter(log: DeltaLog, table: Table, properties: Mapping[str, str]) -> None:
    stored = log.metadata()
    if faults := _faults(table, stored):
        raise SchemaError(
            f"{log.path}: {'; '.join(faults)}. Only new nullable columns and new checks are added by "
            "themselves: migrate the table by hand (ALTER TABLE, or move the folder away and run "
            f"`reviewgen repair {table.name}`), then start again"
        )
    sql, identifier = log.spark.sql, sql_name(log.path)
    known = {c.name: c for c in stored.columns}
    for column in table.columns:
        comment = (column.metadata or {}).get("comment", "").replace("'", "\\'")
        if column.name not in known:
            kind = column.dataType.simpleString()
            sql(f"ALTER TABLE {identifier} ADD COLUMNS ({column.name} {kind} COMMENT '{comment}')")
        elif (known[column.name].metadata or {}).get("comment", "") != (column.metadata or {}).get("comment", ""):
            sql(f"ALTER TABLE {identifier} ALTER COLUMN {column.name} COMMENT '{comment}'")
    for check, condition in table.checks.items():
        if f"delta.constraints.{check.lower()}" not in {key.lower() for key in stored.properties}:
            sql(f"ALTER TABLE {identifier} ADD CONSTRAINT {check} CHECK ({condition})")
    retention = {key: value for key, value in properties.items() if not key.startswith("delta.constraints.")}
    if changed := {key: value for key, value in retention.items() if stored.properties.get(key) != value}:
        pairs = ", ".join(f"'{key}' = '{value}'" for key, value in changed.items())
        sql(f"ALTER TABLE {identifier} SET TBLPROPERTIES ({pairs})")


def _faults(table: Table, stored: Metadata) -> list[str]:
    declared = {c.name: c for c in table.columns}
    faults = [f"column {c.name} is not in schemas/" for c in stored.columns if c.name not in declared]
    for column in stored.columns:
        expected = declared.get(column.name)
        if expected is not None and not same_type(column.dataType, expected.dataType):
            got, kind = column.dataType.simpleString(), expected.dataType.simpleString()
            faults.append(f"column {column.name} is {got}, expected {kind}")
        elif expected is not None and column.nullable != expected.nullable:
            faults.append(f"column {column.name} {'may' if column.nullable else 'must not'} be null on disk, not here")
    faults += [
        f"new column {c.name} is NOT NULL, but the table has rows without it: make it nullable"
        for c in table.columns
        if c.name not in stored.columns.names and not c.nullable
    ]
    if stored.partition_by != table.partition_by:
        faults.append(f"partitioned by {list(stored.partition_by)}, expected {list(table.partition_by)}")
    stored_checks = {k.lower(): v for k, v in stored.properties.items() if k.startswith("delta.constraints.")}
    declared_checks = {f"delta.constraints.{k}".lower(): v for k, v in table.checks.items()}
    for key, condition in stored_checks.items():
        if _condition(declared_checks.get(key, "")) != _condition(condition):
            faults.append(f"check {key.removeprefix('delta.constraints.')} differs from schemas/")
    return faults


def same_type(one: Any, other: Any) -> bool:
    """Returns whether two types are equal, without regard to nullable elements or values."""
    return bool(one.simpleString() == other.simpleString())


def _condition(text: str) -> str:
    return "".join(text.split()).casefold().strip("()")
