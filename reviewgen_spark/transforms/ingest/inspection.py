"""Finds how big files are cut into records, and unpacks those that cannot be read from their middle."""

import errno
import io
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from reviewgen_spark.config import Config, IngestSection
from reviewgen_spark.errors import StageError
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.transforms.ingest.file_index import copy_file, index_name, make_index_folder, settings_hash
from reviewgen_spark.transforms.ingest.json_records import is_over_lines
from reviewgen_spark.transforms.ingest.listing import Delivery
from reviewgen_spark.transforms.ingest.parquet_records import open_parquet
from reviewgen_spark.transforms.ingest.scan import file_hash, spread
from reviewgen_spark.transforms.ingest.source_files import (
    DAMAGE_ERRORS,
    WIDE_ENCODINGS,
    find_encoding,
    open_bytes,
    open_filesystem,
    open_text,
)
from reviewgen_spark.transforms.ingest.source_ranges import Content
from reviewgen_spark.transforms.ingest.source_record import UnreadableFileError

_BUFFER = 2**20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FOUND = StructType(
    [
        StructField("path", StringType()),
        StructField("stamp", StringType()),
        StructField("location", StringType()),
        StructField("kind", StringType()),
        StructField("encoding", StringType()),
        StructField("size", LongType()),
        StructField("copy_sha256", StringType()),
        StructField("group_sizes", ArrayType(LongType())),
        StructField("fault", StringType()),
    ]
)


@dataclass(frozen=True)
class Inspected:
    """Holds what the scan of a big file begins with.

    Attributes:
        delivery: The file.
        stamp: Its size and time while it was inspected.
        content: Its plain bytes.
        size: Of these.
        sha256: Of the file, if `content` is an unpacked copy.
        group_sizes: Bytes of each row group of Parquet.
    """

    delivery: Delivery
    stamp: str
    content: Content
    size: int
    sha256: str | None
    group_sizes: tuple[int, ...]


def inspect_files(spark: SparkSession, config: Config, deliveries: Sequence[Delivery]) -> list[Inspected]:
    """Inspects files on the executors, and unpacks packed ones.

    Files that are damaged are left out, and all for which the executors and the driver do not share paths.artifacts.

    Raises:
        StageError: there is no space to unpack a file.
    """
    landing, section, settings = config.paths.landing, config.ingest, settings_hash(config)
    folder, out = make_index_folder(config), arrow_schema(_FOUND)

    def inspect_them(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                try:
                    values = _inspect(row, posixpath.join(landing, row["path"]), section, folder, settings)
                except _NoSpaceError:
                    values = {"fault": "no space"}
                except (UnreadableFileError, *DAMAGE_ERRORS):
                    values = {"fault": "damaged"}
                yield pa.RecordBatch.from_pylist([{"path": row["path"], **values}], out)

    by_path = {delivery.path: delivery for delivery in deliveries}
    rows = [(one.feed_code, one.path, one.format_code) for one in sorted(deliveries, key=lambda one: -one.size)]
    tasks = spread(spark, rows, "feed_code string, path string, format_code string")
    inspected = []
    for row in tasks.mapInArrow(inspect_them, _FOUND).collect():
        if row.fault == "no space":
            raise StageError(
                f"ingest: no space left in {folder} to unpack {posixpath.join(landing, row.path)}. Free some space, or "
                "set paths.artifacts to a larger disk"
            )
        if row.fault or (row.copy_sha256 and not _has_size(row.location, row.size)):
            continue
        delivery = by_path[row.path]
        content = Content(row.location, row.kind, row.encoding, delivery.feed_code)
        sizes = tuple(row.group_sizes or ())
        inspected.append(Inspected(delivery, row.stamp, content, row.size, row.copy_sha256, sizes))
    return inspected


def file_stamp(location: str) -> str:
    """Returns the size and the time of a file, which differ when it was replaced.

    Raises:
        OSError: it cannot be opened.
    """
    filesystem, path = open_filesystem(location)
    info = filesystem.get_file_info(path)
    return f"{info.size} {info.mtime_ns}"


class _NoSpaceError(Exception):
    """Ends the unpacking of a file on a full disk."""


def _inspect(
    row: Mapping[str, Any], location: str, section: IngestSection, folder: Path, settings: str
) -> dict[str, Any]:
    stamp = file_stamp(location)
    is_copied, encoding, kind = location.lower().endswith(".gz"), "utf-8", row["format_code"]
    if kind != "parquet":
        encoding = find_encoding(location, section)
        if kind == "jsonl":
            with open_text(location, encoding, section) as stream:
                kind = "objects" if is_over_lines(stream) else "lines"
        is_copied = is_copied or encoding in WIDE_ENCODINGS
    sha256 = None
    if is_copied:
        sha256 = file_hash(location)
        copy = copy_file(folder, index_name(settings, row["feed_code"], row["path"], row["format_code"], sha256))
        opened = open_bytes(location, section) if kind == "parquet" else open_text(location, encoding, section)
        with opened as stream:
            _copy(stream, copy)
        location, encoding = str(copy), "utf-8" if encoding in WIDE_ENCODINGS else encoding
    filesystem, path = open_filesystem(location)
    sizes: list[int] = []
    if kind == "parquet":
        with filesystem.open_input_file(path) as source:
            metadata = open_parquet(source).metadata
            sizes = [metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)]
    size = filesystem.get_file_info(path).size
    return {
        "stamp": stamp,
        "location": location,
        "kind": kind,
        "encoding": encoding,
        "size": size,
        "copy_sha256": sha256,
        "group_sizes": sizes,
    }


def _copy(stream: io.BufferedReader, copy: Path) -> None:
    """Writes a stream into a file, which appears whole; one that is there is kept."""
    if copy.is_file():
        return
    written = copy.with_name(f"{copy.name}.{uuid4().hex}")
    try:
        with written.open("wb", buffering=0) as target:
            while chunk := stream.read(_BUFFER):
                _write(target, chunk)
        written.replace(copy)
    finally:
        written.unlink(missing_ok=True)


def _write(target: BinaryIO, chunk: bytes) -> None:
    try:
        while chunk:
            chunk = chunk[target.write(chunk) :]
    except OSError as error:
        if error.errno in _FULL:
            raise _NoSpaceError from None
        raise


def _has_size(location: str, size: int) -> bool:
    try:
        return Path(location).stat().st_size == size
    except OSError:
        return False
