"""Evaluate: score the new model and the baselines on the frozen splits."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.corpus_files import evaluate_model

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
    run=evaluate_model,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
