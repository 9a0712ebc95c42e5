"""A user and a review are erased from a small warehouse: what goes, what stays, and what a kill on the way changes."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from reviewgen_spark.jobs import generate, keywords
from reviewgen_spark.pipelines import nightly

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.operations.counts import count_records
from reviewgen_spark.operations.erasure.erase import erase
from reviewgen_spark.operations.erasure.request import ErasureOutcome, ErasureRequest
from reviewgen_spark.orchestration.backlog import Force, upstream
from reviewgen_spark.orchestration.erasure_log import open_erasures
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.tables import Warehouse
from tests.spark.conftest import DAY

USER = "customer-5f1e0c"
CANARY = "canaryxq7"
STAGES = (*nightly.PREPARE[:5], keywords.STAGE)  # up to tokens, and a roll-up
REQUEST = ErasureRequest(frozenset({USER}), frozenset({"r-lone"}))


def review(name: str, text: str, day: int, user: str | None = "other", **more: Any) -> dict[str, Any]:
    made = {"review_id": name, "product_id": f"p{day % 3}", "user_id": user, "rating": 5, "title": "", "text": text,
            "created_at": f"2026-01-{day:02d}T10:00:00"}  # fmt: skip
    return {**made, **more}


def fillers(first: int, count: int) -> list[dict[str, Any]]:
    things = ("屏幕", "键盘", "房间", "小说", "电池", "早餐", "快递", "包装")
    return [
        review(
            f"f{n}",
            f"第{n}次购买，{things[n % 8]}不错，{things[n // 8 % 8]}也很满意",
            2 + n % 9,
            f"u{n}",
            rating=1 + n % 5,
        )
        for n in range(first, first + count)
    ]


SHARED = "这家酒店的房间非常干净，早餐种类很多，前台服务也很热情，下次还会再来住"
FIRST = review("r-first", SHARED, 2, USER)
COPY = review("r-copy", SHARED, 3)
NEAR = review("r-near", SHARED + "。赞", 4)
SECRET = review("r-secret", f"我的名字是 {CANARY}，请不要告诉别人，屏幕非常好用", 5, USER, order=CANARY)
EDIT = review("r-secret", f"我的名字是 {CANARY}，修改后的评论，屏幕一般", 6, None, updated_at="2026-01-07T10:00:00")
LONE = review("r-lone", f"{CANARY} 写的另一条评论，只按评论编号删除", 6, "bystander")


def deliver(landing: Path) -> None:
    folder = landing / "reviews"
    folder.mkdir(parents=True)
    (landing / "gold_labels").mkdir()

    def lines(*rows: object) -> str:
        return "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)

    broken = '{"user_id": "' + USER + f'", "text": "{CANARY} ' + "没有写完"
    unfit = {**review("r-unfit", CANARY, 5, USER), "rating": "five"}
    (folder / "a.jsonl").write_text(lines(FIRST, SECRET, "", broken, unfit, *fillers(0, 12)), encoding="utf-8")
    with gzip.open(folder / "b.jsonl.gz", "wt", encoding="utf-8") as packed:
        packed.write(lines(COPY, SECRET, EDIT, LONE, *fillers(12, 10)))
    anonymous = ["", "p1", USER, "4", "", f'"{CANARY}, 没有编号"', "2026-01-08T10:00:00"]
    rows = ["\ufeff" + ",".join(FIRST), ",".join(anonymous)]
    rows += [",".join(str(value) for value in row.values()) for row in fillers(22, 8)]
    (folder / "c.csv").write_text("\r\n".join(rows) + "\r\n", encoding="utf-8")
    table = [NEAR, review("r-pq", f"{CANARY} 在表格文件里", 8, USER), *fillers(30, 8)]
    pq.write_table(pa.Table.from_pylist(table), folder / "d.parquet")
    labels = [{"review_id": name, "task": "sentiment", "label": "positive"} for name in ("r-secret", "f3", "r-copy")]
    (landing / "gold_labels" / "a.jsonl").write_text(lines(*labels), encoding="utf-8")


def configure(root: Path, *overrides: str) -> Config:
    settings = ("ingest.max_rows_per_batch=26", "ingest.max_quarantine_pct=60",
                "keywords.min_reviews=1", "lease.ttl_s=3600", "lease.heartbeat_s=600",
                "tables.parquet_exports=[silver_tokens,silver_reviews]")  # fmt: skip
    return load_config("local", [f"paths.root={root}", *settings, *overrides])


def run(spark: SparkSession, config: Config, *stages: object, force: Force | None = None) -> list[str]:
    lines: list[str] = []
    with open_run(spark, config, force, report=lines.append) as opened:
        opened.pipeline(stages)  # type: ignore[arg-type]
    return [line.split(":")[0] for line in lines if line.endswith("started")]


def erase_in(
    spark: SparkSession, config: Config, request: ErasureRequest, rewrite: bool = False, stop_at: str | None = None
) -> ErasureOutcome:
    def report(line: str) -> None:
        if line == f"[erase] {stop_at}":
            raise KeyboardInterrupt

    with open_run(spark, config, report=report) as opened:
        return erase(opened, request, rewrite)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Path:
    """A warehouse after a night, with labels, a corpus and a model that learnt from it."""
    root = tmp_path_factory.mktemp("night")
    deliver(root / "landing")
    config = configure(root)
    run(spark, config, *STAGES)
    warehouse = Warehouse(spark, config)
    warehouse.converge(["gold_review_labels"])
    tokens = warehouse.read("silver_tokens").select("record_id", "batch_id")
    labels = [{**row.asDict(), "model_name": "m", "model_version": 1, "fingerprint": "x"} for row in tokens.collect()]
    warehouse.append("gold_review_labels", warehouse.rows("gold_review_labels", labels))
    shards = Path(config.paths.artifacts) / "corpus" / "corpus-1" / "train"
    shards.mkdir(parents=True)
    texts = [row.asDict() for row in warehouse.read("silver_reviews").select("record_id", "text_clean").collect()]
    pq.write_table(pa.Table.from_pylist(texts), shards / "0.parquet")
    (shards.parents[1] / "latest").symlink_to("corpus-1")
    model = Path(config.paths.artifacts) / "finetune" / "model-1"
    model.mkdir(parents=True)
    (model / "reviewgen.json").write_text(json.dumps({"corpus_fingerprint": "corpus-1"}), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def erased(night: Path, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> tuple[Config, ErasureOutcome]:
    root = tmp_path_factory.mktemp("erased") / "root"
    shutil.copytree(night, root, symlinks=True)
    config = configure(root)
    return config, erase_in(spark, config, REQUEST, rewrite=True)


@pytest.fixture(scope="module")
def left(erased: tuple[Config, ErasureOutcome], spark: SparkSession) -> dict[str, list[str]]:
    """The rows after the erasure and before the next night."""
    return contents(spark, erased[0])


def contents(spark: SparkSession, config: Config, *layers: str) -> dict[str, list[str]]:
    warehouse = Warehouse(spark, config)
    layers = layers or ("bronze", "silver", "gold")
    names = [name for name in TABLES if name.startswith(layers) and warehouse.exists(name)]
    return {name: sorted(map(str, warehouse.read(name).collect())) for name in names}


def holding(root: Path, *needles: str) -> set[str]:
    """Files that hold a needle, Parquet files read and packed ones unpacked: not by the code that is tested."""
    found = set()
    for file in root.rglob("*"):
        if not file.is_file():
            continue
        content = file.read_bytes()
        if file.suffix == ".parquet":
            content += json.dumps(pq.read_table(file).to_pylist(), default=str, ensure_ascii=False).encode()
        if file.suffix == ".gz":
            content += gzip.decompress(content)
        if any(needle.encode() in content for needle in needles):
            found.add(str(file.relative_to(root)))
    return found


def test_before_it_the_records_are_everywhere(night: Path) -> None:
    found = holding(night, USER, CANARY)
    places = ("landing", "warehouse/bronze_reviews/", "warehouse/bronze_reviews_quarantine/", "warehouse/silver_tokens",
              "warehouse/silver_reviews/_delta_log", "warehouse/gold_product_keywords", "exports/silver_reviews",
              "artifacts/corpus")  # fmt: skip
    for place in places:
        assert any(name.startswith(place) for name in found), place


def test_no_file_holds_them_afterwards(erased: tuple[Config, ErasureOutcome], night: Path, spark: SparkSession) -> None:
    config, outcome = erased
    assert holding(Path(config.paths.root), USER, CANARY, "r-secret", "r-lone") == set()
    assert outcome.leftovers == [] and outcome.landing == [] and len(outcome.rewritten) == 5
    gone = (
        Warehouse(spark, configure(night)).read("bronze_reviews").where(f"user_id = '{USER}' OR review_id = 'r-lone'")
    )
    ids = {row.record_id for row in gone.collect()}
    clusters = {row.cluster_id for row in Warehouse(spark, config).read("silver_review_clusters").collect()}
    assert len(ids & clusters) == 1, "the name of the cluster that went on"
    assert holding(Path(config.paths.root), *(ids - clusters)) == set()
    assert outcome.record_count == 6
    assert str(Path(config.paths.artifacts) / "finetune" / "model-1") in outcome.models


def test_other_rows_are_as_they_were(left: dict[str, list[str]], night: Path, spark: SparkSession) -> None:
    before, after = contents(spark, configure(night)), left
    for name in ("bronze_reviews", "silver_reviews", "silver_tokens", "silver_review_splits", "gold_review_labels"):
        gone = [row for row in before[name] if row not in after[name]]
        assert set(after[name]) < set(before[name]), name
        assert 3 <= len(gone) <= 6, name


def test_the_next_record_takes_the_place_of_the_first(
    erased: tuple[Config, ErasureOutcome], night: Path, spark: SparkSession
) -> None:
    def places(root: Path | str) -> dict[str, Any]:
        warehouse = Warehouse(spark, configure(Path(root)))
        rows = warehouse.read("silver_review_clusters").join(
            warehouse.read("silver_review_splits").select("record_id", "split"), "record_id"
        )
        return {row.review_id: row for row in rows.where("review_id IN ('r-first', 'r-copy', 'r-near')").collect()}

    before, after = places(night), places(erased[0].paths.root)
    assert set(after) == {"r-copy", "r-near"}
    assert {row.cluster_id for row in after.values()} == {before["r-first"].record_id}
    assert {name: row.split for name, row in after.items()} == {name: before[name].split for name in after}
    assert (before["r-copy"].duplicate_of, before["r-copy"].is_first_of_text) == (before["r-first"].record_id, False)
    copy = after["r-copy"]
    assert (copy.duplicate_of, copy.duplicate_kind, copy.is_first_of_text) == (None, None, True)
    assert (after["r-near"].duplicate_of, after["r-near"].duplicate_kind) == (copy.record_id, "near")
    bands = Warehouse(spark, erased[0]).read("silver_minhash_bands").where(f"record_id = '{copy.record_id}'").collect()
    assert len(bands) == 1


def test_a_kill_on_the_way_changes_nothing(
    left: dict[str, list[str]], night: Path, tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "killed"
    shutil.copytree(night, root, symlinks=True)
    config = configure(root)
    edit = Warehouse.edit

    def killed(self: Warehouse, name: str, *rows: Any, **more: Any) -> None:
        if name == "silver_review_clusters":
            raise KeyboardInterrupt  # after the signatures moved and the batch was opened again
        edit(self, name, *rows, **more)

    monkeypatch.setattr(Warehouse, "edit", killed)
    with pytest.raises(KeyboardInterrupt):
        erase_in(spark, config, REQUEST)
    monkeypatch.undo()
    assert "not finished" in open_erasures(Warehouse(spark, config))[0]
    with pytest.raises(KeyboardInterrupt):
        erase_in(spark, config, ErasureRequest(), rewrite=True, stop_at="earlier versions")
    outcome = erase_in(spark, config, ErasureRequest(), rewrite=True)
    assert open_erasures(Warehouse(spark, config)) == []
    assert str(Path(config.paths.artifacts) / "finetune" / "model-1") in outcome.models
    assert contents(spark, config) == left
    assert holding(root, USER, CANARY) == set()


def test_the_next_night_completes_what_stood_on_them_and_counts_add_up(
    erased: tuple[Config, ErasureOutcome], spark: SparkSession
) -> None:
    config, _ = erased
    warehouse = Warehouse(spark, config)
    started = run(spark, config, *STAGES)
    [promoted] = warehouse.read("silver_review_clusters").where("review_id = 'r-copy'").collect()
    redone = {line for line in started if "batch" in line}
    assert redone == {f"[{name}] batch {promoted.batch_id} (1/1)" for name in ("split", "tokens")}
    assert {line for line in started if "whole" in line} == {"[keywords] whole tables"}
    assert warehouse.read("silver_tokens").where(f"record_id = '{promoted.record_id}'").count() == 1
    counts = count_records(warehouse)
    assert counts.faults == []
    assert counts.erased == 10
    assert run(spark, config, *STAGES) == []


def test_a_later_delivery_and_a_rerun_from_landing_stay_erased(
    erased: tuple[Config, ErasureOutcome], night: Path, spark: SparkSession
) -> None:
    config, _ = erased
    warehouse = Warehouse(spark, config)
    before = count_records(warehouse)
    again = [
        review("r-new", "换了一条新评论", 9, USER),
        EDIT,
        LONE,
        review("f-new", "别人的新评论，很好", 9),
        COPY | {"review_id": "r-copy2"},
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in again) + '{"user_id": "' + USER + '"\n'
    (Path(config.paths.landing) / "reviews" / "e.jsonl").write_text(text, encoding="utf-8")
    label = json.dumps({"review_id": "r-secret", "task": "sentiment", "label": "negative"})
    (Path(config.paths.landing) / "gold_labels" / "e.jsonl").write_text(label, encoding="utf-8")
    run(spark, config, *nightly.PREPARE[:3])
    after = count_records(warehouse)
    assert (after.erased - before.erased, after.bronze - before.bronze) == (5, 2)
    [copy] = warehouse.read("silver_review_clusters").where("review_id = 'r-copy2'").collect()
    [first] = warehouse.read("silver_review_clusters").where("review_id = 'r-copy'").collect()
    assert (copy.cluster_id, copy.duplicate_of) == (first.cluster_id, first.record_id)
    # delivered again whole, as it was before the files were emptied
    unchanged = contents(spark, config, "bronze")
    run(spark, config, nightly.ingest.STAGE, force=Force("ingest"))
    assert contents(spark, config, "bronze") == unchanged
    for file in ("a.jsonl", "b.jsonl.gz", "c.csv", "d.parquet"):
        shutil.copy2(night / "landing" / "reviews" / file, Path(config.paths.landing) / "reviews" / file)
    run(spark, config, nightly.ingest.STAGE, force=Force("ingest", 1, 2))
    assert contents(spark, config, "bronze") == unchanged


def test_another_secret_is_refused(
    erased: tuple[Config, ErasureOutcome], spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWGEN_USER_KEY", "another key for tests")
    with pytest.raises(ConfigError, match="another REVIEWGEN_USER_KEY"):
        erase_in(spark, erased[0], ErasureRequest(frozenset({"u1"})))


# Review, product, batch, sentiment, word. What is negative is no source of copy, yet its word may be a keyword.
REVIEWED = (
    ("erased-complaint", "p-both", 1, "negative", "保密词"),
    ("left-of-both", "p-both", 3, "positive", "电池"),
    ("left-of-early", "p-early", 1, "positive", "屏幕"),
    ("erased-praise", "p-early", 2, "positive", "保密词"),
    *((f"other-{batch}", "p-other", batch, "positive", "键盘") for batch in (1, 2, 3)),
)


@pytest.fixture
def reviewed(spark: SparkSession, tmp_path: Path) -> Config:
    """A warehouse of three prepared and labelled batches with copy of each product."""
    config = configure(
        tmp_path,
        "generate.writer=template",
        "generate.purposes=[product_copy]",
        "tables.parquet_exports=[gold_generated_texts]",
    )
    (Path(config.paths.landing) / "reviews").mkdir(parents=True)
    warehouse = Warehouse(spark, config)
    made: dict[str, list[dict[str, Any]]] = {}
    for name, product, batch, sentiment, word in REVIEWED:
        row = {"record_id": f"record-{name}", "review_id": name, "product_id": product, "batch_id": batch,
               "created_at": DAY, "source": "shop", "cluster_id": f"record-{name}", "split": "train",
               "category": "手机", "lang_code": "zh-hans", "text_clean": f"{word}如此", "sentiment_label": sentiment,
               "tokens": [word], "content_words": [word], "token_count": 1, "model_name": "m", "model_version": 1,
               "fingerprint": "f"}  # fmt: skip
        for table in ("bronze_reviews", *generate.STAGE.reads):
            made.setdefault(table, []).append(row)
    warehouse.converge(["ops_stage_runs", *made, "silver_minhash_bands"])
    for table, rows in made.items():
        warehouse.append(table, warehouse.rows(table, rows))
    with open_run(spark, config, report=lambda line: None) as opened:
        for stage in upstream(generate.STAGE):
            for batch in (1, 2, 3):
                opened.ledger.record(stage, batch, "succeeded", "f")
    run(spark, config, generate.STAGE)
    return config


def test_the_next_night_writes_copy_anew_from_the_reviews_left(spark: SparkSession, reviewed: Config) -> None:
    def copy() -> dict[tuple[str, int], Any]:
        rows = Warehouse(spark, reviewed).read("gold_generated_texts").collect()
        found = {(row.product_id, row.batch_id): row for row in rows}
        assert len(found) == len(rows), "written twice"
        return found

    before = copy()
    both, early = before["p-both", 3], before["p-early", 2]
    assert "保密词" in both.text and both.source_record_ids == ["record-left-of-both"]
    assert "record-erased-praise" in early.source_record_ids
    request = ErasureRequest(reviews=frozenset({"erased-complaint", "erased-praise"}))
    with pytest.raises(KeyboardInterrupt):
        erase_in(spark, reviewed, request, stop_at="bronze_reviews")  # a kill forgets no batch that must be redone
    assert erase_in(spark, reviewed, ErasureRequest()).leftovers == []
    assert holding(Path(reviewed.paths.root), "保密词", "record-erased") == set()
    kept = {key: row for key, row in before.items() if key == ("p-early", 1) or key[0] == "p-other"}
    assert copy() == kept
    assert run(spark, reviewed, generate.STAGE) == ["[generate] batch 3 (1/1)"]
    after = copy()
    assert {key: row for key, row in after.items() if key in kept} == kept
    assert set(after) - set(kept) == {("p-both", 3)}
    assert "电池" in after["p-both", 3].text and "保密词" not in after["p-both", 3].text
    assert run(spark, reviewed, generate.STAGE) == []
