"""Evaluate generator: its figures on the test split, beside n-gram texts, retrieved and real ones."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.generator_examples import evaluate_generator
from reviewgen_spark.orchestration.resources.models import generator_base
from reviewgen_spark.orchestration.stage import Stage

STAGE = Stage(
    name="evaluate_generator",
    version=2,
    scope="table",
    reads=(),
    uses=("corpus", "finetune_generator"),
    writes=(),
    sections=("evaluate_generator", "generation", "finetune_generator", "tokens"),
    libraries=("torch", "transformers", "tokenizers", "scikit-learn"),
    assets=generator_base,
    makes_files=True,
    run=evaluate_generator,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
