"""Scores the generator on the test split, beside an n-gram model, retrieved texts and real texts.

Reads the files of corpus and finetune_generator. Writes the scores as a file.
"""

import sys
from typing import TYPE_CHECKING

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.model_log import write_scores
from reviewgen_spark.orchestration.resources.generator_examples import read_split_examples
from reviewgen_spark.orchestration.resources.models import generator_base
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def evaluate_generator(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Scores the generator on requests of the test split; writes the scores that the registry logs."""
    from reviewgen_spark.models.classifier.loading import choose_device
    from reviewgen_spark.models.generator import evaluation

    config, corpus = inputs.config, inputs.artifacts["corpus"]
    scores = evaluation.evaluate_generator(
        inputs.artifacts["finetune_generator"],
        read_split_examples(config, corpus, "train", inputs.resources),
        read_split_examples(config, corpus, "test", None),  # a file of examples has no test split
        config.evaluate_generator,
        config.generation.decoding,
        choose_device(config.finetune_generator.device),
    )
    write_scores(inputs.out, scores)
    for score in scores:
        if score.metric in ("bits_per_character", "texts/self_bleu", "texts/discriminator_accuracy"):
            inputs.report(
                f"{score.model}: {score.metric.removeprefix('texts/')} {score.value:.3f}, {score.rows:,} texts"
            )
    return {}


STAGE = Stage(
    name="evaluate_generator",
    version=3,
    scope="table",
    reads=(),
    uses=("corpus", "finetune_generator"),
    writes=(),
    sections=("evaluate_generator", "generation", "finetune_generator", "tokens"),
    libraries=("torch", "transformers", "tokenizers", "scikit-learn"),
    resources=generator_base,
    makes_files=True,
    run=evaluate_generator,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
