"""Scores the new model and the baselines on the frozen splits.

Reads the files of corpus and finetune. Writes ops_model_evaluations, and scores, curves and the model's page as files.
"""

import json
import sys
from typing import TYPE_CHECKING

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.model_log import evaluation_rows, write_scores
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _evaluate(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Scores the model and its baselines; returns rows of ops_model_evaluations, and writes files for the registry."""
    from reviewgen_spark.models.evaluation.curves import write_curves
    from reviewgen_spark.models.evaluation.evaluation import evaluate_with_curves
    from reviewgen_spark.reports.model_page import write_model_page

    corpus, model = inputs.artifacts["corpus"], inputs.artifacts["finetune"]
    manifest = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    scores, curves = evaluate_with_curves(model, corpus, inputs.config.evaluate, device=inputs.config.finetune.device)
    write_scores(inputs.out, scores)
    if curves is not None:
        (inputs.out / "curves.json").write_text(write_curves(curves), encoding="utf-8")
    train_rows = sum(manifest["rows_by_split_and_label"]["train"].values())
    write_model_page(model, scores, curves, train_rows, inputs.out)
    metric, name = ("f1_macro", "macro F1") if inputs.config.finetune.tasks == ("aspect",) else ("f1", "F1")
    for score in scores:
        if (score.split, score.slice_name, score.metric) == ("test", "all", metric):
            interval = f" (95 %: {score.low:.4f} to {score.high:.4f})" if score.low is not None else ""
            inputs.report(f"{score.model}: {name} {score.value:.4f}{interval} on {score.rows:,} test rows")
    return {"ops_model_evaluations": evaluation_rows(inputs, scores, model.name)}


STAGE = Stage(
    name="evaluate",
    version=3,
    scope="table",
    reads=(),
    uses=("corpus", "finetune"),
    writes=("ops_model_evaluations",),
    sections=("evaluate",),
    libraries=("torch", "scikit-learn"),
    mode="by_fingerprint",
    makes_files=True,
    run=_evaluate,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
