"""Lists the landing folder: files to read, files that must not be read, and files of unknown kinds."""

import os
import posixpath
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyarrow import fs
from pyspark.sql import SparkSession

from reviewgen_spark.config import IngestSection
from reviewgen_spark.errors import StageError
from reviewgen_spark.transforms.ingest.source_files import format_of, open_filesystem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Delivery:
    """A file in the landing folder; `path` is relative to it. With a `fault` it is not read but refused."""

    feed_code: str
    path: str
    format_code: str
    size: int
    modified_at: datetime
    fault: str | None = None


@dataclass
class Listing:
    """Holds the deliveries by path, and the paths of files of unknown kinds, which are not read."""

    deliveries: list[Delivery] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """A file or folder below the landing folder, or one that cannot be read for `fault`."""

    path: str
    is_folder: bool
    size: int
    modified_at: datetime
    fault: str | None = None


def list_deliveries(spark: SparkSession, landing: str, section: IngestSection) -> list[Delivery]:
    """Returns the deliveries of both feeds, by path; see `list_landing`."""
    return list_landing(spark, landing, section).deliveries


def list_landing(spark: SparkSession, landing: str, section: IngestSection) -> Listing:
    """Lists both feeds, with the active files of Delta tables.

    As in Spark, files and folders whose names begin with `_` or `.` are not read, because writers keep unfinished files
    there.

    Raises:
        StageError: the folder of the reviews does not exist, or cannot be listed.
    """
    listing = Listing()
    for feed_code, folder in (("reviews", section.reviews), ("gold_labels", section.gold_labels)):
        entries = list(_walk(landing, folder))
        if not entries and feed_code == "reviews" and not _exists(landing, folder):
            raise StageError(
                f"ingest: the folder {posixpath.join(landing, folder)} does not exist. Create or mount it, or set "
                "paths.landing and ingest.reviews"
            )
        _add_feed(spark, landing, feed_code, entries, listing)
    listing.deliveries.sort(key=lambda delivery: delivery.path)
    return listing


def _add_feed(spark: SparkSession, landing: str, feed_code: str, entries: list[Entry], listing: Listing) -> None:
    logs = [entry for entry in entries if posixpath.basename(entry.path) == "_delta_log"]
    tables = {posixpath.dirname(entry.path): entry for entry in logs}
    active: set[str] = set()
    for folder, log in tables.items():
        try:
            paths = {relative_path(name, landing) for name in delta_files(spark, posixpath.join(landing, folder))}
            outside = sum(path is None for path in paths)
            fault = (
                f"{outside:,} of the files of this Delta table are outside of the landing folder, as of a shallow "
                "clone; deliver a deep clone"
                if outside
                else None
            )
            active |= {path for path in paths if path}
        except Exception as error:  # py4j's errors have no common class; the message may quote the file
            fault = (
                f"no Delta table that can be read ({type(error).__name__}); if it is still being written, a later run "
                "reads it"
            )
        if fault:
            listing.deliveries.append(Delivery(feed_code, folder, "delta", 0, log.modified_at, fault))
    for entry in entries:
        if entry.is_folder and not entry.fault:
            continue
        format_code = format_of(entry.path)
        if entry.fault:
            kind = format_code or "unknown"
            listing.deliveries.append(Delivery(feed_code, entry.path, kind, entry.size, entry.modified_at, entry.fault))
        elif format_code is None:
            listing.unknown.append(entry.path)
        elif format_code == "parquet" and any(_is_inside(entry.path, folder) for folder in tables):
            if entry.path in active:
                listing.deliveries.append(Delivery(feed_code, entry.path, "delta", entry.size, entry.modified_at))
        else:
            listing.deliveries.append(Delivery(feed_code, entry.path, format_code, entry.size, entry.modified_at))


def delta_files(spark: SparkSession, folder: str) -> list[str]:
    """Returns the active files of a Delta table, as Spark names them: a scheme and a path that is not encoded."""
    return list(spark.read.format("delta").load(folder).inputFiles())


def relative_path(name: str, landing: str) -> str | None:
    """Returns the path of a file below the landing folder, from its name with a scheme; None for one outside.

    >>> relative_path("file:/a b/c#1/x%25.csv", "/a b"), relative_path("s3a://bucket/in/x", "s3a://bucket/in")
    ('c#1/x%25.csv', 'x')
    """
    path, base = _without_scheme(name), _without_scheme(landing).rstrip("/")
    return path.removeprefix(base).lstrip("/") if path.startswith(base + "/") else None


def decoded_path(uri: str, landing: str) -> str | None:
    """Returns the path of a file below the landing folder from an encoded URI, as in `_metadata.file_path`."""
    return relative_path(unquote(uri), landing)


def _without_scheme(name: str) -> str:
    match = re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:(?://[^/]*)?(/.*)", name, re.DOTALL)
    return match.group(1) if match else name


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _exists(landing: str, folder: str) -> bool:
    filesystem, root = open_filesystem(landing)
    return bool(filesystem.get_file_info(posixpath.join(root, folder)).type == fs.FileType.Directory)


def _walk(landing: str, folder: str) -> Iterator[Entry]:
    filesystem, root = open_filesystem(landing)
    if isinstance(filesystem, fs.LocalFileSystem):
        try:
            yield from _walk_local(root, os.path.realpath(root), folder, set())
        except FileNotFoundError:
            return
        except OSError as error:
            raise StageError(
                f"ingest: {posixpath.join(landing, folder)} cannot be listed ({type(error).__name__})"
            ) from None
        return
    selector = fs.FileSelector(posixpath.join(root, folder), allow_not_found=True, recursive=True)
    for info in filesystem.get_file_info(selector):
        path = info.path.removeprefix(root.rstrip("/")).lstrip("/")
        inner = path.removeprefix(folder).lstrip("/")
        is_log = posixpath.basename(path) == "_delta_log" and not _is_hidden(posixpath.dirname(inner))
        if _is_hidden(inner) and not is_log:
            continue
        # Delta keeps microseconds; a file system may keep more.
        modified_at = info.mtime.astimezone(UTC) if info.mtime else _EPOCH
        yield Entry(path, info.type == fs.FileType.Directory, info.size or 0, modified_at)


def _is_hidden(path: str) -> bool:
    """Returns whether a part of a path is hidden, by Spark's rule.

    >>> _is_hidden("a/_temporary/b.csv"), _is_hidden("_day=1/b.csv"), _is_hidden(".b.csv.crc")
    (True, False, True)
    """
    return any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in path.split("/"))


def _walk_local(root: str, real_root: str, folder: str, seen: set[str]) -> Iterator[Entry]:
    with os.scandir(posixpath.join(root, folder)) as scan:
        found = sorted(scan, key=lambda entry: entry.name)
    for entry in found:
        path = posixpath.join(folder, entry.name)
        if _is_hidden(entry.name) and entry.name != "_delta_log":
            continue
        try:
            path.encode()
        except UnicodeEncodeError:
            name = os.fsencode(path).decode("utf-8", errors="backslashreplace")
            yield Entry(name, False, 0, _EPOCH, "its name is not UTF-8; rename it")
            continue
        try:
            status = Path(entry.path).stat()
        except OSError as error:
            if entry.is_symlink():
                yield Entry(path, False, 0, _EPOCH, f"a link that leads nowhere ({type(error).__name__})")
            continue  # removed since it was listed
        modified_at = _time_of(status)
        target = os.path.realpath(entry.path)
        if target != real_root and not _is_inside(target, real_root):
            yield Entry(path, False, 0, modified_at, "a link out of the landing folder; deliver the file itself")
        elif stat.S_ISDIR(status.st_mode):
            yield Entry(path, True, 0, modified_at)
            if target in seen or entry.name == "_delta_log":
                continue  # a link to a folder that was listed; the log of a Delta table is read by Spark
            try:
                yield from _walk_local(root, real_root, path, {*seen, target})
            except PermissionError:
                yield Entry(path, True, 0, modified_at, "the folder cannot be listed (PermissionError)")
            except FileNotFoundError:
                continue
        elif stat.S_ISREG(status.st_mode):
            yield Entry(path, False, status.st_size, modified_at)


def _time_of(status: Any) -> datetime:
    try:
        return datetime.fromtimestamp(status.st_mtime, UTC)
    except (ValueError, OverflowError):
        return _EPOCH
