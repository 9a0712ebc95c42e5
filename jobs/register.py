"""Register: log the model in MLflow; it becomes champion when it beats the one there."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import registry_store
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.corpus_files import register_model

STAGE = Stage(
    name="register",
    version=2,
    scope="table",
    reads=(),
    uses=("corpus", "finetune", "evaluate"),
    writes=("ops_model_promotions",),
    sections=("register", "models"),
    mode="by_fingerprint",
    assets=registry_store,
    run=register_model,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
