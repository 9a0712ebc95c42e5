"""Trains a small student on the teacher's predictions for labelled and unlabelled reviews, on the driver.

Reads the files of corpus and pretraining_corpus. Writes the student and the teacher's logits as files.
"""

import shutil
import sys
from typing import TYPE_CHECKING

from reviewgen_spark.models.registry.teacher_note import TEACHER_LOGITS, note_teacher
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import teacher_and_base
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _distil(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Trains the student; writes its model and the teacher's logits of each text to the output folder."""
    from reviewgen_spark.models.compression.distillation import distil
    from reviewgen_spark.models.training.language_model_data import read_texts

    teacher, base = inputs.resources
    unlabelled = read_texts(inputs.artifacts["pretraining_corpus"], "train")
    checkpoint = inputs.checkpoints / "distil.pt"
    result = distil(
        inputs.artifacts["corpus"],
        unlabelled,
        teacher.path,
        inputs.config.distil,
        inputs.out / "model",
        inputs.report,
        checkpoint,
        base,
    )
    # The recovery of a pruned student reads the logits again, because a big teacher takes longer than the training.
    shutil.copyfile(checkpoint.with_name(TEACHER_LOGITS), inputs.out / TEACHER_LOGITS)
    note_teacher(inputs.out, teacher)
    inputs.report(
        f"trained on predictions of {teacher.name} version {teacher.version} on {result.rows:,} labelled and "
        f"{result.unlabelled_rows:,} unlabelled rows: validation F1 {result.validation_f1:.4f}"
    )
    return {}


STAGE = Stage(
    name="distil",
    version=1,
    scope="table",
    reads=(),
    uses=("corpus", "pretraining_corpus"),
    writes=(),
    sections=("distil",),
    libraries=("torch", "transformers", "tokenizers"),
    resources=teacher_and_base,
    makes_files=True,
    run=_distil,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
