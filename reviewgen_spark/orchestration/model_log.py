"""Writes scores of models as a file and as rows, and decisions about the champion as rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

from reviewgen_spark.orchestration.stage import Inputs
from reviewgen_spark.schemas import TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from reviewgen_spark.models.evaluation.evaluation import Score
    from reviewgen_spark.models.registry.aliases import Decision

SCORES_FILE = "scores.json"


def write_scores(folder: Path, scores: "Sequence[Score]") -> None:
    """Writes the scores of `evaluate` to a file, for the stage that registers the model."""
    (folder / SCORES_FILE).write_text(json.dumps([asdict(score) for score in scores]), encoding="utf-8")


def read_scores(folder: Path) -> "list[Score]":
    """Reads the scores that `write_scores` wrote."""
    from reviewgen_spark.models.evaluation.evaluation import Score

    return [Score(**row) for row in json.loads((folder / SCORES_FILE).read_text(encoding="utf-8"))]


def evaluation_rows(inputs: Inputs, scores: "Sequence[Score]", model_fingerprint: str) -> "DataFrame":
    """Returns scores as rows of ops_model_evaluations."""
    manifest = json.loads((inputs.artifacts["corpus"] / "manifest.json").read_text(encoding="utf-8"))
    now = datetime.now(UTC)
    rows = [
        {
            "fingerprint": inputs.fingerprint,
            "model_fingerprint": model_fingerprint,
            "model": score.model,
            "labels": manifest["labels"],
            "split": score.split,
            "slice": score.slice_name,
            "metric": score.metric,
            "value": score.value,
            "low": score.low,
            "high": score.high,
            "row_count": score.rows,
            "evaluated_at": now,
        }
        for score in scores
    ]
    return small_table("ops_model_evaluations", rows)


def promotion_rows(
    inputs: Inputs, decision: "Decision", decided_by: str, model_fingerprint: str, alias: str | None = None
) -> "DataFrame":
    """Returns a decision as a row of ops_model_promotions; `alias` is None for the alias champion."""
    row = {
        "fingerprint": inputs.fingerprint,
        "model_name": decision.model.name,
        "model_version": decision.model.version,
        "is_promoted": decision.promoted,
        "previous_version": decision.previous_version,
        "reason": decision.reason,
        "decided_by": decided_by,
        "decided_at": datetime.now(UTC),
        "model_fingerprint": model_fingerprint,
        "alias": alias,
    }
    return small_table("ops_model_promotions", [row])


def small_table(table: str, values: Sequence[Mapping[str, Any]]) -> "DataFrame":
    """Returns a small DataFrame with the columns of a table."""
    columns = TABLES[table].columns
    records = [tuple(value.get(column.name) for column in columns) for value in values]
    spark = SparkSession.active()
    return spark.createDataFrame(records, columns)
