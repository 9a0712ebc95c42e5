"""Tests that an estimate counts the rows of the label stage and predicts its time."""

import re
import time
from itertools import product
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession
from reviewgen_spark.jobs import label

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.operations.estimation import LabellingEstimate, estimate_labelling, length_stratum
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.warehouse.tables import Warehouse
from tests.models.conftest import make_rows
from tests.spark.conftest import DAY
from tests.terminal import open_terminal


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession, registry_root: Path) -> Config:
    """Returns the configuration of a warehouse with 300 unlabelled reviews; 1 is a copy, 1 has no text."""
    registry = load_config("local", [f"paths.root={registry_root}"]).paths.tracking_uri
    root = tmp_path_factory.mktemp("estimation")
    config = load_config("local", [f"paths.root={root}", f"paths.mlflow_uri={registry}"])
    warehouse = Warehouse(spark, config)
    warehouse.converge(["silver_reviews", "silver_review_clusters", "gold_review_labels", "ops_stage_runs"])
    texts = [None, *(str(row["text"]) * (1 + index % 7) for index, row in enumerate(make_rows(299, 0)))]
    plain = {"product_id": "p", "created_at": DAY}
    rows = [
        {
            **plain,
            "record_id": f"{index:03d}",
            "review_id": f"{index:03d}",
            "batch_id": 1 + index % 2,
            "text_clean": text,
        }
        for index, text in enumerate(texts)
    ]
    clusters = [{**row, "cluster_id": row["record_id"]} for row in rows]
    clusters[7] |= {"duplicate_of": "005", "duplicate_kind": "exact"}
    warehouse.append("silver_reviews", warehouse.rows("silver_reviews", rows))
    warehouse.append("silver_review_clusters", warehouse.rows("silver_review_clusters", clusters))
    ledger = Ledger(warehouse, "test")
    for stage, batch in product(("clean", "dedup"), (1, 2)):
        ledger.record(stage, batch, "succeeded", "fingerprint")
    return config


def estimate(spark: SparkSession, config: Config, sample: int = 2_000, is_all: bool = False) -> LabellingEstimate:
    return estimate_labelling(spark, config, sample, is_all, 3.6, lambda line: None)


def files(folder: str) -> set[str]:
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*")}


def test_an_estimate_is_within_a_factor_of_five_of_a_real_run(spark: SparkSession, config: Config) -> None:
    before = files(config.paths.warehouse)
    with open_terminal() as screen:
        result = estimate(spark, config)
    assert re.search(r"measurements .* 0/6", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.text()))
    assert files(config.paths.warehouse) == before
    # Only the local copy of the champion is left, as after each use of it.
    assert {name.split("/")[0] for name in files(config.paths.artifacts)} == {"_staging", "_pinned"}

    with open_run(spark, config, report=lambda line: None) as run:
        started = time.perf_counter()
        run.pipeline([label.STAGE])
        taken = time.perf_counter() - started
    warehouse = Warehouse(spark, config)
    [truth] = (
        warehouse.read("gold_review_labels").selectExpr("count(*) AS n", "sum(meta.token_count) AS tokens").collect()
    )
    batches = Ledger(warehouse, "test").done("label")

    assert (truth.n, list(batches)) == (299, [1, 2])
    assert (result.rows, result.batches, result.sampled_rows, result.tokens) == (
        truth.n, len(batches), truth.n, truth.tokens,
    )  # fmt: skip
    assert result.timed_batches >= 8
    assert 0 < result.seconds.low <= result.seconds.value <= result.seconds.high
    assert taken / 5 < result.seconds.value < 5 * taken
    assert f"{result.seconds.value / 1000:.4f}" in result.lines()[-1]  # 3.6 an hour

    print("\n".join(result.lines()), taken)  # shown if a later assertion fails
    nothing, part = estimate(spark, config), estimate(spark, config, sample=60, is_all=True)
    assert (nothing.rows, nothing.batches) == (0, 0)
    assert (part.rows, part.batches) == (truth.n, len(batches)) and 60 <= part.sampled_rows < truth.n
    assert part.tokens == pytest.approx(truth.tokens, rel=0.3)


def test_text_lengths_are_put_into_strata(spark: SparkSession) -> None:
    texts = spark.createDataFrame(
        [(None,), ("",), ("好",), ("很好",), ("很好啊",), ("很" * 4,), ("很" * 300,)], "text string"
    )
    strata = texts.select(length_stratum(texts["text"]).alias("stratum")).collect()
    assert strata == [Row(stratum=value) for value in (0, 0, 1, 2, 2, 3, 9)]


def test_a_missing_model_and_an_empty_sample_are_refused(
    spark: SparkSession, make_config: type, config: Config
) -> None:
    with pytest.raises(ModelNotFoundError, match="reviewgen run train"):
        estimate(spark, make_config())
    with pytest.raises(ConfigError, match="--sample"):
        estimate(spark, config, sample=0)
