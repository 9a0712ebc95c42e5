"""Checks the files of a Delta log: which commits and checkpoints there are, and which of them are damaged."""

import json
import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10})|\.[0-9a-f-]{36})?\.(?:parquet|json)")
_HINT = "_last_checkpoint"


@dataclass(frozen=True)
class LogFiles:
    """Lists the commits and checkpoints of a log by version."""

    folder: Path
    commits: dict[int, Path]
    checkpoints: dict[int, list[Path]]

    @classmethod
    def list(cls, folder: Path) -> "LogFiles":
        """Lists the files of a log folder."""
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
            while version + 1 in self.commits and not commit_fault(self.commits[version + 1], version + 1):
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
            elif fault := commit_fault(self.commits[version], version):
                yield f"{self.commits[version]} {fault}"
        hint = self.folder / _HINT
        if hint.exists() and read_objects(hint) is None:
            yield f"{hint} is damaged"


def broken_log_files(folder: Path, version: int) -> list[Path]:
    """Returns the files of a log that must go, so that `version` is the newest one and every file can be read."""
    files = LogFiles.list(folder)
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


def read_objects(path: Path) -> list[dict[str, Any]] | None:
    """Returns the JSON objects of a file, one a line; None if it is empty or damaged."""
    try:
        content = path.read_bytes()
        objects = [json.loads(line) for line in content.splitlines() if line.strip()]
    except (OSError, ValueError):
        return None
    if not objects or not all(isinstance(found, dict) for found in objects) or not matches_crc(path, content):
        return None
    return objects


def commit_fault(path: Path, version: int) -> str | None:
    """Returns what is wrong with a commit; None if nothing is."""
    if path.stat().st_size == 0:
        return "is empty (0 bytes)"
    actions = read_objects(path)
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
    return all(read_objects(path) is not None if path.suffix == ".json" else not _parquet_fault(path) for path in parts)


def _parquet_fault(path: Path) -> str | None:
    """Returns what is wrong with the first and last bytes of a Parquet file; None if nothing is."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(-min(4, path.stat().st_size), 2)
        return None if head == file.read(4) == b"PAR1" else "is cut short or damaged"


def _crc_file(path: Path) -> Path:
    """Returns the file in which Hadoop keeps the checksums of a file on a local disk; it may be missing."""
    return path.with_name(f".{path.name}.crc")


def matches_crc(path: Path, content: bytes) -> bool:
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
