"""Searches files for erased values, and never prints a value.

An erasure is complete only when no file contains an erased value.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MIN_BYTES = 8
"""Shorter values are searched for only as whole cells of Parquet files, because any file may contain them by chance."""
_CHUNK = 8 * 2**20


@dataclass(frozen=True)
class Values:
    """Holds the values to search for.

    Attributes:
        exact: Values to search for as whole cells of Parquet files.
    """

    exact: frozenset[str]

    @property
    def inside(self) -> list[str]:
        """Returns the values that are also searched for inside texts and bytes."""
        return sorted(value for value in self.exact if len(value.encode("utf-8", "surrogatepass")) >= MIN_BYTES)


def search_files(folders: Iterable[Path], values: Values, skipped: Collection[Path] = ()) -> list[Path]:
    """Returns the files below some folders that contain one of the values, also in compressed Parquet columns.

    Args:
        folders: Folders to search; a nested one is searched once. Links are not followed.
        values: Values to search for.
        skipped: Files and folders to leave out.
    """
    if not values.exact:
        return []
    inside = values.inside
    needles = re.compile(b"|".join(re.escape(form) for value in inside for form in _encodings(value)) or rb"(?!)")
    texts = re.compile("|".join(map(re.escape, inside)) or "(?!)")
    exact = pa.array(sorted(values.exact), pa.string())
    files = sorted({file for folder in folders for file in _walk(folder, set(skipped))})
    return [file for file in files if _contains(file, needles, texts, exact)]


def _walk(folder: Path, skipped: set[Path]) -> Iterator[Path]:
    if folder in skipped or folder.is_symlink() or not folder.exists():
        return
    if folder.is_file():
        yield folder
        return
    for child in folder.iterdir():
        yield from _walk(child, skipped)


def _encodings(value: str) -> set[bytes]:
    """Returns the bytes of a value as plain text, and as JSON with and without escapes."""
    import json

    plain = value.encode("utf-8", "surrogatepass")
    return {
        plain,
        json.dumps(value)[1:-1].encode(),
        json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass"),
    }


def _contains(file: Path, needles: re.Pattern[bytes], texts: re.Pattern[str], exact: pa.Array) -> bool:
    """Returns whether a file contains one of the values; `needles` are searched in bytes, `texts` in cells."""
    try:
        if _contains_bytes(file, needles):
            return True
        return file.name.endswith(".parquet") and _contains_cell(file, texts, exact)
    except FileNotFoundError:
        return False  # a temporary file that another process has deleted


def _contains_bytes(file: Path, needles: re.Pattern[bytes]) -> bool:
    import gzip

    is_packed = file.name.lower().endswith(".gz")
    with gzip.open(file) if is_packed else file.open("rb") as stream:
        previous = b""
        try:
            while chunk := stream.read(_CHUNK):
                if needles.search(previous + chunk):
                    return True
                previous = chunk[-4096:]
        except (EOFError, OSError):
            return False  # a damaged delivery, whose readable part was searched
    return False


def _contains_cell(file: Path, texts: re.Pattern[str], exact: pa.Array) -> bool:
    try:
        with pq.ParquetFile(file) as source:
            return any(
                _column_contains(column, texts, exact)
                for batch in source.iter_batches(batch_size=8192)
                for column in batch.columns
            )
    except pa.ArrowException:
        return False  # not a Parquet file, but its bytes were searched


def _column_contains(column: Any, texts: re.Pattern[str], exact: pa.Array) -> bool:
    """Returns whether a text column, or a text column nested in it, contains one of the values."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _column_contains(column.dictionary, texts, exact)
    if pa.types.is_struct(kind):
        return any(_column_contains(child, texts, exact) for child in column.flatten())
    if pa.types.is_map(kind):
        return any(_column_contains(child, texts, exact) for child in (column.keys, column.items))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _column_contains(column.flatten(), texts, exact)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return False
    if pc.any(pc.is_in(column.cast(pa.string()), value_set=exact)).as_py():
        return True
    return any(cell and texts.search(cell) for cell in column.to_pylist())
