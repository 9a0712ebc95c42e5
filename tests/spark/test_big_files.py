"""Ingest of big files in ranges and pieces, as small ones of few records and tiny ranges."""

import gzip
import io
import json
import random
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

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import StageError
from reviewgen_spark.operations.erasure.erase import erase
from reviewgen_spark.operations.erasure.request import ErasureRequest
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.ingest import range_scan
from reviewgen_spark.transforms.ingest.batch_plan import plan_batches
from reviewgen_spark.transforms.ingest.file_index import index_folder
from reviewgen_spark.transforms.ingest.range_reading import RangeSizes
from reviewgen_spark.transforms.ingest.record_parsing import parser_of
from reviewgen_spark.transforms.ingest.source_files import format_of, read_records
from reviewgen_spark.warehouse.tables import Warehouse

NAMES = ("review_id", "product_id", "user_id", "rating", "text", "created_at")
COLUMNS = ("source_file", "source_line", "record_id", "review_id", "text_raw")


@pytest.fixture(autouse=True)
def tiny_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_scan, "SIZES", RangeSizes(100, 900, 400, 4))


def records(key: str, anonymous_pct: int, count: int = 40) -> list[dict[str, Any]]:
    """Returns reviews of which a share has no id; the anonymous ones are of few texts, so many are equal."""
    draw = random.Random(key)
    return [
        {
            "review_id": None if draw.random() * 100 < anonymous_pct else f"{key}-{number}",
            "product_id": f"P-{key}",
            "user_id": None,
            "rating": "5",
            "text": draw.choice(["默认好评", "好", "一般, 还行"]) if anonymous_pct else f"第{number}条",
            "created_at": "2026-01-05T10:00:00",
        }
        for number in range(count)
    ]


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def as_csv(rows: list[dict[str, Any]]) -> str:
    lines = [",".join(NAMES)]
    lines += [",".join('"' + (row[name] or "") + ('\n"' if name == "text" else '"') for name in NAMES) for row in rows]
    return "\n".join(lines) + "\n"


def as_parquet(rows: list[dict[str, Any]], group_rows: int) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer, row_group_size=group_rows)
    return buffer.getvalue()


def config_of(root: Path, batch_rows: int = 25) -> Config:
    return load_config("local", [f"paths.root={root}", f"ingest.max_rows_per_batch={batch_rows}"])


def ingest(spark: SparkSession, config: Config, stage: Stage = STAGE, max_batches: int | None = None) -> list[str]:
    lines: list[str] = []
    with open_run(spark, config, report=lines.append, max_batches=max_batches) as run:
        run.pipeline([stage])
    return lines


def in_one_pass(config: Config, reviews: Path) -> Counter[tuple[Any, ...]]:
    """Returns what one pass over each file gives: file, line, ids and text, or the reason."""
    rows: Counter[tuple[Any, ...]] = Counter()
    for file in sorted(reviews.iterdir()):
        parse = parser_of("reviews", config.ingest.source, config.timezone)
        kind = format_of(file.name)
        assert kind is not None
        for record in read_records(str(file), kind, "reviews", config.ingest):
            path = f"reviews/{file.name}"
            if record.values is None:
                rows[path, record.line, record.reason] += 1
                continue
            values = parse(record.values).values
            rows[path, record.line, values["record_id"], values["review_id"], values["text_raw"]] += 1
    return rows


def in_warehouse(spark: SparkSession, config: Config) -> Counter[tuple[Any, ...]]:
    warehouse = Warehouse(spark, config)
    reviews = warehouse.read("bronze_reviews")
    rows = Counter(tuple(row) for row in reviews.select(*COLUMNS).collect())
    rows.update(tuple(row) for row in _refused(warehouse))
    return rows


def _refused(warehouse: Warehouse) -> Iterator[tuple[Any, ...]]:
    if warehouse.exists("bronze_reviews_quarantine"):
        for row in warehouse.read("bronze_reviews_quarantine").collect():
            yield row.source_file, row.source_line, row.reasons[0]


def test_pieces_give_the_ids_of_one_pass(spark: SparkSession, tmp_path: Path) -> None:
    reviews = tmp_path / "it's a root 50%" / "landing" / "reviews"
    reviews.mkdir(parents=True)
    (reviews / "some.jsonl").write_bytes(as_lines(records("some", 5))[:-30] + b"\n\n{broken\n")
    (reviews / "all.csv").write_text(as_csv(records("all", 100)))
    (reviews / "array.json").write_text(json.dumps(records("array", 60), indent=1))
    (reviews / "packed.jsonl.gz").write_bytes(gzip.compress(as_lines(records("packed", 50))))
    (reviews / "wide.csv").write_bytes(as_csv(records("wide", 50)).encode("utf-16"))
    (reviews / "groups.parquet").write_bytes(as_parquet(records("groups", 50), 3))
    (reviews / "one group.parquet.gz").write_bytes(gzip.compress(as_parquet(records("group", 50), 99)))
    (reviews / "none.csv").write_text(as_csv(records("none", 0)))
    config = config_of(tmp_path / "it's a root 50%", 90)
    lines = ingest(spark, config)
    assert not [line for line in lines if "warning" in line]
    assert in_warehouse(spark, config) == in_one_pass(config, reviews)
    sizes = Warehouse(spark, config).read("bronze_reviews").groupBy("batch_id").count().collect()
    assert len(sizes) == 4 and max(row["count"] for row in sizes) == 90
    assert not Artifacts(config.paths.artifacts).staging("ingest").exists()


def test_an_index_is_private_used_and_made_anew(spark: SparkSession, tmp_path: Path) -> None:
    """Batches use the index of the scan, also that of a killed run. One that is gone or broken is made anew."""
    reviews = tmp_path / "landing" / "reviews"
    reviews.mkdir(parents=True)
    (reviews / "a.jsonl.gz").write_bytes(gzip.compress(as_lines(records("a", 80))))
    (reviews / "b.csv").write_text(as_csv(records("b", 80)))
    config = config_of(tmp_path, 40)
    folder = index_folder(config)
    assert folder == Artifacts(config.paths.artifacts).staging(STAGE.name)
    times: list[dict[str, int]] = []

    def plan(*arguments: Any) -> Any:
        planned = plan_batches(*arguments)
        assert folder.stat().st_mode & 0o077 == 0
        assert sorted(file.suffix for file in folder.iterdir()) == [".content", ".counts", ".counts", ".json", ".json"]
        return planned

    def run(inputs: Any) -> Any:
        """Damages the index before each batch in another way."""
        match inputs.batch_id:
            case 1:
                times.append({file.name: file.stat().st_mtime_ns for file in folder.glob("*.json")})
            case 2:
                assert times[0] == {file.name: file.stat().st_mtime_ns for file in folder.glob("*.json")}
                next(folder.glob("*.content")).unlink()
                for file in folder.glob("*.json"):
                    file.write_bytes(file.read_bytes()[:50])
            case 3:
                for part in folder.glob("*.counts"):
                    shutil.rmtree(part)
            case 4:
                shutil.rmtree(folder)
        return STAGE.run(inputs)

    ingest(spark, config, replace(STAGE, plan=plan, run=run))
    assert in_warehouse(spark, config) == in_one_pass(config, reviews)


def test_a_run_of_some_batches_and_the_next(spark: SparkSession, tmp_path: Path) -> None:
    reviews = tmp_path / "landing" / "reviews"
    reviews.mkdir(parents=True)
    (reviews / "a.csv.gz").write_bytes(gzip.compress(as_csv(records("a", 100)).encode()))
    config = config_of(tmp_path, 15)
    ingest(spark, config, max_batches=1)
    assert not index_folder(config).exists()
    ingest(spark, config)
    assert in_warehouse(spark, config) == in_one_pass(config, reviews)


def test_a_piece_that_changes_between_its_index_and_its_reading(spark: SparkSession, tmp_path: Path) -> None:
    reviews = tmp_path / "landing" / "reviews"
    reviews.mkdir(parents=True)
    file = reviews / "a.jsonl"
    file.write_bytes(as_lines(records("a", 0)))
    config = config_of(tmp_path)

    def plan(*arguments: Any) -> Any:
        planned = plan_batches(*arguments)
        file.write_bytes(file.read_bytes().replace(b"a-39", b"a-xx").replace(b'a-3"', b'a-4"'))
        return planned

    with pytest.raises(StageError, match=r"1 files were removed or changed .*a\.jsonl"):
        ingest(spark, config, replace(STAGE, plan=plan))
    assert not index_folder(config).exists(), "removed after an error too"
    assert Warehouse(spark, config).read("bronze_reviews").isEmpty()
    ingest(spark, config)
    assert in_warehouse(spark, config) == in_one_pass(config, reviews)


def test_a_cut_gzip_file_is_refused_and_a_good_one_is_read(spark: SparkSession, tmp_path: Path) -> None:
    reviews = tmp_path / "landing" / "reviews"
    reviews.mkdir(parents=True)
    (reviews / "a.csv.gz").write_bytes(gzip.compress(as_csv(records("a", 0)).encode()))
    (reviews / "cut.csv.gz").write_bytes(gzip.compress(as_csv(records("cut", 0)).encode())[:-40])
    config = config_of(tmp_path)
    ingest(spark, config)
    refused = Warehouse(spark, config).read("bronze_reviews_quarantine").collect()
    assert [(row.source_file, row.reasons) for row in refused] == [("reviews/cut.csv.gz", ["file_rejected"])]
    assert Warehouse(spark, config).read("bronze_reviews").count() == 40


def test_an_erasure_between_two_batches_of_a_file(spark: SparkSession, tmp_path: Path) -> None:
    """The file is rewritten, and its index is that of the new bytes. What a killed run left of the old one is gone."""
    reviews = tmp_path / "landing" / "reviews"
    reviews.mkdir(parents=True)
    rows = records("a", 50)
    for row in rows[::5]:
        row["user_id"] = "gone-user"
    (reviews / "a.jsonl").write_bytes(as_lines(rows))
    config = config_of(tmp_path)
    kept = in_one_pass(config, reviews)
    for place in [place for place in kept if (place[1] - 1) % 5 == 0]:
        del kept[place]
    ingest(spark, config, max_batches=1)
    index_folder(config).mkdir(parents=True)
    (index_folder(config) / "left.content").write_text("gone-user")
    with open_run(spark, config, report=lambda line: None) as run:
        erase(run, ErasureRequest(frozenset({"gone-user"}), frozenset()), rewrite_landing=True)
    assert not index_folder(config).exists()
    assert b"gone-user" not in (reviews / "a.jsonl").read_bytes()
    ingest(spark, config)
    reviews_now = Warehouse(spark, config).read("bronze_reviews")
    assert Counter(tuple(row) for row in reviews_now.select(*COLUMNS).collect()) == kept
