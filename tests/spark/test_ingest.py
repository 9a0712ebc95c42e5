"""Ingest of a landing folder as shops fill it: good rows arrive, bad ones are named, and no file stops another."""

import csv
import gzip
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from reviewgen_spark.jobs.ingest import STAGE

from reviewgen_spark.config import Config, IngestSection, load_config
from reviewgen_spark.errors import ConfigError, StageError
from reviewgen_spark.operations.status import decide_file
from reviewgen_spark.orchestration.delivery_gate import undecided_files
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.ingest.listing import list_deliveries
from reviewgen_spark.warehouse.tables import Warehouse

NAMES = ("review_id", "product_id", "user_id", "rating", "text", "created_at")
COLUMNS = ", ".join(f"{name} string" for name in NAMES)


def rows(key: str, count: int = 6) -> list[tuple[str, ...]]:
    return [
        (f"{key}-{n}", f"P-{key}", f"u{n}", str(n % 5 + 1), f"第{n}条，电池一般，联系我", "2026-01-05T10:00:00")
        for n in range(count)
    ]


def as_csv(key: str, count: int = 6) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([NAMES, *rows(key, count)])
    return out.getvalue()


def as_lines(key: str, count: int = 6) -> str:
    return "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows(key, count))


def ingest(spark: SparkSession, config: Config, stage: Stage = STAGE) -> list[str]:
    """Runs the stage; returns its lines of progress."""
    lines: list[str] = []
    with open_run(spark, config, report=lines.append) as run:
        run.pipeline([stage])
    return lines


def good_rows(warehouse: Warehouse) -> Counter[str]:
    """Returns the number of good reviews by the key in their product."""
    counts = warehouse.read("bronze_reviews").groupBy("product_id").count().collect()
    return Counter({row.product_id.removeprefix("P-"): row["count"] for row in counts})


def quarantine(warehouse: Warehouse) -> dict[str, Counter[str]]:
    """Returns the reasons of refused records, and how often each came, by file."""
    found: dict[str, Counter[str]] = {}
    for row in warehouse.read("bronze_reviews_quarantine").collect():
        found.setdefault(row.source_file, Counter()).update(row.reasons)
    return found


def write_delta(spark: SparkSession, folder: Path, key: str, **options: str) -> None:
    writer = spark.createDataFrame(rows(key), COLUMNS).coalesce(1).write.format("delta")
    partition = options.pop("partition", None)
    for name, value in options.items():
        writer = writer.option(name, value)
    (writer.partitionBy(partition) if partition else writer).save(str(folder))


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[tuple[Config, list[str]]]:
    """A warehouse after one run over every kind of delivery at once; the lines of the run."""
    root = tmp_path_factory.mktemp("it's a root 50%")
    reviews = root / "landing" / "reviews"
    reviews.mkdir(parents=True)
    outside = root / "outside.csv"
    outside.write_text(as_csv("outside"), encoding="utf-8")

    # good deliveries
    (reviews / "gbk.csv").write_bytes(as_csv("gbk").encode("gbk"))
    traditional = as_csv("big5").translate(str.maketrans("条电联", "條電聯"))
    (reviews / "big5.csv").write_bytes(traditional.encode("big5"))
    (reviews / "utf16.tsv").write_bytes(as_csv("utf16").replace(",", "\t").encode("utf-16"))
    (reviews / "semicolons.csv").write_text(as_csv("semicolons").replace(",", ";") + "\n\n", encoding="utf-8")
    (reviews / "array.json").write_text(
        json.dumps([dict(zip(NAMES, row, strict=True)) for row in rows("array")], indent=2)
    )
    (reviews / "lines.ndjson").write_text(as_lines("lines"))
    table = pa.table(dict(zip(NAMES, map(list, zip(*rows("packed"), strict=True)), strict=True)))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    (reviews / "packed.parquet.gz").write_bytes(gzip.compress(buffer.getvalue()))
    (reviews / "link inside.csv").symlink_to(reviews / "gbk.csv")  # the same records again
    write_delta(spark, reviews / "a table" / "with a blank", "delta_blank")
    write_delta(spark, reviews / "t#1", "delta_hash")
    write_delta(spark, reviews / "by product", "delta_product/a %:b", partition="product_id")
    mapped = reviews / "mapped"
    spark.sql(
        f"CREATE TABLE delta.`{mapped}` ({COLUMNS}) USING delta TBLPROPERTIES ('delta.columnMapping.mode'='name')"
    )
    spark.createDataFrame(rows("delta_mapped"), COLUMNS).write.format("delta").mode("append").save(str(mapped))
    spark.sql(f"DELETE FROM delta.`{mapped}` WHERE review_id = 'delta_mapped-3'")

    # records that are refused
    stray = as_csv("stray").splitlines()
    stray[2] = stray[2].replace("第1条", '"第1条')
    (reviews / "stray.csv").write_text("\n".join(stray) + "\n", encoding="utf-8")
    deep = {**dict(zip(NAMES, rows("deep", 1)[0], strict=True)), "x": json.loads("[" * 300 + "]" * 300)}
    (reviews / "deep.jsonl").write_text(json.dumps(deep) + "\n" + as_lines("deep"))
    (reviews / "long.jsonl").write_text('{"text": "' + "x" * 9_000_000 + '"}\n' + as_lines("long"))

    # files that are refused whole
    (reviews / "no header.csv").write_text(as_csv("headless").partition("\n")[2], encoding="utf-8")
    (reviews / "bad dates.csv").write_text(as_csv("dates").replace("2026-01-05T10:00:00", "gestern"), encoding="utf-8")
    (reviews / "bomb.jsonl.gz").write_bytes(gzip.compress(b'{"a": "%s"}\n' % (b"x" * 9_000) * 12_000))
    (reviews / "cut.parquet").write_bytes(buffer.getvalue()[:-20])
    (reviews / "link.csv").symlink_to(outside)
    (reviews / "nowhere.csv").symlink_to(root / "nothing")
    (Path(os.fsdecode(os.fsencode(reviews) + b"/caf\xe9.csv"))).write_text(as_csv("latin"))
    (reviews / "half table" / "_delta_log").mkdir(parents=True)

    # files that are not read
    (reviews / "_temporary" / "0").mkdir(parents=True)
    (reviews / "_temporary" / "0" / "part.csv").write_text(as_csv("unfinished"))
    (reviews / ".snapshot").mkdir()
    (reviews / ".snapshot" / "old.csv").write_text(as_csv("unfinished"))
    (reviews / "letter.docx").write_text("x")
    os.mkfifo(reviews / "pipe.csv")

    config = load_config("local", [f"paths.root={root}"])
    yield config, ingest(spark, config)


@pytest.fixture
def warehouse(spark: SparkSession, delivered: tuple[Config, list[str]]) -> Warehouse:
    return Warehouse(spark, delivered[0])


def test_all_good_rows_arrive(warehouse: Warehouse) -> None:
    assert good_rows(warehouse) == {
        "gbk": 6,
        "big5": 6,
        "utf16": 6,
        "semicolons": 6,
        "array": 6,
        "lines": 6,
        "packed": 6,
        "delta_blank": 6,
        "delta_hash": 6,
        "delta_product/a %:b": 6,
        "delta_mapped": 5,
        "stray": 5,
        "deep": 6,
        "long": 6,
    }
    texts = warehouse.read("bronze_reviews").where("product_id IN ('P-gbk', 'P-utf16', 'P-array')").collect()
    assert {row.text_raw for row in texts} == {row[4] for row in rows("")}
    assert warehouse.read("bronze_redeliveries").count() == 6, "of the link inside the landing folder"


def test_bad_records_and_files_are_named_in_the_quarantine(warehouse: Warehouse) -> None:
    whole = Counter(file_rejected=1)
    assert quarantine(warehouse) == {
        "reviews/stray.csv": Counter(unclosed_quote=1),
        "reviews/deep.jsonl": Counter(extra_too_deep=1),
        "reviews/long.jsonl": Counter(record_too_long=1),
        "reviews/no header.csv": whole,
        "reviews/bad dates.csv": whole,
        "reviews/bomb.jsonl.gz": whole,
        "reviews/cut.parquet": whole,
        "reviews/link.csv": whole,
        "reviews/nowhere.csv": whole,
        "reviews/caf\\xe9.csv": whole,
        "reviews/half table": whole,
    }


def test_a_refused_file_has_its_reason_and_none_of_its_content(
    warehouse: Warehouse, delivered: tuple[Config, Any]
) -> None:
    details = {row.path.removeprefix("reviews/"): row.detail for row in undecided_files(warehouse, delivered[0])}
    assert details["no header.csv"].startswith(
        "required columns missing: product_id, text, created_at; known columns found: none, of 6 in all."
    )
    assert (
        "6 of 6 records are malformed: most often created_at_wrong_type (6, the first is record 1)"
        in details["bad dates.csv"]
    )
    assert "unpacks to more than" in details["bomb.jsonl.gz"]
    assert details["link.csv"].startswith("a link out of the landing folder")
    assert details["half table"].startswith("no Delta table that can be read")
    assert "not UTF-8" in details["caf\\xe9.csv"]
    assert not any(word in detail for detail in details.values() for word in ("联系", "headless-", "u1", "gestern"))


def test_a_file_without_a_readable_record_cannot_be_accepted(
    warehouse: Warehouse, delivered: tuple[Config, list[str]]
) -> None:
    with pytest.raises(ConfigError, match="nothing of it can be read"):
        decide_file(warehouse, "reviews/no header.csv", "accept")
    decide_file(warehouse, "reviews/bad dates.csv", "accept")
    assert "reviews/no header.csv" in {row.path for row in undecided_files(warehouse, delivered[0])}


def test_files_of_unknown_kinds_are_mentioned(delivered: tuple[Config, list[str]]) -> None:
    assert "[ingest] warning: 1 files of unknown kinds are not read: reviews/letter.docx" in delivered[1]


def test_the_next_run_finds_nothing_new(spark: SparkSession, delivered: tuple[Config, list[str]]) -> None:
    ingest(spark, delivered[0])  # the file that was accepted above
    lines = ingest(spark, delivered[0])
    assert "[ingest] nothing to do" in lines
    assert not any("new files" in line for line in lines)


def test_a_table_that_was_half_written_is_read_when_it_is_whole(
    spark: SparkSession, warehouse: Warehouse, delivered: tuple[Config, list[str]]
) -> None:
    folder = Path(delivered[0].paths.landing) / "reviews" / "half table"
    shutil.rmtree(folder)
    write_delta(spark, folder, "delta_late")
    ingest(spark, delivered[0])
    assert good_rows(warehouse)["delta_late"] == 6
    assert "reviews/half table" not in {row.path for row in undecided_files(warehouse, delivered[0])}


def test_a_file_beside_a_delta_table_is_read(spark: SparkSession, tmp_path: Path) -> None:
    reviews = tmp_path / "landing" / "reviews"
    write_delta(spark, reviews, "delta_root")
    (reviews / "beside.csv").write_text(as_csv("beside"))
    config = load_config("local", [f"paths.root={tmp_path}"])
    ingest(spark, config)
    assert good_rows(Warehouse(spark, config)) == {"delta_root": 6, "beside": 6}


def test_a_shallow_clone_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    source, landing = tmp_path / "source", tmp_path / "landing"
    write_delta(spark, source, "cloned")
    spark.sql(f"CREATE TABLE delta.`{landing / 'reviews' / 'clone'}` SHALLOW CLONE delta.`{source}`")
    [delivery] = list_deliveries(spark, str(landing), IngestSection())
    assert delivery.path == "reviews/clone"
    assert delivery.fault is not None and "deliver a deep clone" in delivery.fault


def test_a_landing_folder_that_is_not_there_is_an_error(spark: SparkSession, config: Config) -> None:
    with pytest.raises(StageError, match=r"/reviews does not exist\. Create or mount it"):
        ingest(spark, config)


def test_a_file_that_changes_between_its_scan_and_its_reading(spark: SparkSession, tmp_path: Path) -> None:
    reviews = tmp_path / "landing" / "reviews"
    reviews.mkdir(parents=True)
    config = load_config("local", [f"paths.root={tmp_path}"])
    warehouse = Warehouse(spark, config)
    names = ("good", "removed", "cut", "replaced")
    for name in names:
        (reviews / f"{name}.csv").write_text(as_csv(name, 20))

    def plan(*arguments: Any) -> Any:
        planned = STAGE.plan(*arguments)  # type: ignore[misc]
        status = (reviews / "replaced.csv").stat()
        (reviews / "removed.csv").unlink()
        (reviews / "cut.csv").write_text("".join((reviews / "cut.csv").read_text().splitlines(keepends=True)[:5]))
        (reviews / "replaced.csv").write_text(as_csv("replaced", 20).replace("P-replaced", "P-REPLACED"))
        os.utime(reviews / "replaced.csv", ns=(status.st_atime_ns, status.st_mtime_ns))  # size and time are the same
        return planned

    with pytest.raises(StageError, match=r"3 files were removed or changed") as error:
        ingest(spark, config, replace(STAGE, plan=plan))
    for name in ("removed", "cut", "replaced"):
        assert f"{name}.csv" in str(error.value)
    assert not good_rows(warehouse), "nothing of the batch was written"

    lines = ingest(spark, config)
    assert good_rows(warehouse) == {"good": 20, "cut": 4, "REPLACED": 20}
    assert any("removed.csv: the file was removed" in line and "deliver it again" in line for line in lines)
    (reviews / "removed.csv").write_text(as_csv("removed", 20))  # the same bytes
    ingest(spark, config)
    assert good_rows(warehouse) == {"good": 20, "cut": 4, "REPLACED": 20, "removed": 20}
    assert "[ingest] nothing to do" in ingest(spark, config)


def test_a_correction_is_no_redelivery(spark: SparkSession, tmp_path: Path) -> None:
    reviews = tmp_path / "landing" / "reviews"
    reviews.mkdir(parents=True)
    config = load_config("local", [f"paths.root={tmp_path}"])
    warehouse = Warehouse(spark, config)
    review = {"review_id": "r", "product_id": "P", "text": "好", "rating": 5, "created_at": "2026-01-05"}
    other = {**review, "review_id": "other"}

    def deliver(name: str, *records: dict[str, Any]) -> tuple[int, int]:
        (reviews / name).write_text("".join(json.dumps(record) + "\n" for record in records))
        ingest(spark, config)
        return warehouse.read("bronze_reviews").count(), warehouse.read("bronze_redeliveries").count()

    assert deliver("1.jsonl", review, other) == (2, 0)
    assert deliver("2.jsonl", {**review, "category": "手机"}, other) == (3, 1)
    assert deliver("3.jsonl", {**review, "category": "手机"}, review) == (3, 3)
    corrections = [
        {**review, "product_id": "P2"},
        {**review, "updated_at": "2026-02-01"},
        {**review, "product_id": "P2"},
    ]
    assert deliver("4.jsonl", *corrections) == (5, 4)
    ids = [row.record_id for row in warehouse.read("bronze_reviews").collect()]
    assert len(set(ids)) == 5, "each has an id of its own"
