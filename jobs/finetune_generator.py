"""Fine-tunes a causal or seq2seq model to write texts for requests, on the driver.

Reads the files of corpus and pretrain_generator, and a file of examples if configured. Writes the generator folder.
"""

import sys
from typing import TYPE_CHECKING

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.generator_examples import read_split_examples
from reviewgen_spark.orchestration.resources.models import generator_base
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def finetune_generator(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Fine-tunes the generator on requests and texts, and writes it to the output folder."""
    from reviewgen_spark.models.data.corpus import corpus_fingerprint
    from reviewgen_spark.models.generator import finetuning

    section, corpus = inputs.config.finetune_generator, inputs.artifacts["corpus"]
    base = str(inputs.artifacts["pretrain_generator"]) if section.base == "pretrained" else section.base
    finetuning.finetune_generator(
        read_split_examples(inputs.config, corpus, "train", inputs.resources),
        read_split_examples(inputs.config, corpus, "validation", inputs.resources),
        base,
        section,
        inputs.out,
        inputs.report,
        corpus_fingerprint(corpus),
        checkpoint=inputs.checkpoints / "finetune.pt",
        base_name=section.base,
    )
    return {}


STAGE = Stage(
    name="finetune_generator",
    version=2,
    scope="table",
    reads=(),
    uses=("corpus", "pretrain_generator"),
    writes=(),
    sections=("finetune_generator", "tokens"),
    libraries=("torch", "transformers", "tokenizers", "rjieba"),
    resources=generator_base,
    makes_files=True,
    run=finetune_generator,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
