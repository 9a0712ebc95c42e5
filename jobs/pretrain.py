"""Pretrain: a language model on the unlabelled reviews, on the driver; `models.base: pretrained` starts from it."""

import sys

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.transforms.corpus_files import pretrain_model

STAGE = Stage(
    name="pretrain",
    version=3,
    scope="table",
    reads=(),
    uses=("pretraining_corpus",),
    writes=(),
    sections=("pretrain",),
    libraries=("torch", "transformers", "tokenizers", "rjieba"),
    makes_files=True,
    run=pretrain_model,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
