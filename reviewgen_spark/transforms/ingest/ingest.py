"""Reads the reserved slices of delivered files, and splits the records into typed, refused and redelivered ones."""

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import orjson
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, StringType, StructType

from reviewgen_spark.config import Config
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.text.privacy.erasure_keys import Erased
from reviewgen_spark.transforms.dataframes import rows_that_share
from reviewgen_spark.transforms.ingest.landing import REQUIRED_COLUMNS, delta_folders, relative_path
from reviewgen_spark.transforms.ingest.record_parsing import Parsed, parser_of
from reviewgen_spark.transforms.ingest.source_files import SourceRecord, UnreadableFileError, read_records

_SLICE = "path string, format_code string, first_row bigint, last_row bigint"
_ROWS = 4096  # a chunk of output; bounds a worker's memory


def ingest_batch(
    slices: DataFrame, earlier_reviews: DataFrame, erased: Erased, config: Config, batch_id: int
) -> Mapping[str, DataFrame]:
    """Reads a batch's slices and distributes the records to the bronze tables.

    Args:
        slices: Rows of ops_source_files of this batch, reserved and rejected.
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
    files = slices.collect()  # a batch has a few files
    reserved = [file for file in files if file.state == "reserved" and file.last_row]
    feeds = {
        code: _parse_feed(spark, [file for file in reserved if file.feed_code == code], code, erased, config)
        for code in sorted({file.feed_code for file in reserved})
    }
    kinds = _kinds(feeds)
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


def _kinds(feeds: Mapping[str, DataFrame]) -> list[tuple[str, str]]:
    """Returns which kinds of records each feed has, by one query."""
    if not feeds:
        return []
    kinds = [feed.select(F.lit(code).alias("feed_code"), "kind") for code, feed in feeds.items()]
    return sorted((row.feed_code, row.kind) for row in reduce(DataFrame.unionByName, kinds).distinct().collect())


def _part_deliveries(reviews: DataFrame, earlier_reviews: DataFrame, batch: Column) -> dict[str, DataFrame]:
    """Separates first deliveries from redeliveries of a record of this batch or an earlier one."""
    first_delivery = Window.partitionBy("record_id").orderBy("source_file", "source_line")
    known = rows_that_share(earlier_reviews.select("record_id"), reviews, "record_id").withColumn(
        "is_known", F.lit(True)
    )
    typed = (
        reviews.withColumn("delivery", F.row_number().over(first_delivery))
        .join(known, on="record_id", how="left")
        .withColumn("is_redelivered", F.col("is_known").isNotNull() | (F.col("delivery") > 1))
        .withColumn("batch_id", batch)
        .persist(StorageLevel.DISK_ONLY)  # earlier batches are read once
    )
    out = {"bronze_reviews": typed.where("NOT is_redelivered").select(*TABLES["bronze_reviews"].columns.names)}
    redelivered = typed.where("is_redelivered").select(*TABLES["bronze_redeliveries"].columns.names)
    return out if redelivered.isEmpty() else {**out, "bronze_redeliveries": redelivered}


def _parse_feed(
    spark: SparkSession, slices: Sequence[Row], feed_code: str, erased: Erased, config: Config
) -> DataFrame:
    """Parses all records of a feed's slices.

    The columns: those of its bronze table, raw_record, reasons (empty for a good record) and kind.
    """
    table = {"reviews": "bronze_reviews", "gold_labels": "bronze_gold_labels"}[feed_code]
    fields = [field for field in TABLES[table].columns if field.name != "batch_id"]
    schema = StructType.fromJson(StructType(fields).jsonValue())
    for field in schema.fields:
        field.nullable = True  # a refused record has no values
    schema = (
        schema.add("raw_record", StringType()).add("reasons", ArrayType(StringType())).add("is_erased", BooleanType())
    )
    landing, source, zone = config.paths.landing, config.ingest.source, config.timezone

    def read_files(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for part in batch.to_pylist():
                parse = parser_of(feed_code, source, zone)
                location = posixpath.join(landing, part["path"])
                records = _slice(location, part, feed_code)
                yield from _to_arrow(_parse_all(records, parse, part, erased), schema)

    files = [
        (part.path, part.format_code, part.first_row, part.last_row) for part in slices if part.format_code != "delta"
    ]
    tasks = spark.createDataFrame(files, _SLICE).coalesce(1).repartition(max(1, len(files)))  # one task a file
    parsed = tasks.mapInArrow(read_files, schema)
    delta_paths = [part.path for part in slices if part.format_code == "delta"]
    for folder in delta_folders(landing, delta_paths):
        parsed = parsed.unionByName(
            _parse_delta(spark.read.format("delta").load(folder), delta_paths, feed_code, erased, config, schema)
        )
    kind = F.when(F.col("is_erased"), "erased").when(F.size("reasons") > 0, "refused").otherwise("good")
    return parsed.withColumn("kind", kind).drop("is_erased").persist(StorageLevel.DISK_ONLY)


def _slice(location: str, part: Mapping[str, Any], feed_code: str) -> Iterator[SourceRecord]:
    """Yields the file's records from its first, for their occurrence numbers, to the last one of the slice."""
    try:
        for record in read_records(location, part["format_code"], REQUIRED_COLUMNS[feed_code]):
            if record.ordinal > part["last_row"]:
                return
            yield record
    except UnreadableFileError:
        # Only an accepted file can be damaged here. The slice is what could be read.
        return


def _parse_all(
    records: Iterator[SourceRecord], parse: Any, part: Mapping[str, Any], erased: Erased
) -> Iterator[dict[str, Any]]:
    for record in records:
        parsed = parse(record.values) if record.values is not None else Parsed({}, (record.reason or "malformed",))
        if record.ordinal >= part["first_row"]:
            yield _row(parsed, record.raw, part["path"], record.line, erased)


def _row(parsed: Parsed, raw: str, path: str, line: int, erased: Erased) -> dict[str, Any]:
    position = {"source_file": path, "source_line": line}
    if is_erased(parsed, raw, erased) or (path, line) in erased.places:
        return {**position, "is_erased": True}
    return {
        **parsed.values,
        **position,
        "raw_record": raw if parsed.reasons else None,
        "reasons": list(parsed.reasons),
        "is_erased": False,
    }


def is_erased(parsed: Parsed, raw: str, erased: Erased) -> bool:
    """Checks whether a record is of an erased user or review; a malformed record is if it names one."""
    if parsed.reasons:
        return erased.is_named_in(raw)
    values = parsed.values
    source = values.get("review_source") if "task" in values else values.get("source")
    return erased.has_user(values.get("user_id"), source) or erased.has_review(values["review_id"], source)


def _to_arrow(rows: Iterator[dict[str, Any]], schema: StructType) -> Iterator[pa.RecordBatch]:
    out = arrow_schema(schema)
    chunk: list[dict[str, Any]] = []
    for row in rows:
        if "extra" in row:
            row["extra"] = list(row["extra"].items())
        chunk.append(row)
        if len(chunk) == _ROWS:
            yield pa.RecordBatch.from_pylist(chunk, out)
            chunk = []
    if chunk:
        yield pa.RecordBatch.from_pylist(chunk, out)


def _parse_delta(
    table: DataFrame, paths: list[str], feed_code: str, erased: Erased, config: Config, schema: StructType
) -> DataFrame:
    """Reads records of a Delta table's files by Spark, so that deletion vectors and column mapping apply."""
    landing, source, zone = config.paths.landing, config.ingest.source, config.timezone
    by_uri = {uri: relative_path(uri, landing) for uri in table.inputFiles()}
    uris = [uri for uri, path in by_uri.items() if path in paths]
    rows = (
        table.select(
            F.col("_metadata.file_path").alias("file"),
            # Delta has no row index. One task reads a block in order, so these two columns order a file's records.
            F.col("_metadata.file_block_start").alias("block"),
            F.monotonically_increasing_id().alias("row_order"),
            F.to_json(F.struct(*[F.col(name) for name in table.columns])).alias("raw"),
        )
        .where(F.col("file").isin(uris))
        # a file's records are in one task and in order, because occurrence numbers are counted
        .repartition("file")
        .sortWithinPartitions("file", "block", "row_order")
    )

    def parse_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        parsers: dict[str, Any] = {}
        lines: Counter[str] = Counter()
        for batch in batches:
            parsed_rows = []
            for row in batch.to_pylist():
                file = row["file"]
                lines[file] += 1
                parse = parsers.setdefault(file, parser_of(feed_code, source, zone))
                parsed = parse(orjson.loads(row["raw"]))
                parsed_rows.append(_row(parsed, row["raw"], relative_path(file, landing), lines[file], erased))
            yield from _to_arrow(iter(parsed_rows), schema)

    return rows.mapInArrow(parse_rows, schema)
