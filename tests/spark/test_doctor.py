"""Tests the doctor on a real session, warehouse and registry, both healthy and damaged."""

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.operations.doctor.doctor import examine_spark, examine_warehouse, find_champion
from reviewgen_spark.operations.doctor.finding import Finding, exit_code
from reviewgen_spark.operations.doctor.health_checks import GIB
from reviewgen_spark.operations.doctor.workers import survey_workers
from reviewgen_spark.orchestration.lease import Lease
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.schema_evolution import differences
from reviewgen_spark.warehouse.tables import Warehouse

WORDS = {"record_id": "r", "tokens": ["好"], "content_words": ["好"], "token_count": 1, "batch_id": 1}


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


def files(root: Path) -> set[str]:
    return {str(path) for path in root.rglob("*")}


def test_a_healthy_warehouse_passes_and_is_not_changed(
    spark: SparkSession, registry_root: Path, config: Config
) -> None:
    champion = find_champion(load_config("local", [f"paths.root={registry_root}"]))
    assert champion.finding.level == "ok" and "version 1" in champion.finding.message
    warehouse = Warehouse(spark, config)
    warehouse.converge(["silver_tokens", "gold_review_labels", "ops_stage_runs"])  # a run creates its log first
    warehouse.append("silver_tokens", warehouse.rows("silver_tokens", [WORDS]))
    Path(config.paths.artifacts).mkdir()
    before = files(Path(config.paths.root))
    findings = list(examine_spark(spark, config, champion.model_bytes, 16 * GIB))
    assert files(Path(config.paths.root)) == before
    assert {finding.level for finding in findings} == {"ok"} and exit_code(findings) == 0
    assert {"worker python", "pyarrow", "torch", "reviewgen_spark", "gpu", "artifact root", "arrow", "memory", "lease",
            "tables"} == set(by_subject(findings))  # fmt: skip
    assert by_subject(findings)["tables"].message.startswith("3 of ")


def test_too_little_memory_is_a_warning(spark: SparkSession, config: Config) -> None:
    findings = by_subject(list(examine_spark(spark, config, 2 * GIB, 8 * GIB)))
    assert findings["memory"].level == "ok"
    findings = by_subject(list(examine_spark(spark, config, 2 * GIB, 7 * GIB)))
    assert findings["memory"].level == "warn" and "2 workers" in findings["memory"].message


def test_every_slot_is_checked(spark: SparkSession, config: Config) -> None:
    workers = survey_workers(spark, config)
    assert len(workers) == spark.sparkContext.defaultParallelism == 2
    assert all(worker.sees_artifacts and worker.libraries["torch"] for worker in workers)


def test_damaged_tables_and_a_held_lease_are_reported(spark: SparkSession, config: Config) -> None:
    warehouse = Warehouse(spark, config)
    warehouse.converge(
        ["silver_tokens", "gold_review_labels", "ops_weak_voters", "ops_model_promotions", "ops_stage_runs"]
    )
    warehouse.append("silver_tokens", warehouse.rows("silver_tokens", [WORDS]))
    [data] = Path(warehouse.path("silver_tokens")).glob("batch_id=1/*.parquet")
    data.unlink()
    spark.sql(f"ALTER TABLE delta.`{warehouse.path('gold_review_labels')}` ADD COLUMNS (mood STRING)")
    assert differences(warehouse.log("ops_weak_voters"), TABLES["ops_weak_voters"]) == ([], [])
    voters = f"delta.`{warehouse.path('ops_weak_voters')}`"
    spark.sql(f"ALTER TABLE {voters} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    spark.sql(f"ALTER TABLE {voters} DROP COLUMN estimated_accuracy")
    shutil.rmtree(Path(warehouse.path("ops_model_promotions")) / "_delta_log")
    lease = Lease(warehouse, config, "a-run")
    lease.acquire()
    try:
        findings = by_subject(list(examine_warehouse(spark, config)))
    finally:
        lease.release()
    assert findings["lease"].level == "warn" and "run a-run holds the warehouse" in findings["lease"].message
    assert findings["table silver_tokens"].level == "fail"
    assert f"batch_id=1/{data.name} is missing" in findings["table silver_tokens"].message
    assert "`reviewgen repair silver_tokens`" in findings["table silver_tokens"].next_step
    assert (
        findings["table gold_review_labels"].level == "fail" and "mood" in findings["table gold_review_labels"].message
    )
    assert findings["table ops_weak_voters"].level == "warn"
    assert findings["table ops_weak_voters"].message == "lacks column estimated_accuracy"
    assert findings["tables"].message.startswith("2 of ")  # those of the lease and of the runs
    assert by_subject(list(examine_warehouse(spark, config)))["lease"].level == "ok"


def test_a_damaged_champion_fails(registry_root: Path, tmp_path: Path) -> None:
    config = load_config("local", [f"paths.root={registry_root}"])
    [weights] = (registry_root / "mlflow" / "artifacts").rglob("model.safetensors")
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + b"\x01")
    try:
        # Other tests may have kept a copy of this model, which would be used with a warning.
        without_copies = load_config("local", [f"paths.root={registry_root}", "label.without_registry=refuse"])
        finding = find_champion(without_copies).finding
    finally:
        weights.write_bytes(content)
    assert finding.level == "fail" and "not those that were registered" in finding.message
    assert find_champion(config).finding.level == "ok"


@pytest.mark.parametrize("python", ["/nowhere/python"])
def test_workers_that_cannot_start_are_reported(spark: SparkSession, config: Config, python: str) -> None:
    context = spark.sparkContext
    original = context.pythonExec
    context.pythonExec = python
    try:
        findings = by_subject(list(examine_spark(spark, config, None, 8 * GIB)))
    finally:
        context.pythonExec = original
    assert findings["workers"].level == "fail" and "PYSPARK_PYTHON" in findings["workers"].next_step
    assert findings["lease"].level == "ok"
