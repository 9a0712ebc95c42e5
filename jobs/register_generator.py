"""Register generator: log the generator in MLflow under the alias that stages write with."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.generator_examples import register_generator
from reviewgen_spark.orchestration.resources.models import generator_store
from reviewgen_spark.orchestration.stage import Stage

STAGE = Stage(
    name="register_generator",
    version=1,
    scope="table",
    reads=(),
    uses=("corpus", "finetune_generator", "evaluate_generator"),
    writes=("ops_model_promotions",),
    sections=("generation",),
    mode="by_fingerprint",
    assets=generator_store,
    run=register_generator,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
