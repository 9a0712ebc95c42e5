"""Distil: a student learns the teacher's answers on labelled and unlabelled reviews, on the driver."""

import sys

from reviewgen_spark.models.registry.teacher_note import distil_student
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import teacher_and_base
from reviewgen_spark.orchestration.stage import Stage

STAGE = Stage(
    name="distil",
    version=1,
    scope="table",
    reads=(),
    uses=("corpus", "pretraining_corpus"),
    writes=(),
    sections=("distil",),
    libraries=("torch", "transformers", "tokenizers"),
    assets=teacher_and_base,
    makes_files=True,
    run=distil_student,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
