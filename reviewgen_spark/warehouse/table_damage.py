"""Finds damage of a table: a missing folder, broken commits, missing or cut data files.

A run checks its tables with this module before its first write. It lists Delta's log, parses the commits since the
last checkpoint and compares the sizes of the data files. That takes milliseconds a table and no Spark job. In an
object store only two facts are checked: whether the table exists, and its newest version.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reviewgen_spark.errors import DamagedTableError
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.delta_log import DeltaLog
from reviewgen_spark.warehouse.log_files import LOG, LogFiles, matches_crc

# Names of files have no values of rows: Delta makes them from a batch number and a random id.
_NAMED = re.compile(rf"/({'|'.join(TABLES)})/((?:batch_id=\d+/)?[\w.-]+\.parquet|{LOG}/[\w.-]+)")


@dataclass(frozen=True)
class DamagedFile:
    """Describes a data file that cannot be read.

    Attributes:
        path: Its path below the folder of the table.
        reason: What is wrong with it.
        batch_id: The batch whose rows it has; None for a table without batches.
    """

    path: str
    reason: str
    batch_id: int | None


@dataclass(frozen=True)
class Damage:
    """Describes what is wrong with a table.

    Attributes:
        reasons: What is wrong, one text for each folder or file.
        readable_version: The newest version that can be read; -1 if there is none.
        files: Data files of that version that cannot be read.
    """

    reasons: tuple[str, ...]
    readable_version: int
    files: tuple[DamagedFile, ...] = ()

    def summary(self) -> str:
        """Returns the reasons in one line, at most three of them."""
        more = f"; and {len(self.reasons) - 3:,} more" if len(self.reasons) > 3 else ""
        return "; ".join(self.reasons[:3]) + more


def require_whole(log: DeltaLog, name: str, written_version: int | None) -> None:
    """Checks that a table can be read and has everything that was written to it.

    Args:
        log: The log of the table.
        name: The name of the table.
        written_version: The newest version that the log of runs has recorded; None if it has recorded none.

    Raises:
        DamagedTableError: When the table is gone or damaged.
    """
    if damage := find_damage(log, written_version):
        raise DamagedTableError(
            f"{name}: {damage.summary()}. Nothing was changed. Restore the files from a backup, or run "
            f"`reviewgen repair {name}`"
        )


def find_damage(log: DeltaLog, written_version: int | None, is_deep: bool = False) -> Damage | None:
    """Returns what is wrong with a table; None if nothing is.

    Args:
        log: The log of the table.
        written_version: The newest version that the log of runs has recorded; None if it has recorded none.
        is_deep: Whether to read every data file too.
    """
    folder = Path(log.path)
    if log.is_mounted and (folder / LOG).is_dir():
        files = LogFiles.list(folder / LOG)
        readable = files.readable_version()
        reasons = [*files.faults()]
    else:
        files, readable, reasons = None, -1, []
    if not (files and (files.commits or files.checkpoints)):
        if log.is_mounted and any(folder.rglob("*.parquet")):
            return Damage((f"{folder / LOG} is gone, but the folder has data files",), -1)
        if not log.is_mounted and log.exists():
            readable = log.version()
        elif written_version is not None:
            return Damage((f"its folder {log.path} is gone or empty, but the log of runs has rows for it",), -1)
        else:
            return None
    if written_version is not None and readable < written_version and not reasons:
        reasons.append(
            f"its newest version is {readable}, but the log of runs has recorded version {written_version}: "
            f"commits are gone from {log.path}/{LOG}"
        )
    damaged: list[DamagedFile] = []
    if log.is_mounted and not reasons:
        damaged = list(damaged_files(log, is_deep))
        reasons += [f"{file.path} {file.reason}" for file in damaged]
    return Damage(tuple(reasons), readable, tuple(damaged)) if reasons else None


def damaged_files(log: DeltaLog, is_deep: bool) -> Iterator[DamagedFile]:
    """Yields the data files of the newest version that are missing, have another size, or cannot be read."""
    import pyarrow as pa

    folder = Path(log.path)
    actions = pa.table(log.stored().get_add_actions(flatten=True))
    partition = "partition.batch_id"
    batches = actions[partition].to_pylist() if partition in actions.column_names else [None] * actions.num_rows
    for path, size, batch in zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), batches, strict=True):
        if reason := _file_fault(folder / path, size, is_deep):
            yield DamagedFile(path, reason, None if batch is None else int(batch))


def named_file(text: str) -> tuple[str, str] | None:
    """Returns the first table and file of it that a message names; None if it names none.

    >>> named_file("error while reading file:/w/silver_tokens/batch_id=2/part-1.parquet. SQLSTATE")
    ('silver_tokens', 'batch_id=2/part-1.parquet')
    """
    match = _NAMED.search(text)
    return (match[1], match[2].rstrip(".")) if match else None


def _file_fault(path: Path, size: int, is_deep: bool) -> str | None:
    try:
        actual = path.stat().st_size
    except OSError:
        return "is missing"
    if actual != size:
        return f"has {actual:,} bytes, expected {size:,}"
    return _content_fault(path) if is_deep else None


def _content_fault(path: Path) -> str | None:
    """Reads a whole data file; returns what is wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not matches_crc(path, path.read_bytes()):
            return "differs from its checksum"
        for _ in pq.ParquetFile(path).iter_batches():
            pass
    except (OSError, pa.ArrowException) as error:
        return f"cannot be read ({type(error).__name__})"
    return None
