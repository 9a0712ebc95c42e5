"""Tests gold labels of aspects from the landing folder to evaluation; their model cannot be registered."""

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from reviewgen_spark.pipelines import nightly, train

from reviewgen_spark.config import load_config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.classifier.model_folder import read_settings
from reviewgen_spark.orchestration.runner import open_run
from reviewgen_spark.warehouse.tables import Warehouse
from tests.models.conftest import make_aspects

pytestmark = pytest.mark.e2e

SETTINGS = ("finetune.tasks=[aspect]", "models.base=scratch:tiny", "finetune.epochs=1", "finetune.max_tokens=32",
            "evaluate.bootstrap_samples=100", "split.validation_pct=20", "split.train_pct=60")  # fmt: skip


def deliver(landing: Path) -> None:
    """Writes reviews and a gold label for each of their aspects, and two invalid labels."""
    rows = make_aspects(384, 0)
    reviews = {row["record_id"]: row for row in rows}
    files = {
        "reviews": [
            {
                "review_id": key,
                "product_id": f"p{index % 9}",
                "user_id": f"u{index}",
                "text": row["text"],
                "category": row["category"],
                "created_at": f"2026-01-{1 + index % 28:02d}T08:00:00",
            }
            for index, (key, row) in enumerate(reviews.items())
        ],
        "gold_labels": [
            {"review_id": row["record_id"], "task": f"aspect:{row['aspect']}", "label": row["polarity"]} for row in rows
        ]
        + [
            {"review_id": "r00000", "task": "aspect:", "label": "negative"},
            {"review_id": "r00000", "task": "aspect:价格", "label": "good"},
        ],
    }
    for feed, records in files.items():
        (landing / feed).mkdir(parents=True)
        lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
        (landing / feed / "first.jsonl").write_text(lines + "\n", encoding="utf-8")


def test_aspect_labels_lead_to_scores_but_not_to_registration(spark: SparkSession, tmp_path: Path) -> None:
    deliver(tmp_path / "landing")
    config = load_config("local", [f"paths.root={tmp_path}", *SETTINGS])
    lines: list[str] = []
    with open_run(spark, config, None, report=lines.append) as run:
        run.pipeline((*nightly.PREPARE, *train.STAGES[:-1]))
    warehouse = Warehouse(spark, config)
    refused = warehouse.read("bronze_reviews_quarantine").where("feed_code = 'gold_labels'").collect()
    assert sorted(reason for row in refused for reason in row.reasons) == ["aspect_missing", "polarity_unknown"]
    artifacts = Path(config.paths.artifacts)
    manifest = json.loads((artifacts / "corpus" / "latest" / "manifest.json").read_text(encoding="utf-8"))
    labelled = manifest["rows_by_split_and_label"]
    assert manifest["tasks"] == ["aspect"] and set(labelled["train"]) == {"negative", "neutral", "positive"}
    scores = warehouse.read("ops_model_evaluations").where("split = 'test' AND slice = 'all'").collect()
    assert {(row.model, row.metric) for row in scores} == {
        (model, metric) for model in ("model", "majority", "tfidf_logistic") for metric in ("accuracy", "f1_macro")
    }
    assert {row.row_count for row in scores} == {sum(labelled["test"].values())}
    assert any("model: macro F1" in line for line in lines)
    assert read_settings((artifacts / "finetune" / "latest").resolve()).task == "aspect"
    with (
        open_run(spark, config, None, report=lines.append) as run,
        pytest.raises(ConfigError, match="register: expected"),
    ):
        run.pipeline(train.STAGES)
    assert not [row for row in lines if row.startswith("finetune") and row.endswith("started")][1:]  # trained once
