"""Finetune generator: teach a causal or seq2seq model to write what a request asks for, on the driver."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.generator_examples import finetune_generator
from reviewgen_spark.orchestration.resources.models import generator_base
from reviewgen_spark.orchestration.stage import Stage

STAGE = Stage(
    name="finetune_generator",
    version=1,
    scope="table",
    reads=(),
    uses=("corpus", "pretrain_generator"),
    writes=(),
    sections=("finetune_generator", "tokens"),
    libraries=("torch", "transformers", "tokenizers", "rjieba"),
    assets=generator_base,
    makes_files=True,
    run=finetune_generator,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
