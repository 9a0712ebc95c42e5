"""The rows that the driver itself keeps: who holds the warehouse, what ran, what came.

A query of Spark costs a second or more before it has read anything, and a night asks and writes dozens of such rows.
Where a table lies in a mounted folder, a Delta library of its own does it in milliseconds, and a night that has nothing
to do asks Spark nothing at all (ADR 11). Elsewhere Spark does it, which has the keys of the object store.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from pyspark.sql import Row

from reviewgen_spark.schemas import Table
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.warehouse.delta_log import DeltaLog

if TYPE_CHECKING:
    from deltalake import DeltaTable


class Records(Protocol):
    """A small table; timestamps are naive, in UTC."""

    def read(self) -> list[Row]:
        """Every row as the table stands; of a log, which has `sequence`, in its order."""

    def append(self, values: Sequence[Mapping[str, Any]]) -> None:
        """Add rows in one commit; columns that are absent are null."""

    def update(self, values: Mapping[str, Any], where: Mapping[str, Any]) -> int:
        """Set columns of the rows that equal `where`, in one commit; how many rows there were.

        Raises:
            Exception: Delta's own, where another commit came between.
        """

    def version(self) -> int:
        """The newest version."""


def records_of(log: DeltaLog, table: Table) -> Records:
    """The rows of a table that is there, as it stands now."""
    if not log.is_mounted:
        return SparkRecords(log, table)
    stored = log.stored()
    protocol = stored.protocol()
    # Deletion vectors and the like: who asked Spark for them has Spark read and write them.
    has_features = bool(protocol.reader_features or protocol.writer_features)
    return SparkRecords(log, table) if has_features else DriverRecords(log, table, stored)


class DriverRecords:
    """In this process, by delta-rs."""

    def __init__(self, log: DeltaLog, table: Table, stored: "DeltaTable") -> None:
        self._log, self._table, self._stored = log, table, stored

    def read(self) -> list[Row]:
        """See `Records`."""
        from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

        # Arrow's own: by the one of delta-rs, whose threads call Python, 4 of 60 processes that ended at once aborted.
        files = SubTreeFileSystem(self._log.path, LocalFileSystem())
        found = self._stored.to_pyarrow_table(filesystem=files).to_pylist(maps_as_pydicts="strict")
        return _rows(self._table, found)

    def append(self, values: Sequence[Mapping[str, Any]]) -> None:
        """See `Records`."""
        import pyarrow as pa
        from deltalake import write_deltalake

        schema = arrow_schema(self._table.columns)
        rows = [{name: value.get(name) for name in schema.names} for value in values]
        write_deltalake(self._stored, pa.Table.from_pylist(rows, schema), mode="append")

    def update(self, values: Mapping[str, Any], where: Mapping[str, Any]) -> int:
        """See `Records`."""
        updates = {name: _literal(value, _standard_text) for name, value in values.items()}
        changed = self._stored.update(updates=updates, predicate=_equals(where, _standard_text))
        return int(changed["num_updated_rows"])

    def version(self) -> int:
        """See `Records`."""
        return int(self._stored.version())


class SparkRecords:
    """By queries of Spark."""

    def __init__(self, log: DeltaLog, table: Table) -> None:
        self._log, self._table = log, table

    def read(self) -> list[Row]:
        """See `Records`."""
        rows = self._log.spark.read.format("delta").load(self._log.path).collect()
        return _rows(self._table, [row.asDict() for row in rows])

    def append(self, values: Sequence[Mapping[str, Any]]) -> None:
        """See `Records`."""
        self._table.frame(self._log.spark, values).write.format("delta").mode("append").save(self._log.path)

    def update(self, values: Mapping[str, Any], where: Mapping[str, Any]) -> int:
        """See `Records`."""
        # In SQL, which says how many rows it changed; Delta binds no parameters there.
        pairs = ", ".join(f"{name} = {_literal(value, _spark_text)}" for name, value in values.items())
        rows = f"WHERE {_equals(where, _spark_text)}"
        (changed,) = self._log.spark.sql(f"UPDATE delta.`{self._log.path}` SET {pairs} {rows}").collect()
        return int(changed["num_affected_rows"])

    def version(self) -> int:
        """See `Records`."""
        return self._log.version()


def _rows(table: Table, found: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = table.columns.names
    made = [Row(*names)(*(_utc(values.get(name)) for name in names)) for values in found]
    return sorted(made, key=lambda row: int(row.sequence)) if "sequence" in names else made


def _utc(value: Any) -> Any:
    """As it came, but a timestamp in UTC and naive; Spark's are naive in the machine's own zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _standard_text(text: str) -> str:
    """A string as standard SQL writes it.

    >>> print(_standard_text("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def _spark_text(text: str) -> str:
    r"""A string as Spark's SQL writes it.

    >>> print(_spark_text("it's"))
    'it\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _literal(value: object, text: Callable[[str], str]) -> str:
    """A value as a literal.

    >>> _literal(7, _spark_text), _literal(None, _spark_text), _literal(datetime(2026, 1, 2, tzinfo=UTC), _spark_text)
    ('7', 'NULL', "TIMESTAMP '2026-01-02T00:00:00+00:00'")
    """
    if value is None or isinstance(value, int):
        return "NULL" if value is None else str(value)
    return f"TIMESTAMP '{value.isoformat()}'" if isinstance(value, datetime) else text(str(value))


def _equals(where: Mapping[str, Any], text: Callable[[str], str]) -> str:
    return " AND ".join(f"{name} = {_literal(value, text)}" for name, value in where.items())
