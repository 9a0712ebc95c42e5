"""Searches files for erased values, and never prints a value.

An erasure is complete only when no file contains an erased value. What cannot be searched is listed, with the reason.
"""

import codecs
import io
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reviewgen_spark.operations.erasure.needles import MIN_BYTES, Needles
from reviewgen_spark.operations.erasure.packed_streams import (
    HEAD_BYTES,
    READ_ERRORS,
    RawReader,
    closed_kind_of,
    kind_of,
    unpack,
)

_CHUNK = 8 * 2**20
_MAX_DEPTH = 4
_MAX_UNPACKED = 64 * 2**30
_IN_MEMORY = 64 * 2**20
_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BROKEN = (*READ_ERRORS, tarfile.TarError, zipfile.BadZipFile, sqlite3.Error, RuntimeError, ValueError)


@dataclass(frozen=True)
class Values:
    """Holds the values to search for.

    Attributes:
        exact: The values. Short ones are searched for as whole cells, long ones also inside texts.
        ids: Those of them that are searched for in names of files and folders too; None for all.
    """

    exact: frozenset[str]
    ids: frozenset[str] | None = None

    @property
    def inside(self) -> list[str]:
        """Returns the values that are also searched for inside texts and bytes."""
        return sorted(value for value in self.exact if len(value.encode("utf-8", "surrogatepass")) >= MIN_BYTES)


@dataclass
class ScanResult:
    """Holds the result of a search.

    Attributes:
        matches: Files and folders that contain a value or have one in their name.
        unsearched: Files and folders that were not searched to their end, with the reason.
    """

    matches: list[Path] = field(default_factory=list)
    unsearched: list[tuple[Path, str]] = field(default_factory=list)


def search_files(folders: Iterable[Path], values: Values, skipped: Collection[Path] = ()) -> list[Path]:
    """Returns the matches of `scan_files`."""
    return scan_files(folders, values, skipped).matches


def scan_files(
    folders: Iterable[Path], values: Values, skipped: Collection[Path] = (), read_elsewhere: Collection[Path] = ()
) -> ScanResult:
    """Searches the files below some folders, with the names of files and folders.

    Archives, compressed files, Parquet columns and SQLite rows are unpacked, also inside each other. Escapes of JSON,
    HTML, CSV and URLs are undone.

    Args:
        folders: Folders to search; a nested one is searched once. Links inside them are not followed.
        values: Values to search for.
        skipped: Files and folders to leave out.
        read_elsewhere: Files of which only the name is searched.
    """
    if not values.exact:
        return ScanResult()
    scan = _Scan(
        Needles(values.exact, values.exact if values.ids is None else values.ids),
        {*skipped, *(path.resolve() for path in skipped)},
    )
    roots = [folder.resolve() if folder.is_symlink() else folder for folder in folders]
    resolved = [root.resolve() for root in roots]
    for path in sorted({path for root in roots for path in scan.walk(root, resolved)}):
        scan.search(path, path in read_elsewhere)
    return scan.result


class _UnsearchedError(Exception):
    """Reports why a file cannot be searched to its end."""


class _Scan:
    """Searches paths, and keeps the result.

    Attributes:
        result: The matches and what was not searched.
    """

    def __init__(self, needles: Needles, skipped: set[Path]) -> None:
        self._needles = needles
        self._skipped = skipped
        self._unpacked = 0
        self.result = ScanResult()

    def walk(self, path: Path, roots: list[Path]) -> Iterator[Path]:
        """Yields all files, folders and links below a path, and the path itself."""
        if path in self._skipped:
            return
        if path.is_symlink():
            yield path
            target = path.resolve()
            if target.exists() and not any(target == root or root in target.parents for root in roots):
                self._leave_out(path, "a link to a place outside the searched folders")
            return
        if not path.exists():
            return
        yield path
        if path.is_dir():
            try:
                children = list(path.iterdir())
            except OSError as error:
                self._leave_out(path, type(error).__name__)
                return
            for child in children:
                yield from self.walk(child, roots)

    def search(self, path: Path, is_read_elsewhere: bool) -> None:
        """Searches the name of a path, and the content of a file."""
        if self._needles.are_in_name(path.name):
            self.result.matches.append(path)
        elif not is_read_elsewhere and path.is_file() and not path.is_symlink():
            self._unpacked = 0
            try:
                if self._is_in_file(path):
                    self.result.matches.append(path)
            except FileNotFoundError:
                return  # a temporary file that another process has deleted
            except OSError as error:
                self._leave_out(path, type(error).__name__)

    def _leave_out(self, path: Path, reason: str) -> None:
        if (path, reason) not in self.result.unsearched:
            self.result.unsearched.append((path, reason))

    def _is_in_file(self, path: Path) -> bool:
        """Returns whether a file contains a value as it is, or after it is unpacked."""
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        with path.open("rb") as stream:
            if self._is_in_bytes(stream, head):
                return True
        if closed := closed_kind_of(head):
            self._leave_out(path, f"packed as {closed}")
        if "_piece" in path.name and not path.name.endswith("_piece0"):
            self._leave_out(path, "one of several pieces of a packed stream")
        if not kind_of(head):
            if path.suffix == ".parquet":
                self._leave_out(path, "no Parquet file")
            return False
        try:
            with path.open("rb") as stream:
                return self._is_in_packed(stream, path, 0)
        except _UnsearchedError as reason:
            self._leave_out(path, str(reason))
        except _BROKEN:
            self._leave_out(path, "damaged or cut short; only its readable part was searched")
        return False

    def _is_in_bytes(self, stream: Any, head: bytes) -> bool:
        """Returns whether a stream contains a value, also across two chunks."""
        decode = codecs.getincrementaldecoder("utf-16")("replace").decode if head.startswith(_BOMS) else None
        previous = b""
        while chunk := stream.read(_CHUNK):
            data = previous + (decode(chunk).encode("utf-8", "surrogatepass") if decode else chunk)
            if self._needles.are_in(data):
                return True
            previous = data[-self._needles.overlap :] if self._needles.overlap else b""
        return False

    def _is_in_packed(self, source: Any, path: Path, depth: int) -> bool:
        """Returns whether a stream contains a value, after it is unpacked by its kind."""
        if depth > _MAX_DEPTH:
            raise _UnsearchedError(f"archives inside archives, more than {_MAX_DEPTH} deep")
        stream = source if isinstance(source, io.BufferedReader) else io.BufferedReader(RawReader(source), 2**16)
        head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
        kind = kind_of(head)
        if closed := closed_kind_of(head):
            self._leave_out(path, f"has a part that is packed as {closed}")
        if kind == "tar":
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                return any(self._is_in_tar_entry(archive, entry, path, depth) for entry in archive)
        if kind in ("zip", "parquet", "sqlite"):
            with self._seekable(stream) as file:
                if kind == "zip":
                    return self._is_in_zip(file, path, depth)
                return self._is_in_parquet(file) if kind == "parquet" else self._is_in_sqlite(file)
        if kind:
            return self._is_in_packed(_Counted(unpack(kind, stream), self._count), path, depth + 1)
        return self._is_in_bytes(stream, head)

    def _count(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > _MAX_UNPACKED:
            raise _UnsearchedError(f"unpacks to more than {_MAX_UNPACKED // 2**30} GiB")

    def _seekable(self, stream: io.BufferedReader) -> Any:
        if not isinstance(stream.raw, RawReader):
            stream.seek(0)
            return nullcontext(stream)  # a file on disk, which its opener closes
        copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the caller closes it
        while chunk := stream.read(_CHUNK):
            copy.write(chunk)
        copy.seek(0)
        return copy

    def _is_in_tar_entry(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path, depth: int) -> bool:
        if any(self._needles.are_in_name(name) for name in Path(entry.name).parts):
            return True
        content = archive.extractfile(entry) if entry.isfile() else None
        return content is not None and self._is_in_packed(_Counted(content, self._count), path, depth + 1)

    def _is_in_zip(self, file: Any, path: Path, depth: int) -> bool:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if any(self._needles.are_in_name(name) for name in Path(entry.filename).parts):
                    return True
                if entry.flag_bits & 1:
                    self._leave_out(path, "has an encrypted entry")
                    continue
                with archive.open(entry) as content:
                    if self._is_in_packed(_Counted(content, self._count), path, depth + 1):
                        return True
        return False

    def _is_in_parquet(self, file: Any) -> bool:
        with pq.ParquetFile(pa.PythonFile(file, mode="r")) as source:
            return any(
                self._needles.are_in_column(column)
                for batch in source.iter_batches(batch_size=8192)
                for column in batch.columns
            )

    def _is_in_sqlite(self, file: Any) -> bool:
        """Returns whether a row contains a value; long texts are cut into pages, so the bytes alone do not show it."""
        with closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(_without_log(file.read()))
            database.text_factory = bytes
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                rows = database.execute('SELECT * FROM "' + table.decode().replace('"', '""') + '"')
                while part := rows.fetchmany(10_000):
                    cells = (cell for row in part for cell in row if isinstance(cell, bytes))
                    if self._needles.are_in(b"\0".join(cells)):
                        return True
        return False


def _without_log(database: bytes) -> bytes:
    """Returns an SQLite file that is read without its log of changes, which lies in a file of its own."""
    return database[:18] + b"\x01\x01" + database[20:]


class _Counted:
    """Reads a stream, and calls `count` with the size of each part."""

    def __init__(self, stream: Any, count: Any) -> None:
        self._stream, self._count = stream, count

    def read(self, size: int) -> bytes:
        content: bytes = self._stream.read(size)
        self._count(len(content))
        return content
