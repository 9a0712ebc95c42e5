"""Finds erased records in the landing folder by keyed hashes, and empties them without moving any other record."""

import gzip
import os
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from reviewgen_spark.config import Config, IngestSection
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.text.privacy.erasure_keys import Erased
from reviewgen_spark.transforms.ingest.ingest import is_erased, parse_record
from reviewgen_spark.transforms.ingest.json_records import split_json
from reviewgen_spark.transforms.ingest.listing import Delivery
from reviewgen_spark.transforms.ingest.record_parsing import parser_of
from reviewgen_spark.transforms.ingest.scan import spread
from reviewgen_spark.transforms.ingest.source_files import (
    WIDE_ENCODINGS,
    find_encoding,
    open_bytes,
    open_csv,
    open_seekable,
    read_records,
)
from reviewgen_spark.transforms.ingest.source_record import Line, UnreadableFileError

_AFFECTED = "path string, ordinal bigint, line bigint"


@dataclass(frozen=True)
class AffectedFile:
    """Lists the erased records of a delivered file.

    Attributes:
        delivery: The file.
        ordinals: Their numbers among the file's records, from 1.
        lines: Their lines, as in source_line.
        is_damaged: Whether the file cannot be read to its end, so that it may hold more of them.
    """

    delivery: Delivery
    ordinals: tuple[int, ...]
    lines: tuple[int, ...]
    is_damaged: bool


def find_in_landing(
    spark: SparkSession,
    config: Config,
    deliveries: Sequence[Delivery],
    erased: Erased,
    sources: Mapping[str, str],
) -> list[AffectedFile]:
    """Reads every delivered file.

    Returns the files with erased records, and the files that cannot be read to their end.

    Args:
        spark: The session that reads the files.
        config: `paths.landing` and the section `ingest`.
        deliveries: The files.
        erased: What must stay erased.
        sources: Source of each file by path; the others are of `ingest.source`.
    """
    if not deliveries:
        return []
    landing, section, zone = config.paths.landing, config.ingest, config.timezone
    schema = spark.createDataFrame([], _AFFECTED).schema
    out = arrow_schema(schema)

    def find(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                parse = parser_of(row["feed_code"], row["source"], zone)
                matches = []
                location = posixpath.join(landing, row["path"])
                kind = "parquet" if row["format_code"] == "delta" else row["format_code"]
                try:
                    for record in read_records(location, kind, row["feed_code"], section, is_strict=False):
                        if is_erased(parse_record(record, parse), record.raw, erased):
                            matches.append({"path": row["path"], "ordinal": record.ordinal, "line": record.line})
                except (UnreadableFileError, OSError):
                    matches.append({"path": row["path"], "ordinal": None, "line": None})
                yield pa.RecordBatch.from_pylist(matches, out)

    files = [
        (one.feed_code, one.path, one.format_code, sources.get(one.path, section.source))
        for one in sorted(deliveries, key=lambda one: -one.size)
    ]
    listed = spread(spark, files, "feed_code string, path string, format_code string, source string")
    by_path: dict[str, list[tuple[int | None, int | None]]] = {}
    for match in listed.mapInArrow(find, schema).collect():
        by_path.setdefault(match.path, []).append((match.ordinal, match.line))
    return [
        AffectedFile(
            delivery,
            tuple(sorted(ordinal for ordinal, _ in matches if ordinal is not None)),
            tuple(sorted(line for _, line in matches if line is not None)),
            any(ordinal is None for ordinal, _ in matches),
        )
        for delivery in deliveries
        if (matches := by_path.get(delivery.path))
    ]


def empty_records(
    file: Path, format_code: str, ordinals: Collection[int], feed_code: str, section: IngestSection
) -> Path:
    """Writes a copy of a file, beside it, with these records empty; all other records keep their bytes and positions.

    An emptied record is `{}`, a CSV row without values, or a Parquet row of nulls. So slices of the file have the same
    row numbers, and a record without review_id keeps its number among equal ones. The copy has the file's time and
    mode.

    Args:
        file: The file, on a mounted file system.
        format_code: `jsonl`, `csv` or `parquet`.
        ordinals: Numbers of the records, from 1.
        feed_code: `reviews` or `gold_labels`.
        section: The section `ingest`, as the file was read with.

    Returns:
        The copy. A scan of the landing folder ignores its name. Move it over the file.

    Raises:
        UnreadableFileError: The other records cannot be copied byte for byte.
    """
    copy = file.with_name(f"_erasing-{file.name}")
    is_gzipped = file.name.lower().endswith(".gz")
    try:
        if format_code == "parquet":
            if is_gzipped:
                raise UnreadableFileError("Parquet in gzip is not rewritten; deliver it again without these records")
            with open_seekable(str(file), section) as source:
                _empty_parquet(source, copy, ordinals)
        else:
            with copy.open("wb") as target:
                lines = _emptied_lines(str(file), format_code, ordinals, feed_code, section)
                if is_gzipped:
                    with gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as packed:
                        packed.writelines(lines)
                else:
                    target.writelines(lines)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    stat = file.stat()
    copy.chmod(stat.st_mode & 0o777)
    os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return copy


def _emptied_lines(
    location: str, format_code: str, ordinals: Collection[int], feed_code: str, section: IngestSection
) -> Iterator[bytes]:
    encoding = find_encoding(location, section)
    if encoding in WIDE_ENCODINGS:
        raise UnreadableFileError(f"a file in {encoding} is not rewritten; deliver it again without these records")
    ordinal = 0
    with open_bytes(location, section) as stream:
        if format_code == "csv":
            file = open_csv(stream, feed_code, encoding, section)
            yield from (_whole(line) for line in file.header_lines)
            empty = (file.separator * (len(file.columns) - 1) + "\n").encode()
            for row in file:
                ordinal += not row.is_blank
                is_emptied = not row.is_blank and ordinal in ordinals
                yield empty if is_emptied else b"".join(_whole(line) for line in row.lines)
            return
        for part in split_json(stream, section.max_record_bytes):
            ordinal += part.is_record
            if part.is_record and ordinal in ordinals:
                yield b"{}\n" if part.content.endswith(b"\n") else b"{}"
            else:
                yield _whole(Line(part.line, part.content, part.is_cut))


def _whole(line: Line) -> bytes:
    if line.is_cut:
        raise UnreadableFileError("it has a record longer than ingest.max_record_bytes; raise it to rewrite the file")
    return line.content


def _empty_parquet(file: Any, copy: Path, ordinals: Collection[int]) -> None:
    with pq.ParquetFile(file) as source:
        fields = [field.with_nullable(True) for field in source.schema_arrow]
        schema = pa.schema(fields, source.schema_arrow.metadata)
        group = source.metadata.row_group(0) if source.num_row_groups else None
        codec = group.column(0).compression if group is not None and group.num_columns else "SNAPPY"
        with pq.ParquetWriter(copy, schema, compression="NONE" if codec == "UNCOMPRESSED" else codec) as writer:
            first = 1
            for number in range(source.num_row_groups):
                table = source.read_row_group(number)
                # `take` with a null index gives nulls for every type
                rows = [None if first + row in ordinals else row for row in range(table.num_rows)]
                emptied = table.take(pa.array(rows, pa.int64()))
                writer.write_table(pa.Table.from_arrays(emptied.columns, schema=schema))
                first += table.num_rows
