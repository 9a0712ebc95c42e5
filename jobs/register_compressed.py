"""Register compressed: log the compressed model in MLflow, under an alias of its own where it costs little F1."""

import sys

from reviewgen_spark.models.registry.teacher_note import register_compressed
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import registry_and_teacher
from reviewgen_spark.orchestration.stage import Stage

STAGE = Stage(
    name="register_compressed",
    version=1,
    scope="table",
    reads=(),
    uses=("corpus", "compress"),
    writes=("ops_model_promotions",),
    sections=("register_compressed", "models"),
    mode="by_fingerprint",
    assets=registry_and_teacher,
    run=register_compressed,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
