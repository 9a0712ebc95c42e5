"""Pre-trains a causal language model on the unlabelled reviews, on the driver; a generator starts from it.

Reads the files of pretraining_corpus. Writes the model folder.
"""

import sys
from typing import TYPE_CHECKING

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import pretrains_generator
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def pretrain_generator(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Trains a causal language model on the unlabelled corpus, if `finetune_generator.base` is `pretrained`."""
    from reviewgen_spark.models.training.pretraining import pretrain

    if not inputs.resources:
        inputs.report(f"nothing to do: finetune_generator.base is {inputs.config.finetune_generator.base!r}")
        return {}
    section = inputs.config.pretrain_generator
    corpus, checkpoint = inputs.artifacts["pretraining_corpus"], inputs.checkpoints / "pretrain.pt"
    pretrain(corpus, section.base, section, inputs.out, inputs.report, checkpoint)
    return {}


STAGE = Stage(
    name="pretrain_generator",
    version=1,
    scope="table",
    reads=(),
    uses=("pretraining_corpus",),
    writes=(),
    sections=("pretrain_generator",),
    libraries=("torch", "transformers", "tokenizers", "rjieba"),
    resources=pretrains_generator,
    makes_files=True,
    run=pretrain_generator,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
