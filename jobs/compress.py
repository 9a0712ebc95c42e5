"""Compress: the student is pruned, recovers, is exported, and measured beside its teacher."""

import sys

from reviewgen_spark.config import Config
from reviewgen_spark.models.registry.teacher_note import compress_student
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import teacher
from reviewgen_spark.orchestration.stage import Stage


def _require(config: Config) -> None:
    if config.compress.onnx:
        from reviewgen_spark.models.compression.onnx_export import require_onnx

        require_onnx()


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
    assets=teacher,
    makes_files=True,
    require=_require,
    run=compress_student,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
