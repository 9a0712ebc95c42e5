"""Prunes the distilled student, trains it to recover, exports it, and measures it beside its teacher.

Reads the files of corpus, pretraining_corpus and distil. Writes the model, its table and scores as files, and
ops_model_evaluations.
"""

import shutil
import sys
from typing import TYPE_CHECKING

from reviewgen_spark.config import Config
from reviewgen_spark.models.registry.teacher_note import TEACHER_LOGITS, check_teacher, note_teacher
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.model_log import evaluation_rows, write_scores
from reviewgen_spark.orchestration.resources.models import teacher
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _require(config: Config) -> None:
    if config.compress.onnx:
        from reviewgen_spark.models.compression.onnx_export import require_onnx

        require_onnx()


def _compress(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Prunes, exports and measures; returns rows of ops_model_evaluations, and writes scores.json for the registry."""
    from reviewgen_spark.models.compression.compress import compress
    from reviewgen_spark.models.evaluation.evaluation import evaluate
    from reviewgen_spark.models.training.language_model_data import read_texts

    config, corpus, distilled = inputs.config, inputs.artifacts["corpus"], inputs.artifacts["distil"]
    check_teacher("compress", distilled, inputs.resources)
    note_teacher(inputs.out, inputs.resources)
    inputs.checkpoints.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(distilled / TEACHER_LOGITS, inputs.checkpoints / TEACHER_LOGITS)
    compress(
        corpus=corpus,
        unlabelled=read_texts(inputs.artifacts["pretraining_corpus"], "train"),
        teacher=inputs.resources.path,
        student=distilled / "model",
        section=config.compress,
        recovery=config.distil,
        evaluation=config.evaluate,
        out=inputs.out,
        progress=inputs.report,
        checkpoint=inputs.checkpoints / "compress.pt",
    )
    scores = evaluate(inputs.out / "model", corpus, config.evaluate, device=config.distil.device, baselines=False)
    write_scores(inputs.out, scores)
    return {"ops_model_evaluations": evaluation_rows(inputs, scores, inputs.fingerprint)}


STAGE = Stage(
    name="compress",
    version=2,
    scope="table",
    reads=(),
    uses=("corpus", "pretraining_corpus", "distil"),
    writes=("ops_model_evaluations",),
    sections=("compress", "evaluate"),
    libraries=("torch", "transformers", "tokenizers"),
    mode="by_fingerprint",
    resources=teacher,
    makes_files=True,
    require=_require,
    run=_compress,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
