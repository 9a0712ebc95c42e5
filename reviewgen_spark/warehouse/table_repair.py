"""Repairs a damaged table: moves its broken files aside, goes back to the newest readable version, reads what is left.

No file is deleted. Broken files go to `<paths.warehouse>/_damaged/<table>-<time>`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reviewgen_spark.errors import DamagedTableError
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.warehouse.delta_log import hadoop_files
from reviewgen_spark.warehouse.log_files import LOG, broken_log_files
from reviewgen_spark.warehouse.table_damage import DamagedFile, damaged_files
from reviewgen_spark.warehouse.tables import Warehouse

DAMAGED = "_damaged"


def set_aside(warehouse: Warehouse, name: str) -> Path | None:
    """Moves the whole folder of a table aside, and returns its new path; None if there is no folder."""
    folder = Path(warehouse.path(name))
    if not folder.exists():
        return None
    target = _aside(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)
    _forget(warehouse, name)
    return target


def go_back(warehouse: Warehouse, name: str, version: int) -> Path | None:
    """Makes `version` the newest version of a table; returns the folder with the files that were moved aside."""
    folder = Path(warehouse.path(name))
    broken = broken_log_files(folder / LOG, version)
    target = _aside(folder) / LOG
    for file in broken:
        target.mkdir(parents=True, exist_ok=True)
        file.rename(target / file.name)
    _forget(warehouse, name)
    return target.parent if broken else None


def drop_damaged_files(warehouse: Warehouse, name: str) -> list[DamagedFile]:
    """Moves the damaged data files of a table aside, and removes them from its newest version.

    Rows in other files stay, also those of the same batch.

    Raises:
        DamagedTableError: When the table needs Spark to write its log.
    """
    log, folder = warehouse.log(name), Path(warehouse.path(name))
    damaged = list(damaged_files(log, is_deep=True))
    target = _aside(folder)
    for file in damaged:
        if (folder / file.path).exists():
            (target / file.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / file.path).rename(target / file.path)
    if damaged:
        try:
            log.stored().repair()
        except Exception as error:
            raise DamagedTableError(
                f"{name}: its damaged files cannot be removed from Delta's log ({type(error).__name__}); restore them "
                "from a backup"
            ) from None
        _forget(warehouse, name)
    return damaged


def readable_rows(warehouse: Warehouse, name: str) -> tuple[list[dict[str, Any]], bool]:
    """Reads the rows of a small table from its data files, without Delta's log.

    Rows with an equal key are one row: the one that was written last. This fits tables to which rows are only added.

    Returns:
        The rows, and whether a file could not be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder, schema = Path(warehouse.path(name)), arrow_schema(TABLES[name].columns)
    files = [path for path in folder.rglob("*.parquet") if LOG not in path.parts]
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    is_whole = True
    for path in sorted(files, key=lambda path: (path.stat().st_mtime, path.name)):
        try:
            found = pq.ParquetFile(path).read().to_pylist(maps_as_pydicts="strict")
        except (OSError, pa.ArrowException):
            is_whole = False
            continue
        for row in found:
            rows[tuple(row.get(column) for column in TABLES[name].key)] = {
                column: row.get(column) for column in schema.names
            }
    return list(rows.values()), is_whole


def write_anew(warehouse: Warehouse, name: str, rows: Sequence[dict[str, Any]]) -> Path | None:
    """Moves a table aside and creates it again with some rows; returns the folder of the old one."""
    aside = set_aside(warehouse, name)
    warehouse.converge([name])
    if rows:
        warehouse.records(name).append(rows)
    return aside


def _aside(folder: Path) -> Path:
    """Returns a new path for the damaged files of a table."""
    return folder.parent / DAMAGED / f"{folder.name}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"


def _forget(warehouse: Warehouse, name: str) -> None:
    """Makes this session read the log of a table again, because Spark has cached it."""
    jvm: Any = warehouse.spark._jvm
    _, path = hadoop_files(warehouse.spark, warehouse.path(name))
    jvm.org.apache.spark.sql.delta.DeltaLog.invalidateCache(warehouse.spark._jsparkSession, path)
