"""Erased records in the landing folder: found by their keyed hashes, and emptied without moving any other record."""

import csv
import gzip
import io
import os
import posixpath
from collections.abc import Collection, Iterable, Iterator, Sequence
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

_FOUND = "path string, ordinal bigint, line bigint"


@dataclass(frozen=True)
class Found:
    """Erased records in a delivered file.

    Attributes:
        delivery: The file.
        ordinals: Their numbers among the file's records, from 1.
        lines: Their lines, as source_line has them.
        is_damaged: Whether it cannot be read to its end, so that there may be more.
    """

    delivery: Delivery
    ordinals: tuple[int, ...]
    lines: tuple[int, ...]
    is_damaged: bool


def find_in_landing(spark: SparkSession, config: Config, deliveries: Sequence[Delivery], erased: Erased) -> list[Found]:
    """Read every delivered file, one task a file; those with erased records, and those that cannot be read to the end.

    Args:
        spark: For the reading.
        config: `paths.landing` and the section `ingest`.
        deliveries: The files.
        erased: What must stay erased.
    """
    if not deliveries:
        return []
    landing, source, zone = config.paths.landing, config.ingest.source, config.timezone
    listed = spark.createDataFrame(
        [(d.feed_code, d.path, d.format_code) for d in deliveries], "feed_code string, path string, format_code string"
    )
    schema = spark.createDataFrame([], _FOUND).schema
    out = arrow_schema(schema)

    def find(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                parse = parser_of(row["feed_code"], source, zone)
                found = []
                try:
                    for record in read_records(posixpath.join(landing, row["path"]), row["format_code"], ()):
                        parsed = Parsed({}, ("malformed",)) if record.values is None else parse(record.values)
                        if is_erased(parsed, record.raw, erased):
                            found.append({"path": row["path"], "ordinal": record.ordinal, "line": record.line})
                except UnreadableFileError:
                    found.append({"path": row["path"], "ordinal": None, "line": None})
                yield pa.RecordBatch.from_pylist(found, out)

    by_path: dict[str, list[tuple[int | None, int | None]]] = {}
    for hit in listed.coalesce(1).repartition(len(deliveries)).mapInArrow(find, schema).collect():
        by_path.setdefault(hit.path, []).append((hit.ordinal, hit.line))
    return [
        Found(
            delivery,
            tuple(sorted(ordinal for ordinal, _ in hits if ordinal is not None)),
            tuple(sorted(line for _, line in hits if line is not None)),
            any(ordinal is None for ordinal, _ in hits),
        )
        for delivery in deliveries
        if (hits := by_path.get(delivery.path))
    ]


def empty_records(file: Path, format_code: str, ordinals: Collection[int]) -> Path:
    """A copy of a file beside it in which these records are empty; every other record keeps its bytes and its place.

    An emptied record is `{}`, a CSV row without values, or a Parquet row of nulls: slices of the file still count the
    same, and a record without review_id keeps its number among its like. The copy has the file's time and mode.

    Args:
        file: On a mounted file system.
        format_code: `jsonl`, `csv` or `parquet`.
        ordinals: Numbers of the records, from 1.

    Returns:
        The copy, which the landing folder does not take for a delivery; move it over the file.
    """
    copy = file.with_name(f"_erasing-{file.name}")
    if format_code == "parquet":
        _empty_parquet(file, copy, ordinals)
    else:
        is_packed = file.name.lower().endswith(".gz")
        empty = _empty_csv if format_code == "csv" else _empty_json_lines
        with gzip.open(file) if is_packed else file.open("rb") as source, copy.open("wb") as target:
            lines = empty(source, ordinals)
            if is_packed:
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
    taken: list[str] = []

    def tape() -> Iterator[str]:
        # newline="" and surrogateescape: what is not emptied goes out as it came, byte for byte
        for line in io.TextIOWrapper(content, encoding="utf-8", errors="surrogateescape", newline=""):
            taken.append(line)
            yield line

    width = 0
    for ordinal, row in enumerate(csv.reader(tape())):  # the header is 0
        width = width or len(row)
        text = "," * (width - 1) + "\n" if ordinal and ordinal in ordinals else "".join(taken)
        yield text.encode("utf-8", errors="surrogateescape")
        taken.clear()


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
                # taking the row "null" gives nulls, whatever the type
                rows = [None if first + row in ordinals else row for row in range(table.num_rows)]
                emptied = table.take(pa.array(rows, pa.int64()))
                writer.write_table(pa.Table.from_arrays(emptied.columns, schema=schema))
                first += table.num_rows
