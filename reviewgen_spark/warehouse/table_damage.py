"""Finds damage of a table: a missing folder, broken commits, missing or cut data files.

A run checks its tables with this module before its first write. It lists Delta's log, parses the commits since the
last checkpoint and compares the sizes of the data files. That takes milliseconds a table and no Spark job. In an
object store only two facts are checked: whether the table exists, and its newest version.
"""

import json
import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reviewgen_spark.errors import DamagedTableError
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.delta_log import DeltaLog

LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10})|\.[0-9a-f-]{36})?\.(?:parquet|json)")
_HINT = "_last_checkpoint"
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
        files = _LogFiles.list(folder / LOG)
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


def broken_log_files(folder: Path, version: int) -> list[Path]:
    """Returns the files of a log that must go, so that `version` is the newest one and every file can be read."""
    files = _LogFiles.list(folder)
    later = [path for number, path in files.commits.items() if number > version]
    checkpoints = [
        path
        for number, paths in files.checkpoints.items()
        for path in paths
        if number > version or not _is_checkpoint(paths)
    ]
    hints = [folder / _HINT] if (folder / _HINT).exists() else []
    # Checksums are of later versions too: those of Delta, and those of Hadoop, whose file may be gone.
    sums = [
        path
        for path in folder.iterdir()
        if path.suffix == ".crc" and (match := re.match(r"\.?(\d{20})\.", path.name)) and int(match[1]) > version
    ]
    gone = [*later, *checkpoints, *hints, *sums]
    return sorted({*gone, *(crc for path in gone if (crc := _crc_file(path)).exists())})


def named_file(text: str) -> tuple[str, str] | None:
    """Returns the first table and file of it that a message names; None if it names none.

    >>> named_file("error while reading file:/w/silver_tokens/batch_id=2/part-1.parquet. SQLSTATE")
    ('silver_tokens', 'batch_id=2/part-1.parquet')
    """
    match = _NAMED.search(text)
    return (match[1], match[2].rstrip(".")) if match else None


@dataclass(frozen=True)
class _LogFiles:
    """Lists the commits and checkpoints of a log by version."""

    folder: Path
    commits: dict[int, Path]
    checkpoints: dict[int, list[Path]]

    @classmethod
    def list(cls, folder: Path) -> "_LogFiles":
        commits: dict[int, Path] = {}
        checkpoints: dict[int, list[Path]] = defaultdict(list)
        for path in folder.iterdir():
            if match := _COMMIT.fullmatch(path.name):
                commits[int(match[1])] = path
            elif match := _CHECKPOINT.fullmatch(path.name):
                checkpoints[int(match[1])].append(path)
        return cls(folder, commits, dict(checkpoints))

    def newest(self) -> int:
        """Returns the newest version that has a file."""
        return max((*self.commits, *self.checkpoints), default=-1)

    def readable_version(self) -> int:
        """Returns the newest version that can be read, from an undamaged checkpoint or from the first commit."""
        reached = -1
        for base in (*(number for number, paths in self.checkpoints.items() if _is_checkpoint(paths)), -1):
            version = base
            while version + 1 in self.commits and not _commit_fault(self.commits[version + 1], version + 1):
                version += 1
            reached = max(reached, version)
        return reached

    def faults(self) -> Iterator[str]:
        """Yields what is wrong with the files that a reader needs: newest checkpoint and the commits after it."""
        last = max(self.checkpoints, default=-1)
        if last >= 0 and not _is_checkpoint(self.checkpoints[last]):
            names = ", ".join(sorted(path.name for path in self.checkpoints[last]))
            yield f"{self.folder / names} is damaged, a checkpoint"
        for version in range(last + 1, self.newest() + 1):
            if version not in self.commits:
                yield f"{self.folder / f'{version:020}.json'} is missing"
            elif fault := _commit_fault(self.commits[version], version):
                yield f"{self.commits[version]} {fault}"
        hint = self.folder / _HINT
        if hint.exists() and _read_objects(hint) is None:
            yield f"{hint} is damaged"


def _read_objects(path: Path) -> list[dict[str, Any]] | None:
    """Returns the JSON objects of a file, one a line; None if it is empty or damaged."""
    try:
        content = path.read_bytes()
        objects = [json.loads(line) for line in content.splitlines() if line.strip()]
    except (OSError, ValueError):
        return None
    if not objects or not all(isinstance(found, dict) for found in objects) or not _matches_crc(path, content):
        return None
    return objects


def _commit_fault(path: Path, version: int) -> str | None:
    """Returns what is wrong with a commit; None if nothing is."""
    if path.stat().st_size == 0:
        return "is empty (0 bytes)"
    actions = _read_objects(path)
    if actions is None:
        return "is damaged or cut short"
    kinds = [kind for action in actions for kind in action]
    if version == 0 and not {"protocol", "metaData"} <= set(kinds):
        return "is cut short: the columns of the table are missing"
    info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    if info.get("operation") == "WRITE":
        # Rows are compared, because the number of files counts empty ones too, which Delta drops.
        metrics = info.get("operationMetrics") or {}
        written = int(metrics.get("numOutputRows", metrics.get("num_added_rows", 0)) or 0)
        added = [action["add"] for action in actions if "add" in action]
        counts = [json.loads(add.get("stats") or "{}").get("numRecords") for add in added]
        if None not in counts and sum(counts) < written:
            return f"is cut short: its data files have {sum(counts):,} of {written:,} rows"
    return None


def _is_checkpoint(paths: Iterable[Path]) -> bool:
    """Returns whether a checkpoint has all its parts, undamaged."""
    parts = list(paths)
    declared = [match for path in parts if (match := _CHECKPOINT.fullmatch(path.name)) and match[2]]
    if declared and len(declared) < int(declared[0][3]):
        return False
    return all(
        _read_objects(path) is not None if path.suffix == ".json" else not _parquet_fault(path) for path in parts
    )


def _parquet_fault(path: Path) -> str | None:
    """Returns what is wrong with the first and last bytes of a Parquet file; None if nothing is."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(-min(4, path.stat().st_size), 2)
        return None if head == file.read(4) == b"PAR1" else "is cut short or damaged"


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
        if not _matches_crc(path, path.read_bytes()):
            return "differs from its checksum"
        for _ in pq.ParquetFile(path).iter_batches():
            pass
    except (OSError, pa.ArrowException) as error:
        return f"cannot be read ({type(error).__name__})"
    return None


def _crc_file(path: Path) -> Path:
    """Returns the file in which Hadoop keeps the checksums of a file on a local disk; it may be missing."""
    return path.with_name(f".{path.name}.crc")


def _matches_crc(path: Path, content: bytes) -> bool:
    """Returns whether bytes have the checksums that Hadoop wrote beside a file; True if it wrote none."""
    try:
        sums = _crc_file(path).read_bytes()
    except OSError:
        return True
    if sums[:4] != b"crc\0" or len(sums) < 8:
        return True  # not Hadoop's format
    (step,) = struct.unpack(">i", sums[4:8])
    expected = b"".join(
        struct.pack(">I", zlib.crc32(content[start : start + step])) for start in range(0, len(content), max(step, 1))
    )
    return sums[8:] == expected
