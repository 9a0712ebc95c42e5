"""Finetune: train an encoder on the corpus, on the driver."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import base_model
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.corpus_files import finetune_model

STAGE = Stage(
    name="finetune",
    version=3,
    scope="table",
    reads=(),
    uses=("corpus",),
    writes=(),
    sections=("models", "finetune"),
    libraries=("torch", "transformers", "tokenizers"),
    assets=base_model,
    makes_files=True,
    run=finetune_model,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
