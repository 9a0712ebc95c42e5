"""Reads slices of delivered files: whole files, or the pieces of big ones that overlap the slice."""

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from pyspark.sql import Row, SparkSession

from reviewgen_spark.config import Config, IngestSection
from reviewgen_spark.transforms.ingest import range_scan
from reviewgen_spark.transforms.ingest.file_index import (
    FileIndex,
    counts_before,
    counts_folder,
    index_folder,
    index_name,
    load_index,
    piece_key,
    settings_hash,
)
from reviewgen_spark.transforms.ingest.listing import Delivery
from reviewgen_spark.transforms.ingest.record_parsing import parser_of
from reviewgen_spark.transforms.ingest.scan import file_hash
from reviewgen_spark.transforms.ingest.source_files import read_records
from reviewgen_spark.transforms.ingest.source_ranges import Content, Piece, piece_hash, read_range
from reviewgen_spark.transforms.ingest.source_record import SourceRecord, UnreadableFileError

_MANY_ROWS = 20_000  # of a packed file, whose size does not say how much is in it
SLICE_SCHEMA = (
    "path string, format_code string, hashes array<string>, first_row bigint, last_row bigint, location string, "
    "kind string, encoding string, first bigint, last bigint, skip bigint, ordinal bigint, line bigint, "
    "row_count bigint, sha256 string, counts string"
)
_NO_PIECE = (None,) * 11


def slice_rows(
    spark: SparkSession, config: Config, slices: Sequence[Row], hashes: Mapping[str, set[str]]
) -> list[tuple[Any, ...]]:
    """Returns what must be read for slices, as rows of `SLICE_SCHEMA`: files, or pieces of them.

    Args:
        spark: Makes an index that is gone.
        config: `paths` and the section `ingest`.
        slices: Rows of ops_source_files.
        hashes: The sha256 that a file may have, by path.
    """
    rows: list[tuple[Any, ...]] = []
    indexes = _indexes(spark, config, slices, hashes)
    folder = index_folder(config)
    for one in sorted(slices, key=lambda one: -one.size):
        shared = (one.path, one.format_code, sorted(hashes[one.path]), one.first_row, one.last_row)
        index = indexes.get(one.path)
        if index is None:
            rows.append((*shared, *_NO_PIECE))
            continue
        content = index.content
        counts = str(counts_folder(folder, index.name)) if index.has_counts else None
        for piece in index.pieces:
            if piece.ordinal < one.last_row and piece.ordinal + piece.row_count >= one.first_row:
                place = (piece.first, piece.last, piece.skip, piece.ordinal, piece.line, piece.row_count, piece.sha256)
                rows.append((*shared, content.location, content.kind, content.encoding, *place, counts))
    return rows


def _indexes(
    spark: SparkSession, config: Config, slices: Sequence[Row], hashes: Mapping[str, set[str]]
) -> dict[str, FileIndex]:
    """Returns the indexes of big files by path. Those that are gone are made anew."""
    settings, folder = settings_hash(config), index_folder(config)

    def load(one: Row) -> FileIndex | None:
        known = sorted(hashes[one.path], key=lambda sha256: sha256 != one.sha256)
        names = [index_name(settings, one.feed_code, one.path, one.format_code, sha256) for sha256 in known]
        return load_index(folder, names)

    by_path = {one.path: one for one in slices}
    indexes = {path: load(one) for path, one in by_path.items()} if folder.is_dir() else dict.fromkeys(by_path)
    gone = [by_path[path] for path, index in indexes.items() if index is None and _is_worth_an_index(by_path[path])]
    if gone:
        deliveries = [
            Delivery(one.feed_code, one.path, one.format_code, one.size, one.modified_at.replace(tzinfo=UTC))
            for one in gone
        ]
        range_scan.scan_in_ranges(spark, config, deliveries)
        indexes |= {one.path: load(one) for one in gone}
    return {path: index for path, index in indexes.items() if index is not None}


def _is_worth_an_index(one: Row) -> bool:
    """Returns whether a file has several ranges, or is big or packed with many rows of which this slice is a part."""
    is_part = one.last_row - one.first_row + 1 < one.row_count
    has_many = one.path.lower().endswith(".gz") and one.row_count >= _MANY_ROWS
    sizes = range_scan.SIZES
    return bool(one.size >= (sizes.least if is_part else sizes.range_bytes) or (is_part and has_many))


def read_slice(
    part: Mapping[str, Any], feed_code: str, landing: str, section: IngestSection, zone: ZoneInfo
) -> Iterator[tuple[SourceRecord | None, Any]]:
    """Yields the records of a row of `slice_rows`, each with the function that parses it.

    Records before the first of the slice are yielded too, because the parser counts equal ones. The caller drops them.
    It yields None for a file or a piece that has changed since it was scanned. It ends early at damage, because
    somebody may have accepted the damaged file. The caller compares the number of records with that of the scan.
    """
    occurrences: Counter[str] = Counter()
    parse = parser_of(feed_code, section.source, zone, occurrences)
    try:
        if part["kind"] is None:
            location = posixpath.join(landing, part["path"])
            is_same = file_hash(location) in part["hashes"]
            records = read_records(location, part["format_code"], feed_code, section)
        else:
            content = Content(part["location"], part["kind"], part["encoding"], feed_code)
            piece = Piece(**{name: part[name] for name in Piece.__dataclass_fields__})
            is_same = piece_hash(content, section, piece) == piece.sha256
            occurrences.update(counts_before(part["counts"], piece_key(piece)))
            records = islice(read_range(content, section, piece.place), piece.row_count)
        if not is_same:
            yield None, parse
            return
        for record in records:
            if record.ordinal > part["last_row"]:
                return
            yield record, parse
    except (UnreadableFileError, OSError):
        return
