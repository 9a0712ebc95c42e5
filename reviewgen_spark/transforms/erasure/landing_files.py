"""Finds erased records in the landing folder by keyed hashes, and empties them without moving any other record."""

import csv
import gzip
import io
import os
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.text.privacy.erasure_keys import Erased
from reviewgen_spark.transforms.ingest.ingest import is_erased
from reviewgen_spark.transforms.ingest.landing import Delivery
from reviewgen_spark.transforms.ingest.record_parsing import Parsed, parser_of
from reviewgen_spark.transforms.ingest.source_files import UnreadableFileError, read_records

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
    """Reads every delivered file, one task a file.

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
    landing, zone = config.paths.landing, config.timezone
    listed = spark.createDataFrame(
        [(d.feed_code, d.path, d.format_code, sources.get(d.path, config.ingest.source)) for d in deliveries],
        "feed_code string, path string, format_code string, source string",
    )
    schema = spark.createDataFrame([], _AFFECTED).schema
    out = arrow_schema(schema)

    def find(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                parse = parser_of(row["feed_code"], row["source"], zone)
                matches = []
                try:
                    for record in read_records(posixpath.join(landing, row["path"]), row["format_code"], ()):
                        parsed = Parsed({}, ("malformed",)) if record.values is None else parse(record.values)
                        if is_erased(parsed, record.raw, erased):
                            matches.append({"path": row["path"], "ordinal": record.ordinal, "line": record.line})
                except UnreadableFileError:
                    matches.append({"path": row["path"], "ordinal": None, "line": None})
                yield pa.RecordBatch.from_pylist(matches, out)

    by_path: dict[str, list[tuple[int | None, int | None]]] = {}
    for match in listed.coalesce(1).repartition(len(deliveries)).mapInArrow(find, schema).collect():
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


def empty_records(file: Path, format_code: str, ordinals: Collection[int]) -> Path:
    """Writes a copy of a file, beside it, with these records empty; all other records keep their bytes and positions.

    An emptied record is `{}`, a CSV row without values, or a Parquet row of nulls. So slices of the file have the same
    row numbers, and a record without review_id keeps its number among equal ones. The copy has the file's time and
    mode.

    Args:
        file: The file, on a mounted file system.
        format_code: `jsonl`, `csv` or `parquet`.
        ordinals: Numbers of the records, from 1.

    Returns:
        The copy. A scan of the landing folder ignores its name. Move it over the file.
    """
    copy = file.with_name(f"_erasing-{file.name}")
    if format_code == "parquet":
        _empty_parquet(file, copy, ordinals)
    else:
        is_gzipped = file.name.lower().endswith(".gz")
        empty = _empty_csv if format_code == "csv" else _empty_json_lines
        with gzip.open(file) if is_gzipped else file.open("rb") as source, copy.open("wb") as target:
            lines = empty(source, ordinals)
            if is_gzipped:
                with gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as packed:
                    packed.writelines(lines)
            else:
                target.writelines(lines)
    stat = file.stat()
    copy.chmod(stat.st_mode & 0o777)
    os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return copy


def _empty_json_lines(content: Iterable[bytes], ordinals: Collection[int]) -> Iterator[bytes]:
    ordinal = 0
    for number, line in enumerate(content, start=1):
        body = line.strip(b"\r\n \t")
        if number == 1:
            body = body.removeprefix(b"\xef\xbb\xbf")
        ordinal += bool(body)
        yield b"{}\n" if body and ordinal in ordinals else line


def _empty_csv(content: Any, ordinals: Collection[int]) -> Iterator[bytes]:
    csv.field_size_limit(2**31 - 1)
    record_lines: list[str] = []

    def read_lines() -> Iterator[str]:
        # newline="" and surrogateescape copy every other record byte for byte
        for line in io.TextIOWrapper(content, encoding="utf-8", errors="surrogateescape", newline=""):
            record_lines.append(line)
            yield line

    width = 0
    for ordinal, row in enumerate(csv.reader(read_lines())):  # the header is 0
        width = width or len(row)
        text = "," * (width - 1) + "\n" if ordinal and ordinal in ordinals else "".join(record_lines)
        yield text.encode("utf-8", errors="surrogateescape")
        record_lines.clear()


def _empty_parquet(file: Path, copy: Path, ordinals: Collection[int]) -> None:
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
