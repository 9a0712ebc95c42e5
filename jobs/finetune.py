"""Fine-tunes an encoder on the labelled corpus, on the driver.

Reads the files of corpus, and the base model. Writes the model folder.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.config import FinetuneSection
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import base_model
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _finetune(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Trains on the corpus, and writes the model to the output folder."""
    from reviewgen_spark.models.training.finetuning import finetune

    config, corpus, checkpoint = inputs.config, inputs.artifacts["corpus"], inputs.checkpoints / "finetune.pt"
    name = config.models.base
    if config.finetune.processes > 1:
        finetune_in_processes(corpus, inputs.resources, config.finetune, inputs.out, checkpoint, name)
    else:
        finetune(corpus, inputs.resources, config.finetune, inputs.out, inputs.report, checkpoint, name)
    return {}


def finetune_in_processes(
    corpus: Path, base: str, section: FinetuneSection, out: Path, checkpoint: Path, base_name: str
) -> None:
    """Trains in `finetune.processes` processes of this machine, by Spark's TorchDistributor."""
    from pyspark.ml.torch.distributor import TorchDistributor

    from reviewgen_spark.models.classifier.loading import choose_device
    from reviewgen_spark.models.training.distributed import finetune_in_group

    distributor = TorchDistributor(section.processes, local_mode=True, use_gpu=choose_device(section.device) == "cuda")
    settings = section.model_dump(mode="json")
    distributor.run(finetune_in_group, str(corpus), base, settings, str(out), str(checkpoint), base_name)


STAGE = Stage(
    name="finetune",
    version=4,
    scope="table",
    reads=(),
    uses=("corpus",),
    writes=(),
    sections=("models", "finetune"),
    libraries=("torch", "transformers", "tokenizers"),
    resources=base_model,
    makes_files=True,
    run=_finetune,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
