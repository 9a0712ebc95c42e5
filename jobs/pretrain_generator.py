"""Pretrain generator: a causal language model on the unlabelled reviews, on the driver; a generator starts from it."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.generator_examples import pretrain_generator
from reviewgen_spark.orchestration.resources.models import pretrains_generator
from reviewgen_spark.orchestration.stage import Stage

STAGE = Stage(
    name="pretrain_generator",
    version=1,
    scope="table",
    reads=(),
    uses=("pretraining_corpus",),
    writes=(),
    sections=("pretrain_generator",),
    libraries=("torch", "transformers", "tokenizers", "rjieba"),
    assets=pretrains_generator,
    makes_files=True,
    run=pretrain_generator,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
