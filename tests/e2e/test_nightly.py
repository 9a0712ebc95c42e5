"""Tests the pipelines on a few hundred real reviews: incremental runs, reruns, rollback and rejected files."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from reviewgen_spark.pipelines import compress, nightly, train, train_generator

from reviewgen_spark.config import Config, IngestSection, load_config
from reviewgen_spark.errors import DataQualityError, ErrorShareError, ModelNotFoundError, StageError
from reviewgen_spark.models.registry.generators import resolve_generator
from reviewgen_spark.models.registry.registry import read_file, resolve
from reviewgen_spark.operations.counts import count_records
from reviewgen_spark.operations.demo.sample import write_sample
from reviewgen_spark.operations.promotion import set_champion
from reviewgen_spark.operations.status import backfill_lines, decide_file
from reviewgen_spark.orchestration.backlog import Backlog, Force
from reviewgen_spark.orchestration.delivery_gate import check_night, undecided_files
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.transforms.ingest.batch_plan import plan_batches
from reviewgen_spark.transforms.ingest.source_files import read_records
from reviewgen_spark.transforms.ingest.source_record import UnreadableFileError
from reviewgen_spark.warehouse.tables import Warehouse

pytestmark = pytest.mark.e2e

TINY = ("models.base=scratch:tiny", "finetune.epochs=1", "finetune.max_tokens=32", "evaluate.bootstrap_samples=100",
        "label.max_error_pct=10")  # fmt: skip
COUNTED = nightly.STAGES[:3]  # the tables that `count_records` counts


def configure(root: Path, *overrides: str) -> Config:
    return load_config("local", [f"paths.root={root}", *TINY, *overrides])


def run(spark: SparkSession, config: Config, *stages: object, force: Force | None = None) -> list[str]:
    """Runs stages and returns the lines of progress."""
    lines: list[str] = []
    with open_run(spark, config, force, report=lines.append) as opened:
        opened.pipeline(stages)  # type: ignore[arg-type]
    return lines


def started(lines: list[str]) -> list[str]:
    return [line.split(":")[0] for line in lines if line.endswith("started")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Path]:
    """Returns the root folder of a warehouse after a first nightly run, a training and a labelling."""
    root = tmp_path_factory.mktemp("nightly")
    write_sample(root / "landing", 400)
    config = configure(root)
    run(spark, config, *nightly.PREPARE, *train.STAGES, *nightly.STAGES)
    yield root


@pytest.fixture
def config(root: Path) -> Config:
    return configure(root)


@pytest.fixture
def warehouse(spark: SparkSession, config: Config) -> Warehouse:
    return Warehouse(spark, config)


def test_record_counts_are_consistent(warehouse: Warehouse) -> None:
    counts = count_records(warehouse)
    assert counts.faults == []
    assert counts.bronze == counts.clean > 300
    assert counts.labelled == counts.unique
    assert counts.quarantined > 0 and counts.redelivered > 0 and counts.duplicates > 0 and counts.label_errors > 0


def test_no_personal_data_is_in_silver(warehouse: Warehouse) -> None:
    silver = warehouse.read("silver_reviews")
    assert silver.where("text_clean RLIKE '1380000[0-9]{4}' OR text_clean RLIKE '@example.com'").count() == 0
    assert silver.where("size(pii_counts) > 0").count() > 0


def test_the_report_is_one_file_without_scripts(config: Config) -> None:
    page = (Path(config.paths.artifacts) / "report" / "latest" / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page and "src=" not in page and "<script" not in page
    assert "malformed_json" in page


def test_the_champion_has_a_page(config: Config) -> None:
    page = read_file(config.models.name, "champion", "model_page.html", config.paths.tracking_uri)
    for part in (
        "Loss by epoch",
        "ROC curve",
        "Reliability diagram",
        "TF-IDF + logistic",
        "Accuracy under perturbations",
    ):
        assert part in page


def test_a_run_without_a_new_file_computes_nothing(spark: SparkSession, config: Config, warehouse: Warehouse) -> None:
    names = ("silver_reviews", "gold_review_labels", "gold_product_satisfaction", "ops_stage_runs")
    before = {name: warehouse.version(name) for name in names}
    lines = run(spark, config, *nightly.STAGES, *train.STAGES)
    assert started(lines) == []
    assert before == {name: warehouse.version(name) for name in names}


def test_a_file_with_a_new_time_but_old_content_is_read_once_more(
    spark: SparkSession, config: Config, warehouse: Warehouse
) -> None:
    landing, refused = Path(config.paths.landing), {row.path for row in undecided_files(warehouse, config)}
    files = [file for file in landing.rglob("*") if file.is_file() and str(file.relative_to(landing)) not in refused]
    for file in files:  # like a copy or a restored backup
        os.utime(file, (file.stat().st_atime, file.stat().st_mtime + 60))

    def plan() -> list[dict[str, Any]]:
        done = Ledger(warehouse, "test").done("ingest").keys()
        return plan_batches(spark, config, warehouse.records("ops_source_files").read(), done)[0]

    planned = plan()
    assert len(planned) == len(files) > 1
    slices = {(row["state"], row["batch_id"], row["first_row"], row["last_row"]) for row in planned}
    assert slices == {("reserved", None, 1, 0)}
    assert started(run(spark, config, *nightly.STAGES)) == []
    assert plan() == [] and count_records(warehouse).faults == []


def test_one_new_file_computes_only_its_batch(spark: SparkSession, config: Config, warehouse: Warehouse) -> None:
    record = {
        "review_id": "new-1",
        "product_id": "p-new",
        "text": "屏幕很清晰，非常满意",
        "created_at": "2026-02-01T10:00:00",
    }
    copy = {**record, "review_id": "new-2"}
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in (record, copy, record))
    (Path(config.paths.landing) / "reviews" / "2026-02-01.jsonl").write_text(lines, encoding="utf-8")
    done = run(spark, config, *nightly.STAGES)
    newest = max(r.batch_id for r in warehouse.read("silver_reviews").select("batch_id").distinct().collect())
    row_stages = [line for line in started(done) if "batch" in line]
    assert row_stages and all(line.endswith(f"batch {newest} (1/1)") for line in row_stages)
    assert count_records(warehouse).faults == []
    new = warehouse.read("silver_review_clusters").where(f"batch_id = {newest}").collect()
    assert {(row.review_id, row.duplicate_of is None) for row in new} == {("new-1", True), ("new-2", False)}
    assert warehouse.read("bronze_redeliveries").where(f"batch_id = {newest}").count() == 1
    ledger = warehouse.read("ops_stage_runs").where(f"stage = 'ingest' AND batch_id = {newest} AND state = 'succeeded'")
    assert ledger.collect()[0].counts == {
        "bronze_reviews": 2,
        "bronze_redeliveries": 1,
        "bronze_reviews_quarantine": 0,
        "bronze_gold_labels": 0,
        "bronze_erasures": 0,
    }


def test_a_changed_setting_computes_only_its_stage_and_later_ones(
    spark: SparkSession, root: Path, warehouse: Warehouse
) -> None:
    changed = configure(root, "weak_labels.lexicon_min_score=0.9")
    stages = {line.split("]")[0].strip("[") for line in started(run(spark, changed, *nightly.PREPARE))}
    assert stages == {"weak_labels"}
    execution_only = configure(root, "weak_labels.lexicon_min_score=0.9", "label.tokens_per_batch=512")
    assert started(run(spark, execution_only, *nightly.PREPARE, nightly.label.STAGE)) == []
    run(spark, configure(root), *nightly.PREPARE)


def test_force_runs_one_batch_again(spark: SparkSession, config: Config) -> None:
    lines = run(spark, config, nightly.tokens.STAGE, force=Force("tokens", 1, 1))
    assert started(lines) == ["[tokens] batch 1 (1/1)"]


def labels(warehouse: Warehouse) -> list[tuple[object, ...]]:
    columns = ("record_id", "sentiment_label", "sentiment_score", "model_version", "fingerprint")
    return sorted(tuple(row) for row in warehouse.read("gold_review_labels").select(*columns).collect())


def count_labelled_by_encoder(warehouse: Warehouse) -> int:
    """Returns the number of reviews labelled by the encoder; n-grams labelled the others."""
    return warehouse.read("gold_review_labels").where("error IS NULL AND meta.token_count > 0").count()


def only_newest_relabelled(spark: SparkSession, config: Config, warehouse: Warehouse) -> bool:
    """Labels one batch, and returns whether only the newest has new labels; checks status and roll-up."""
    batches = list(Ledger(warehouse, "a test").done("label"))  # one of them has only gold labels and no review
    assert len(batches) > 1
    lines: list[str] = []
    with open_run(spark, config, report=lines.append, max_batches=1) as opened:
        opened.pipeline([nightly.label.STAGE, nightly.satisfaction.STAGE])
    assert f"[label] {len(batches) - 1} batches wait for the next run (--max-batches)" in lines
    status_lines = backfill_lines(Backlog(config, warehouse, Ledger(warehouse, "a test")), nightly.STAGES)
    assert len(status_lines) == 1 and status_lines[0].startswith(f"label: 1 of {len(batches)} batches are up to date")
    assert " left" in status_lines[0]
    products = warehouse.read("gold_product_satisfaction")
    assert products.select("model_version").distinct().count() == 1  # never two models in one figure
    assert products.where("coverage_pct <= 0 OR coverage_pct > 100").count() == 0
    versions = {(row.batch_id, row.model_version) for row in warehouse.read("gold_review_labels").collect()}
    return (batches[-1], 2) in versions and versions == {
        (batch, 2 if batch == batches[-1] else 1) for batch, _ in versions
    }


def test_a_rollback_restores_the_labels_of_the_first_version(
    spark: SparkSession, config: Config, root: Path, warehouse: Warehouse
) -> None:
    run(spark, config, *nightly.STAGES)
    first = labels(warehouse)
    other = configure(root, "finetune.seed=7", "register.min_f1_gain=-1", "register.max_slice_drop=1")
    run(spark, other, *train.STAGES)
    assert only_newest_relabelled(spark, config, warehouse)
    run(spark, config, nightly.label.STAGE)
    second = labels(warehouse)
    assert {row[3] for row in second} == {2}
    assert [row[2] for row in first] != [row[2] for row in second]
    with open_run(spark, config) as opened:
        decision = set_champion(opened.warehouse, config, None, "v2 was worse", "a test")
    assert (decision.model.version, decision.previous_version) == (1, 2)
    run(spark, config, nightly.label.STAGE)
    assert labels(warehouse) == first
    promotions = warehouse.read("ops_model_promotions").orderBy("decided_at").collect()
    assert [(row.model_version, row.is_promoted) for row in promotions] == [(1, True), (2, True), (1, True)]


def test_a_compressed_model_labels_under_its_own_alias(
    spark: SparkSession, config: Config, root: Path, warehouse: Warehouse
) -> None:
    quick = ("distil.base=teacher:1", "distil.epochs=1", "distil.max_tokens=32", "compress.onnx=false",
             "compress.timed_rows=64", "compress.cascade_disagreement=0.5", "register_compressed.max_f1_loss=1",
             "label.alias=compressed")  # fmt: skip
    compressing = configure(root, *quick)
    with open_run(spark, config) as opened:
        set_champion(opened.warehouse, config, 1, "as it was", "a test", is_forced=True)
    lines = run(spark, compressing, *compress.STAGES)
    assert started(lines)[-4:] == [
        f"[{name}] whole tables" for name in ("pretraining_corpus", "distil", "compress", "register_compressed")
    ]
    assert started(run(spark, compressing, *compress.STAGES)) == []
    *before, newest = warehouse.read("ops_model_promotions").orderBy("decided_at").collect()
    assert (newest.alias, newest.is_promoted, newest.previous_version) == ("compressed", True, None)
    assert {row.alias for row in before} == {None}
    run(spark, compressing, nightly.label.STAGE)
    assert {row[3] for row in labels(warehouse)} == {newest.model_version}
    by_model, alone = count_labelled_by_encoder(warehouse), [row[0] for row in labels(warehouse)]
    run(spark, configure(root, *quick, "label.cascade=true"), nightly.label.STAGE)
    assert count_labelled_by_encoder(warehouse) < by_model and [row[0] for row in labels(warehouse)] == alone
    with open_run(spark, config) as opened:  # a rollback works like that of the champion
        assert set_champion(opened.warehouse, config, None, "as it was", "a test").model.version == 1
    other = configure(root, *quick, f"distil.teacher='{newest.model_version}'")
    refusal = r"distilled from review_sentiment version 1, and distil\.teacher is now version"
    with pytest.raises(StageError, match=refusal):
        run(spark, other, compress.register_compressed.STAGE)


def test_a_damaged_model_labels_nothing(spark: SparkSession, root: Path, config: Config, warehouse: Warehouse) -> None:
    before = warehouse.version("gold_review_labels")
    weights = resolve(config.models.name, "champion", config.paths.tracking_uri).path / "model.safetensors"
    original = weights.read_bytes()
    weights.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    try:
        without_copies = configure(root, "label.without_registry=refuse")
        with pytest.raises(ModelNotFoundError, match=r"version \d+: "):
            run(spark, without_copies, nightly.label.STAGE, force=Force("label"))
    finally:
        weights.write_bytes(original)
    assert warehouse.version("gold_review_labels") == before


def test_too_many_errors_publish_nothing(spark: SparkSession, root: Path, warehouse: Warehouse) -> None:
    before = warehouse.version("gold_review_labels")
    strict = configure(root, "label.max_chars=5", "label.max_error_pct=1")
    with pytest.raises(ErrorShareError, match="nothing was published") as error:
        run(spark, strict, nightly.label.STAGE)
    assert error.value.exit_code == 4
    assert warehouse.version("gold_review_labels") == before


def test_a_generator_is_trained_from_the_tables_and_registered(
    spark: SparkSession, root: Path, warehouse: Warehouse
) -> None:
    quick = ("pretrain_generator.epochs=1", "finetune_generator.epochs=1", "evaluate_generator.texts=10",
             "generation.decoding.max_new_tokens=16")  # fmt: skip
    config = configure(root, *quick)
    lines = run(spark, config, *train_generator.STAGES)
    assert started(lines)[-4:] == [
        f"[{name}] whole tables"
        for name in ("pretrain_generator", "finetune_generator", "evaluate_generator", "register_generator")
    ]
    assert started(run(spark, config, *train_generator.STAGES)) == []
    generator = resolve_generator(config.generation.name, config.generation.alias, config.paths.tracking_uri)
    newest = warehouse.read("ops_model_promotions").orderBy("decided_at").collect()[-1]
    assert (newest.model_name, newest.model_version, newest.alias) == (generator.name, generator.version, "generator")
    assert resolve(config.models.name, "champion", config.paths.tracking_uri)  # the champion is unchanged


# The next tests deliver batches that only the first stages process, so they must run last.


def readable(path: Path) -> int:
    """Returns the number of complete records in a truncated file."""
    records = []
    with pytest.raises(UnreadableFileError):
        records.extend(read_records(str(path), "jsonl", "reviews", IngestSection()))
    return len(records)


def test_a_run_with_a_rejected_file_exits_with_3_until_it_is_accepted(
    spark: SparkSession, config: Config, warehouse: Warehouse
) -> None:
    [rejected] = undecided_files(warehouse, config)
    assert rejected.path.endswith("-broken.jsonl.gz")
    with pytest.raises(DataQualityError, match="ingest retry") as error:
        check_night(warehouse, config)
    assert error.value.exit_code == 3
    quarantined = (
        warehouse.read("bronze_reviews_quarantine").where("array_contains(reasons, 'file_rejected')").collect()
    )
    assert [row.source_file for row in quarantined] == [rejected.path]
    before = count_records(warehouse)
    decide_file(warehouse, rejected.path, "accept")
    run(spark, config, *COUNTED)
    check_night(warehouse, config)
    after = count_records(warehouse)
    assert after.faults == []
    assert undecided_files(warehouse, config) == []
    assert after.delivered - before.delivered == readable(Path(config.paths.landing) / rejected.path) > 0


def test_only_new_files_of_a_delta_source_are_read(spark: SparkSession, config: Config, warehouse: Warehouse) -> None:
    folder = str(Path(config.paths.landing) / "reviews" / "from_another_team")
    columns = "review_id string, product_id string, rating long, text string, created_at string"
    for number in (1, 2):
        row = (f"delta-{number}", "p-new", 5, f"第{number}次购买，一如既往地好", "2026-02-03T10:00:00")
        spark.createDataFrame([row], columns).coalesce(1).write.format("delta").mode("append").save(folder)
        assert started(run(spark, config, nightly.ingest.STAGE)) != []
        assert started(run(spark, config, nightly.ingest.STAGE)) == []
        reviews = warehouse.read("bronze_reviews").where("review_id LIKE 'delta-%'").orderBy("review_id").collect()
        assert [row.review_id for row in reviews] == ["delta-1", "delta-2"][:number]
    run(spark, config, *COUNTED)
    assert count_records(warehouse).faults == []
