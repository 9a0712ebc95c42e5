"""Ingest: the reserved slices of delivered files, in; typed records, refused ones and redeliveries, out."""

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, StringType, StructType

from reviewgen_spark.config import Config
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.text.erasure import Erased
from reviewgen_spark.transforms.arrow import arrow_schema
from reviewgen_spark.transforms.landing import REQUIRED_COLUMNS, delta_folders, relative_path
from reviewgen_spark.transforms.records import Parsed, ReviewParser, parse_gold_label
from reviewgen_spark.transforms.source_files import SourceRecord, UnreadableFileError, read_records

_ROWS = 4096  # a chunk of output; bounds a worker's memory


def ingest_batch(
    slices: DataFrame, earlier_reviews: DataFrame, erased: Erased, config: Config, batch_id: int
) -> Mapping[str, DataFrame]:
    """Read a batch's slices and part the records.

    Args:
        slices: Rows of ops_source_files of this batch, reserved and rejected.
        earlier_reviews: bronze_reviews of the batches before; what is there already is a redelivery.
        erased: What must stay erased; of such a record nothing but its place is kept.
        config: `paths.landing` and the section `ingest`.
        batch_id: The batch.

    Returns:
        bronze_reviews, bronze_reviews_quarantine, bronze_redeliveries, bronze_gold_labels, bronze_erasures. Every
        record of the slices is in exactly one of them, a rejected file in the quarantine as one row.
    """
    reserved = slices.where(F.col("state") == "reserved")
    feeds = {
        code: _parse_feed(reserved, code, erased, config).persist(StorageLevel.DISK_ONLY) for code in REQUIRED_COLUMNS
    }
    dropped = [
        feed.where("is_erased").select(F.lit(code).alias("feed_code"), "source_file", "source_line")
        for code, feed in feeds.items()
    ]
    reviews, gold = (feeds[code].where("NOT is_erased") for code in ("reviews", "gold_labels"))
    batch = F.lit(batch_id).cast("long").alias("batch_id")

    first_delivery = Window.partitionBy("record_id").orderBy("source_file", "source_line")
    known = earlier_reviews.select("record_id", F.lit(True).alias("is_known"))
    typed = (
        reviews.where(F.size("reasons") == 0)
        .withColumn("delivery", F.row_number().over(first_delivery))
        .join(known, on="record_id", how="left")
        .withColumn("is_redelivered", F.col("is_known").isNotNull() | (F.col("delivery") > 1))
    )
    refused = [
        feed.where(F.size("reasons") > 0).select(
            F.lit(code).alias("feed_code"), "raw_record", "reasons", "source_file", "source_line", batch
        )
        for code, feed in (("reviews", reviews), ("gold_labels", gold))
    ]
    rejected_files = slices.where(F.col("state") == "rejected").select(
        "feed_code",
        F.lit(None).cast("string").alias("raw_record"),
        F.array(F.lit("file_rejected")).alias("reasons"),
        F.col("path").alias("source_file"),
        F.lit(None).cast("long").alias("source_line"),
        batch,
    )
    return {
        "bronze_reviews": typed.where(~F.col("is_redelivered"))
        .withColumn("batch_id", batch)
        .select(*TABLES["bronze_reviews"].columns.names),
        "bronze_reviews_quarantine": refused[0].unionByName(refused[1]).unionByName(rejected_files),
        "bronze_redeliveries": typed.where("is_redelivered").select("record_id", "source_file", "source_line", batch),
        "bronze_gold_labels": gold.where(F.size("reasons") == 0)
        .withColumn("batch_id", batch)
        .select(*TABLES["bronze_gold_labels"].columns.names),
        "bronze_erasures": dropped[0].unionByName(dropped[1]).withColumn("batch_id", batch),
    }


def _parse_feed(reserved: DataFrame, feed_code: str, erased: Erased, config: Config) -> DataFrame:
    """All records of a feed's slices: columns of its bronze table, raw_record, reasons (empty when good), is_erased."""
    table = {"reviews": "bronze_reviews", "gold_labels": "bronze_gold_labels"}[feed_code]
    fields = [field for field in TABLES[table].columns if field.name != "batch_id"]
    schema = StructType.fromJson(StructType(fields).jsonValue())
    for field in schema.fields:
        field.nullable = True  # a refused record has no values
    schema = (
        schema.add("raw_record", StringType()).add("reasons", ArrayType(StringType())).add("is_erased", BooleanType())
    )
    columns = ("path", "format_code", "first_row", "last_row")
    feed = reserved.where((F.col("feed_code") == feed_code) & (F.col("last_row") > 0)).select(*columns)
    landing, source, zone = config.paths.landing, config.ingest.source, config.timezone

    def read_files(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for part in batch.to_pylist():
                parse = _parser(feed_code, source, zone)
                location = posixpath.join(landing, part["path"])
                records = _slice(location, part, feed_code)
                yield from _to_arrow(_parse_all(records, parse, part, erased), schema)

    files = feed.where(F.col("format_code") != "delta")
    tasks = files.coalesce(1).repartition(max(1, files.count()))  # one task a file; a handful of rows to count
    parsed = tasks.mapInArrow(read_files, schema)
    delta_paths = [row.path for row in feed.where(F.col("format_code") == "delta").collect()]
    for folder in delta_folders(landing, delta_paths):
        parsed = parsed.unionByName(
            _parse_delta(
                feed.sparkSession.read.format("delta").load(folder), delta_paths, feed_code, erased, config, schema
            )
        )
    return parsed


def _slice(location: str, part: Mapping[str, Any], feed_code: str) -> Iterator[SourceRecord]:
    """The file's records up to the slice's last; those before its first are read for their occurrence numbers."""
    try:
        for record in read_records(location, part["format_code"], REQUIRED_COLUMNS[feed_code]):
            if record.ordinal > part["last_row"]:
                return
            yield record
    except UnreadableFileError:
        # Only a file that somebody accepted comes here damaged: what could be read is the slice.
        return


def _parse_all(
    records: Iterator[SourceRecord], parse: Any, part: Mapping[str, Any], erased: Erased
) -> Iterator[dict[str, Any]]:
    for record in records:
        parsed = parse(record.values) if record.values is not None else Parsed({}, (record.reason or "malformed",))
        if record.ordinal >= part["first_row"]:
            yield _row(parsed, record.raw, part["path"], record.line, erased)


def _row(parsed: Parsed, raw: str, path: str, line: int, erased: Erased) -> dict[str, Any]:
    place = {"source_file": path, "source_line": line}
    if is_erased(parsed, raw, erased) or (path, line) in erased.places:
        return {**place, "is_erased": True}
    return {
        **parsed.values,
        **place,
        "raw_record": raw if parsed.reasons else None,
        "reasons": list(parsed.reasons),
        "is_erased": False,
    }


def is_erased(parsed: Parsed, raw: str, erased: Erased) -> bool:
    """Whether a record is of an erased user or review; one that cannot be typed is when it names one."""
    if parsed.reasons:
        return erased.is_named_in(raw)
    return erased.has_user(parsed.values.get("user_id")) or erased.has_review(parsed.values["review_id"])


def _parser(feed_code: str, source: str, zone: ZoneInfo) -> Any:
    return ReviewParser(source, zone).parse if feed_code == "reviews" else parse_gold_label


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
    """Records of a Delta table's files, read by Spark so that deletion vectors and column mapping count."""
    landing, source, zone = config.paths.landing, config.ingest.source, config.timezone
    by_uri = {uri: relative_path(uri, landing) for uri in table.inputFiles()}
    wanted = [uri for uri, path in by_uri.items() if path in paths]
    rows = (
        table.select(
            F.col("_metadata.file_path").alias("file"),
            # Delta shows no row index; a block is read by one task in order, so these two order a file's records.
            F.col("_metadata.file_block_start").alias("block"),
            F.monotonically_increasing_id().alias("place"),
            F.to_json(F.struct(*[F.col(name) for name in table.columns])).alias("raw"),
        )
        .where(F.col("file").isin(wanted))
        # a file's records in one task and in order: occurrence numbers are counted
        .repartition("file")
        .sortWithinPartitions("file", "block", "place")
    )

    def parse_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        parsers: dict[str, Any] = {}
        lines: Counter[str] = Counter()
        for batch in batches:
            found = []
            for row in batch.to_pylist():
                file = row["file"]
                lines[file] += 1
                parse = parsers.setdefault(file, _parser(feed_code, source, zone))
                parsed = parse(orjson.loads(row["raw"]))
                found.append(_row(parsed, row["raw"], relative_path(file, landing), lines[file], erased))
            yield from _to_arrow(iter(found), schema)

    return rows.mapInArrow(parse_rows, schema)
