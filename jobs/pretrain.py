"""Pre-trains a language model on the unlabelled reviews, on the driver; `models.base: pretrained` starts from it.

Reads the files of pretraining_corpus. Writes the model folder.
"""

import sys
from typing import TYPE_CHECKING

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def pretrain_model(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Trains a language model on the unlabelled corpus, and writes it to the output folder."""
    from reviewgen_spark.models.training.pretraining import pretrain

    pretrain(
        inputs.artifacts["pretraining_corpus"],
        inputs.config.pretrain.base,
        inputs.config.pretrain,
        inputs.out,
        inputs.report,
        checkpoint=inputs.checkpoints / "pretrain.pt",
    )
    return {}


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
