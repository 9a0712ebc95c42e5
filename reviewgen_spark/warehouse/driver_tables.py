"""Reads and writes the small tables of the driver: lease, stage runs, source files.

A Spark query takes a second or more, and a run reads and writes dozens of such rows. In a mounted folder delta-rs takes
milliseconds, and a run without new data needs no Spark query (ADR 11). Spark is used for object stores, because it has
the keys.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from pyspark.sql import Row

from reviewgen_spark.errors import DamagedTableError
from reviewgen_spark.schemas import Table
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.warehouse.delta_log import DeltaLog, sql_name, sql_text

if TYPE_CHECKING:
    from deltalake import DeltaTable


class Records(Protocol):
    """Reads and writes one small table; timestamps are naive, in UTC."""

    def read(self) -> list[Row]:
        """Returns every row of the table; a table with `sequence` is sorted by it."""

    def append(self, values: Sequence[Mapping[str, Any]]) -> None:
        """Adds rows in one commit; missing columns are null."""

    def update(self, values: Mapping[str, Any], where: Mapping[str, Any]) -> int:
        """Sets columns of the rows that match `where`, in one commit; returns the number of these rows.

        Raises:
            Exception: Delta's own exception, if another commit came between.
        """

    def version(self) -> int:
        """Returns the newest version."""


def records_of(log: DeltaLog, table: Table) -> Records:
    """Opens an existing table by delta-rs if possible, else by Spark."""
    if not log.is_mounted:
        return SparkRecords(log, table)
    stored = log.stored()
    protocol = stored.protocol()
    # Features such as deletion vectors were added by Spark, so Spark must read and write the table.
    has_features = bool(protocol.reader_features or protocol.writer_features)
    return SparkRecords(log, table) if has_features else DriverRecords(log, table, stored)


class DriverRecords:
    """Reads and writes a table in this process, by delta-rs."""

    def __init__(self, log: DeltaLog, table: Table, stored: "DeltaTable") -> None:
        self._log, self._table, self._stored = log, table, stored

    def read(self) -> list[Row]:
        """See `Records`."""
        import pyarrow as pa
        from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

        # Arrow's file system is used, because threads of delta-rs's file system call Python. With it, 4 of 60 processes
        # that ended at once aborted.
        files = SubTreeFileSystem(self._log.path, LocalFileSystem())
        try:
            values = self._stored.to_pyarrow_table(filesystem=files).to_pylist(maps_as_pydicts="strict")
        except (OSError, pa.ArrowException) as error:
            name = self._table.name
            raise DamagedTableError(
                f"{name}: a data file in {self._log.path} cannot be read ({type(error).__name__}); restore it from a "
                f"backup, or run `reviewgen repair {name}`"
            ) from None
        return _rows(self._table, values)

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
    """Reads and writes a table by Spark queries."""

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
        # SQL returns the number of changed rows. Delta accepts no parameters there.
        pairs = ", ".join(f"{name} = {_literal(value, sql_text)}" for name, value in values.items())
        rows = f"WHERE {_equals(where, sql_text)}"
        (changed,) = self._log.spark.sql(f"UPDATE {sql_name(self._log.path)} SET {pairs} {rows}").collect()
        return int(changed["num_affected_rows"])

    def version(self) -> int:
        """See `Records`."""
        return self._log.version()


def _rows(table: Table, records: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = table.columns.names
    rows = [Row(*names)(*(_utc(values.get(name)) for name in names)) for values in records]
    return sorted(rows, key=lambda row: int(row.sequence)) if "sequence" in names else rows


def _utc(value: Any) -> Any:
    """Returns timestamps as naive UTC, because Spark's are naive in the local zone; other values are unchanged."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _standard_text(text: str) -> str:
    """Returns a string as a literal of standard SQL.

    >>> print(_standard_text("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def _literal(value: object, text: Callable[[str], str]) -> str:
    """Returns a value as a SQL literal.

    >>> _literal(7, sql_text), _literal(None, sql_text), _literal(datetime(2026, 1, 2, tzinfo=UTC), sql_text)
    ('7', 'NULL', "TIMESTAMP '2026-01-02T00:00:00+00:00'")
    """
    if value is None or isinstance(value, int):
        return "NULL" if value is None else str(value)
    return f"TIMESTAMP '{value.isoformat()}'" if isinstance(value, datetime) else text(str(value))


def _equals(where: Mapping[str, Any], text: Callable[[str], str]) -> str:
    return " AND ".join(f"{name} = {_literal(value, text)}" for name, value in where.items())
