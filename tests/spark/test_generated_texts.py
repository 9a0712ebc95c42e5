"""Tests tables of generated texts: constraints, publishing, export, gallery and erasure."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import ConfigError, DataQualityError
from reviewgen_spark.operations.erasure.deletion import delete_derived
from reviewgen_spark.operations.erasure.erasure_run import ErasureRun
from reviewgen_spark.operations.erasure.request import ErasureRequest
from reviewgen_spark.operations.text_export import TextExport, export_texts
from reviewgen_spark.orchestration.erasure_log import ErasureLog
from reviewgen_spark.orchestration.runner import Run, open_run
from reviewgen_spark.reports.gallery import choose_texts, read_gallery, render
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.generated import TABLES as GENERATED
from reviewgen_spark.text.requests.provenance import VISIBLE_LABELS, aigc_metadata, labelled, parse_aigc
from reviewgen_spark.transforms.views import VIEWS, published_texts
from reviewgen_spark.warehouse.tables import Warehouse

NAMES = [table.name for table in GENERATED]
ERROR = {"class": "CheckError", "message": "superlatives", "stage": "generate"}


def text_row(text_id: str, purpose: str, text: str | None, **values: Any) -> dict[str, Any]:
    lang_code = values.get("lang_code", "zh")
    row = {
        "text_id": text_id,
        "purpose": purpose,
        "product_id": "p1",
        "lang_code": lang_code,
        "text": text,
        "visible_label": VISIBLE_LABELS[lang_code],
        "is_synthetic": True,
        "aigc": aigc_metadata(text, text_id, "某店").to_json(),
        "model_name": "template",
        "model_version": 1,
        "prompt_fingerprint": "f",
        "seed": 7,
        "decoding": "{}",
        "source_record_ids": ["r1"],
        "checks": [{"name": "length", "score": 0.0, "is_passed": True, "reason": None}],
        "attempt_count": 1,
        "fingerprint": "x",
        "batch_id": 1,
        "claims": [],
    }
    return {**row, **values}


COPY, NEWER = text_row("c1", "product_copy", "旧的介绍"), text_row("c2", "product_copy", "新的介绍", batch_id=2)
GENERATED_ROWS = [
    COPY,
    NEWER,
    text_row("c3", "product_copy", "A light headset.", lang_code="en", source_record_ids=[]),
    text_row("c4", "product_copy", "销量第一", product_id="p2", error=ERROR, checks=[
        {"name": "superlatives", "score": 0.5, "is_passed": False, "reason": "claims 第一"}]),
    text_row("c5", "product_copy", None, product_id="p3", error=ERROR),
    text_row("a1", "augmentation", "屏幕不错", record_id="r2", source_record_ids=["r2"]),
    text_row("a2", "augmentation", "电池不行", record_id="r3", source_record_ids=["r3"], product_id="p2"),
]  # fmt: skip
REPLIES = [
    text_row("r1", "reply", "很抱歉", record_id="r1"),
    text_row("r2", "reply", "非常抱歉", record_id="r3", product_id="p2", source_record_ids=["r3"]),
]
SUMMARIES = [
    text_row("s1", "summary", "多数顾客满意", source_record_ids=["r1", "r2"]),
    text_row("s2", "summary", "顾客提到电池", product_id="p2", source_record_ids=["r4"]),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Config:
    root = tmp_path_factory.mktemp("generated")
    return load_config("local", [f"paths.root={root}", "lease.ttl_s=3600", "provenance.content_propagator=某平台"])


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, settings: Config) -> Warehouse:
    filled = Warehouse(spark, settings)
    filled.converge(["ops_stage_runs", *NAMES, "silver_reviews"])
    for name, rows in zip(NAMES, (GENERATED_ROWS, REPLIES, SUMMARIES), strict=True):
        filled.append(name, filled.rows(name, rows))
    reviews = [
        {"record_id": f"r{n}", "review_id": f"v{n}", "product_id": "p1", "text_clean": f"评论<b>{n}</b>", "batch_id": 1}
        for n in (1, 2)
    ]
    created = filled.rows("silver_reviews", reviews).withColumn("created_at", F.to_timestamp(F.lit("2026-01-05")))
    filled.append("silver_reviews", created)
    return filled


@contextmanager
def running(spark: SparkSession, settings: Config) -> Iterator[Run]:
    with open_run(spark, settings, report=lambda line: None) as run:
        yield run


def test_constraints_accept_good_rows_and_reject_bad_ones(warehouse: Warehouse) -> None:
    good = {name: rows[0] for name, rows in zip(NAMES, (GENERATED_ROWS, REPLIES, SUMMARIES), strict=True)}
    wrong: list[dict[str, Any]] = [
        {"purpose": "draft_for_verified_buyer"},
        {"purpose": "customer_review"},
        {"lang_code": "de"},
        {"is_synthetic": False},
        {"visible_label": ""},
        {"aigc": "{}"},
        {"aigc": "no json"},
        {"aigc": aigc_metadata("x", "another", "shop").to_json()},
        {"attempt_count": 0},
    ]
    fields = asdict(aigc_metadata("x", "t", "shop"))
    wrong += [{"aigc": json.dumps({"AIGC": {k: v for k, v in fields.items() if k != field}})} for field in fields]
    wrong.append({"aigc": json.dumps({"AIGC": {**fields, "Label": "2"}})})
    for name in NAMES:
        every = F.expr(" AND ".join(f"coalesce({condition}, false)" for condition in TABLES[name].checks.values()))
        rows = warehouse.rows(name, [good[name], *({**good[name], "text_id": "t", **values} for values in wrong)])
        assert [row.holds for row in rows.select(every.alias("holds")).collect()] == [True] + [False] * len(wrong)


def test_delta_rejects_an_unlabelled_row_without_showing_its_text(warehouse: Warehouse) -> None:
    bare = {**COPY, "aigc": '{"AIGC": {}}', "text": "秘密的文字"}
    before = warehouse.version("gold_generated_texts")
    with pytest.raises(Exception, match="DELTA_VIOLATE_CONSTRAINT_WITH_VALUES") as raised:
        warehouse.append("gold_generated_texts", warehouse.rows("gold_generated_texts", [bare]))
    assert "秘密" not in str(raised.value)
    assert warehouse.version("gold_generated_texts") == before
    required = {column.name for column in TABLES["gold_generated_texts"].columns if not column.nullable}
    assert required == set(TABLES["gold_generated_texts"].columns.names) - {"record_id", "text", "error", "meta"}


def test_published_texts_are_labelled_checked_and_newest(warehouse: Warehouse) -> None:
    rows = {row.text_id: row for row in published_texts(*map(warehouse.read, NAMES)).collect()}
    assert set(rows) == {"c2", "c3", "r1", "r2", "s1", "s2"}
    assert rows["c2"].text == "【AI生成】新的介绍"
    assert rows["c3"].text == "[AI-generated] A light headset."
    for row in rows.values():  # the view and the export add the same label
        bare = row.text.removeprefix(row.visible_label).lstrip()
        assert row.text == labelled(bare, row.lang_code)
        assert parse_aigc(row.aigc).fits(bare)


def test_generated_texts_are_in_no_table_or_view_of_reviews(spark: SparkSession) -> None:
    for view, build in VIEWS.items():
        tables_read: set[str] = set()

        def read(name: str, tables_read: set[str] = tables_read) -> DataFrame:
            tables_read.add(name)
            return spark.createDataFrame([], TABLES[name].columns)

        build(read, {})
        generated = tables_read & set(NAMES)
        assert not generated or (view == "gold_published_texts" and tables_read == set(NAMES)), view
    for name, table in TABLES.items():
        if name not in NAMES:
            assert not {"is_synthetic", "aigc", "text_id"} & set(table.columns.names), name
            assert table.stage not in ("generate", "reply", "summarise"), name


def exported(folder: Path, name: str = "texts.jsonl") -> dict[str, dict[str, Any]]:
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    return {row["text_id"]: row for row in map(json.loads, lines)}


def test_an_export_is_labelled_recorded_and_complete(
    spark: SparkSession, settings: Config, warehouse: Warehouse, tmp_path: Path
) -> None:
    with running(spark, settings) as run:
        done = export_texts(run, TextExport(tmp_path / "plain"))
        every = TextExport(tmp_path / "stripped", ("product_copy", "augmentation"), "csv", True, "for the archive")
        export_texts(run, every)
        run_id = run.run_id
        log = warehouse.read("ops_text_exports").orderBy("at").collect()
        changed = {**REPLIES[0], "text_id": "r9", "aigc": aigc_metadata("另一个", "r9", "某店").to_json()}
        bad = warehouse.rows("gold_review_replies", [changed])
        warehouse.append("gold_review_replies", bad)
        with pytest.raises(DataQualityError, match="text r9: does not fit") as raised:
            export_texts(run, TextExport(tmp_path / "changed", ("reply",)))
        warehouse.delete("gold_review_replies", bad, ("text_id",))
    assert "抱歉" not in str(raised.value)
    assert warehouse.read("ops_text_exports").count() == len(log) + 1  # recorded before the first line was written
    rows = exported(tmp_path / "plain")
    assert set(rows) == {"c2", "c3", "r1", "r2", "s1", "s2"}
    assert done.text_counts == {"product_copy": 2, "reply": 2, "summary": 2}
    assert rows["c2"]["text"] == "【AI生成】新的介绍"
    aigc = rows["c2"]["AIGC"]
    assert (aigc["Label"], aigc["ContentProducer"], aigc["ProduceID"]) == ("1", "某店", "c2")
    assert (aigc["ContentPropagator"], aigc["PropagateID"]) == ("某平台", f"{run_id}/c2")
    assert not (tmp_path / "plain" / "training.jsonl").exists()
    manifest = json.loads((tmp_path / "stripped" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["is_stripped"] and manifest["text_counts"] == {"product_copy": 2, "augmentation": 2}
    with (tmp_path / "stripped" / "texts.csv").open(encoding="utf-8") as file:
        bare = {row["text_id"]: row for row in csv.DictReader(file)}
    assert bare["c2"]["text"] == "新的介绍" and "AIGC" not in bare["c2"]
    with (tmp_path / "stripped" / "training.csv").open(encoding="utf-8") as file:
        assert {row["text"] for row in csv.DictReader(file)} == {"屏幕不错", "电池不行"}
    assert [(row.is_stripped, row.reason, row.text_counts) for row in log] == [
        (False, None, {"product_copy": 2, "reply": 2, "summary": 2}),
        (True, "for the archive", {"product_copy": 2, "augmentation": 2}),
    ]
    assert all(row.user_name and row.table_versions for row in log)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "stripped"]


def test_stripping_needs_a_reason_and_a_folder_must_be_empty(tmp_path: Path) -> None:
    for reason in (None, " "):
        with pytest.raises(ConfigError, match="--reason"):
            TextExport(tmp_path / "out", is_stripped=True, reason=reason)
    with pytest.raises(ConfigError, match="never exported"):
        TextExport(tmp_path / "out", ("draft_for_verified_buyer",))
    (tmp_path / "file").touch()
    for occupied in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConfigError, match="empty or absent folder"):
            TextExport(occupied)


def test_the_gallery_shows_every_purpose_with_its_sources(warehouse: Warehouse) -> None:
    gallery = read_gallery(warehouse, 100)
    shown = {text.text_id: text for text in gallery.texts}
    assert len(shown) == len(GENERATED_ROWS) + len(REPLIES) + len(SUMMARIES)
    assert gallery.totals == {"augmentation": (2, 0), "product_copy": (5, 2), "reply": (2, 0), "summary": (2, 0)}
    assert shown["s1"].sources == ("评论<b>1</b>", "评论<b>2</b>")
    assert (shown["s2"].sources, shown["s2"].source_count) == ((), 1)
    assert shown["c4"].failed == ("superlatives",)
    page = render(gallery)
    assert "评论&lt;b&gt;1&lt;/b&gt;" in page and "【AI生成】</span>旧的介绍" in page
    some = choose_texts(warehouse.read("gold_generated_texts"), 3).collect()
    assert {(row.purpose, row.error is None) for row in some} == {
        ("augmentation", True),
        ("product_copy", True),
        ("product_copy", False),
    }


def test_erasure_deletes_texts_made_from_a_record(spark: SparkSession, settings: Config, warehouse: Warehouse) -> None:
    warehouse.converge(["bronze_reviews", "silver_review_clusters", "ops_erasures"])
    bronze = {"record_id": "r1", "review_id": "v1", "product_id": "p1", "user_id": "u", "source": "shop", "batch_id": 1}
    rows = warehouse.rows("bronze_reviews", [bronze])
    warehouse.append("bronze_reviews", rows.withColumn("created_at", F.to_timestamp(F.lit("2026-01-05"))))
    with running(spark, settings) as run:
        # Only this step: a whole erasure takes a minute, and tests/spark/test_erasure.py tests it.
        erasing = ErasureRun(run, ErasureLog(warehouse, run.run_id), b"key", ErasureRequest())
        erasing.rows = [Row(record_id="r1", review_id="v1", user_id="u", batch_id=1, source="shop")]
        erasing.tables = ["ops_text_exports", *NAMES]
        delete_derived(erasing)
    remaining = {name: {row.text_id for row in warehouse.read(name).collect()} for name in NAMES}
    assert remaining == {
        "gold_generated_texts": {"a1", "a2"},  # c3 has no source, but may contain words of the record
        "gold_review_replies": {"r2"},
        "gold_product_summaries": {"s2"},
    }
    assert len(erasing.outcome.exports) == 3
    assert "texts were exported, perhaps made from the records" in "\n".join(erasing.outcome.lines())
