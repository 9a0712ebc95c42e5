"""Reads the reserved slices of delivered files, and splits the records into typed, refused and redelivered ones."""

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructType

from reviewgen_spark.config import Config
from reviewgen_spark.errors import StageError
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.text.privacy.erasure_keys import Erased
from reviewgen_spark.transforms.dataframes import rows_that_share
from reviewgen_spark.transforms.ingest.batch_plan import SHOWN, active_slices
from reviewgen_spark.transforms.ingest.columns import FEEDS
from reviewgen_spark.transforms.ingest.delta_records import delta_records, folders_of, read_delta
from reviewgen_spark.transforms.ingest.record_parsing import Parsed, parser_of
from reviewgen_spark.transforms.ingest.scan import spread
from reviewgen_spark.transforms.ingest.slices import SLICE_SCHEMA, read_slice, slice_rows
from reviewgen_spark.transforms.ingest.source_record import SourceRecord

_ROWS = 4096  # a chunk of output; bounds a worker's memory, as the next does
_CHARACTERS = 8 * 2**20


def ingest_batch(
    slices: DataFrame, earlier_reviews: DataFrame, erased: Erased, config: Config, batch_id: int
) -> Mapping[str, DataFrame]:
    """Reads a batch's slices and distributes the records to the bronze tables.

    Args:
        slices: Rows of ops_source_files of this batch, with all their states.
        earlier_reviews: bronze_reviews of the earlier batches. A record that is there already is a redelivery.
        erased: What must stay erased. Of such a record only its file and line are kept.
        config: `paths.landing` and the section `ingest`.
        batch_id: The batch.

    Returns:
        bronze_reviews, bronze_reviews_quarantine, bronze_redeliveries, bronze_gold_labels and bronze_erasures, without
        those that would have no rows. Every record of the slices is in exactly one of them. A rejected file is one row
        of the quarantine.
    """
    spark = slices.sparkSession
    files = sorted(slices.collect(), key=lambda row: row.sequence)
    reserved = [file for file in active_slices(files) if file.last_row]
    hashes: dict[str, set[str]] = {}  # an erasure rewrites files: both contents are known
    for file in files:
        hashes.setdefault(file.path, set()).add(file.sha256)
    feeds = {
        code: _parse_feed(spark, [file for file in reserved if file.feed_code == code], hashes, code, erased, config)
        for code in sorted({file.feed_code for file in reserved})
    }
    counts = _count_kinds(feeds)
    _require_unchanged(reserved, counts, config, batch_id)
    kinds = sorted({(code, kind) for code, kind, _ in counts})
    batch = F.lit(batch_id).cast("long").alias("batch_id")
    refused = [
        feeds[code]
        .where("kind = 'refused'")
        .select(F.lit(code).alias("feed_code"), "raw_record", "reasons", "source_file", "source_line", batch)
        for code, kind in kinds
        if kind == "refused"
    ]
    dropped = [
        feeds[code].where("kind = 'erased'").select(F.lit(code).alias("feed_code"), "source_file", "source_line", batch)
        for code, kind in kinds
        if kind == "erased"
    ]
    rejected = [
        {"feed_code": file.feed_code, "reasons": ["file_rejected"], "source_file": file.path, "batch_id": batch_id}
        for file in files
        if file.state == "rejected"
    ]
    if rejected:
        refused.append(TABLES["bronze_reviews_quarantine"].frame(spark, rejected))
    out: dict[str, DataFrame] = {}
    if ("reviews", "good") in kinds:
        out |= _part_deliveries(feeds["reviews"].where("kind = 'good'"), earlier_reviews, batch)
    if ("gold_labels", "good") in kinds:
        gold = feeds["gold_labels"].where("kind = 'good'").withColumn("batch_id", batch)
        out["bronze_gold_labels"] = gold.select(*TABLES["bronze_gold_labels"].columns.names)
    if refused:
        out["bronze_reviews_quarantine"] = reduce(DataFrame.unionByName, refused)
    if dropped:
        out["bronze_erasures"] = reduce(DataFrame.unionByName, dropped)
    return out


def _count_kinds(feeds: Mapping[str, DataFrame]) -> dict[tuple[str, str, str], int]:
    """Counts the records by feed, kind and file, in one query."""
    if not feeds:
        return {}
    parts = [feed.select(F.lit(code).alias("feed_code"), "kind", "source_file") for code, feed in feeds.items()]
    counts = reduce(DataFrame.unionByName, parts).groupBy("feed_code", "kind", "source_file").count().collect()
    return {(row.feed_code, row.kind, row.source_file): int(row["count"]) for row in counts}


def _require_unchanged(
    reserved: Sequence[Row], counts: Mapping[tuple[str, str, str], int], config: Config, batch_id: int
) -> None:
    """Compares what was read with what was reserved.

    Raises:
        StageError: a file was removed, replaced or cut since it was scanned.
    """
    expected: Counter[str] = Counter()
    for file in reserved:
        expected[file.path] += file.last_row - file.first_row + 1
    read: Counter[str] = Counter()
    for (_, kind, path), count in counts.items():
        read[path] += 0 if kind == "changed" else count
    changed = sorted(path for path in expected if read[path] != expected[path])
    if changed:
        names = ", ".join(posixpath.join(config.paths.landing, path) for path in changed[:SHOWN])
        raise StageError(
            f"ingest, batch {batch_id}: {len(changed):,} files were removed or changed between their scan and their "
            f"reading: {names}. Nothing of the batch was written. Run again: files that are still there are read anew"
        )


def _part_deliveries(reviews: DataFrame, earlier_reviews: DataFrame, batch: Column) -> dict[str, DataFrame]:
    """Splits reviews into first deliveries, and redeliveries of records of this or an earlier batch.

    A record whose text, rating and title are known, but whose product, category or updated_at is new, is a correction:
    it gets an id of its own, and views show it as the newest record of its review.
    """
    order = ("source_file", "source_line")
    corrected = ("product_id", "category", "updated_at")
    values = F.struct("record_id", "product_id", "category", F.unix_micros("updated_at").alias("updated_at"))
    reviews = reviews.withColumn("correction_id", F.md5(F.to_json(values, {"ignoreNullFields": "false"})))
    earlier = rows_that_share(
        earlier_reviews.select("record_id", *corrected),
        reviews.select("record_id").unionByName(reviews.select(F.col("correction_id").alias("record_id"))),
        "record_id",
    )
    same_record = Window.partitionBy("record_id").orderBy(*order)
    first = earlier.select("record_id", F.struct(*corrected).alias("first"))
    own = F.struct(*corrected)
    typed = (
        reviews.join(first, on="record_id", how="left")
        .withColumn("first", F.coalesce("first", F.first(own).over(same_record)))
        .withColumn(
            "record_id", F.when(F.col("first").eqNullSafe(own), F.col("record_id")).otherwise(F.col("correction_id"))
        )
        .withColumn("delivery", F.row_number().over(same_record))
        .join(earlier.select("record_id", F.lit(True).alias("is_known")), on="record_id", how="left")
        .withColumn("is_redelivered", F.col("is_known").isNotNull() | (F.col("delivery") > 1))
        .withColumn("batch_id", batch)
        .persist(StorageLevel.DISK_ONLY)  # earlier batches are asked once
    )
    out = {"bronze_reviews": typed.where("NOT is_redelivered").select(*TABLES["bronze_reviews"].columns.names)}
    again = typed.where("is_redelivered").select(*TABLES["bronze_redeliveries"].columns.names)
    return out if again.isEmpty() else {**out, "bronze_redeliveries": again}


def _parse_feed(
    spark: SparkSession,
    slices: Sequence[Row],
    hashes: Mapping[str, set[str]],
    feed_code: str,
    erased: Erased,
    config: Config,
) -> DataFrame:
    """Returns the records of a feed's slices: columns of its bronze table, raw_record, reasons and kind.

    Kinds: good, refused (it has reasons), erased, and changed for a file whose bytes are not those that were scanned.
    """
    table = {"reviews": "bronze_reviews", "gold_labels": "bronze_gold_labels"}[feed_code]
    fields = [field for field in TABLES[table].columns if field.name != "batch_id"]
    schema = StructType.fromJson(StructType(fields).jsonValue())
    for field in schema.fields:
        field.nullable = True  # a refused record has no values
    schema = schema.add("raw_record", StringType()).add("reasons", ArrayType(StringType())).add("kind", StringType())
    landing, section, zone = config.paths.landing, config.ingest, config.timezone

    def read_files(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for part in batch.to_pylist():
                records = read_slice(part, feed_code, landing, section, zone)
                yield from _to_arrow(_parse_all(records, part, erased), schema)

    files = slice_rows(spark, config, [one for one in slices if one.format_code != "delta"], hashes)
    parsed = spread(spark, files, SLICE_SCHEMA).mapInArrow(read_files, schema)
    delta_paths = [one.path for one in slices if one.format_code == "delta"]
    for folder, paths in folders_of(delta_paths, spark, landing).items():
        parsed = parsed.unionByName(_parse_delta(spark, folder, paths, feed_code, erased, config, schema))
    return parsed.persist(StorageLevel.DISK_ONLY)


def _parse_all(
    records: Iterable[tuple[SourceRecord | None, Any]], part: Mapping[str, Any], erased: Erased
) -> Iterator[dict[str, Any]]:
    for record, parse in records:
        if record is None:
            yield {"source_file": part["path"], "source_line": 0, "kind": "changed"}
            continue
        parsed = parse_record(record, parse)
        if record.ordinal >= part["first_row"]:
            yield _row(parsed, record.raw, part["path"], record.line, erased)


def parse_record(record: SourceRecord, parse: Any) -> Parsed:
    """Returns the typed values of a record, or the reasons against it."""
    return Parsed({}, (record.reason or "malformed",)) if record.values is None else parse(record.values)


def _row(parsed: Parsed, raw: str, path: str, line: int, erased: Erased) -> dict[str, Any]:
    place = {"source_file": path, "source_line": line}
    if is_erased(parsed, raw, erased) or (path, line) in erased.places:
        return {**place, "kind": "erased"}
    return {
        **parsed.values,
        **place,
        "raw_record": raw if parsed.reasons else None,
        "reasons": list(parsed.reasons),
        "kind": "refused" if parsed.reasons else "good",
    }


def is_erased(parsed: Parsed, raw: str, erased: Erased) -> bool:
    """Returns whether a record is of an erased user or review; one that was not parsed, whether it names one."""
    if parsed.reasons:
        return erased.is_named_in(raw)
    values = parsed.values
    source = values.get("review_source") if "task" in values else values.get("source")
    return erased.has_user(values.get("user_id"), source) or erased.has_review(values["review_id"], source)


def _to_arrow(rows: Iterator[dict[str, Any]], schema: StructType) -> Iterator[pa.RecordBatch]:
    out = arrow_schema(schema)
    chunk: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        if "extra" in row:
            row["extra"] = list(row["extra"].items())
            size += sum(len(value) for _, value in row["extra"])
        size += len(row.get("text_raw") or row.get("raw_record") or "")
        chunk.append(row)
        if len(chunk) == _ROWS or size > _CHARACTERS:
            yield pa.RecordBatch.from_pylist(chunk, out)
            chunk, size = [], 0
    if chunk:
        yield pa.RecordBatch.from_pylist(chunk, out)


def _parse_delta(
    spark: SparkSession,
    folder: str,
    paths: Sequence[str],
    feed_code: str,
    erased: Erased,
    config: Config,
    schema: StructType,
) -> DataFrame:
    """Returns the records of a Delta table's files."""
    landing, source, zone = config.paths.landing, config.ingest.source, config.timezone

    def parse_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        parsers: dict[str, Any] = {}
        for records in delta_records(batches, landing, FEEDS[feed_code]):
            rows = []
            for path, record in records:
                parse = parsers.setdefault(path, parser_of(feed_code, source, zone))
                rows.append(_row(parse_record(record, parse), record.raw, path, record.line, erased))
            yield from _to_arrow(iter(rows), schema)

    return read_delta(spark, posixpath.join(landing, folder), landing, paths).mapInArrow(parse_rows, schema)
