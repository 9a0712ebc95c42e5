"""The stages of the pipeline `train_generator`, between the runner and the models: files in, files and a row out."""

from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.config import Config
from reviewgen_spark.orchestration.model_log import promotion_rows, read_scores, write_scores
from reviewgen_spark.orchestration.stage import Inputs

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from reviewgen_spark.models.data.corpus import SplitName
    from reviewgen_spark.models.generator.examples import Example

VALIDATION_SHARE = 0.05  # of a file of examples, which has no splits


def pretrain_generator(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Train a causal language model on the unlabelled corpus, where `finetune_generator.base` asks for one."""
    from reviewgen_spark.models.training.pretraining import pretrain

    if not inputs.assets:
        inputs.report(f"nothing to do: finetune_generator.base is {inputs.config.finetune_generator.base!r}")
        return {}
    section = inputs.config.pretrain_generator
    corpus, checkpoint = inputs.artifacts["pretraining_corpus"], inputs.checkpoints / "pretrain.pt"
    pretrain(corpus, section.base, section, inputs.out, inputs.report, checkpoint)
    return {}


def finetune_generator(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Teach it to answer requests; fills the output folder with the generator."""
    from reviewgen_spark.models.data.corpus import corpus_fingerprint
    from reviewgen_spark.models.generator import finetuning

    section, corpus = inputs.config.finetune_generator, inputs.artifacts["corpus"]
    base = str(inputs.artifacts["pretrain_generator"]) if section.base == "pretrained" else section.base
    finetuning.finetune_generator(
        _examples(inputs.config, corpus, "train", inputs.assets),
        _examples(inputs.config, corpus, "validation", inputs.assets),
        base,
        section,
        inputs.out,
        inputs.report,
        corpus_fingerprint(corpus),
        checkpoint=inputs.checkpoints / "finetune.pt",
        base_name=section.base,
    )
    return {}


def evaluate_generator(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Score it on requests of the test split; writes the scores that the registry logs."""
    from reviewgen_spark.models.classifier.predictor import choose_device
    from reviewgen_spark.models.generator import evaluation

    config, corpus = inputs.config, inputs.artifacts["corpus"]
    scores = evaluation.evaluate_generator(
        inputs.artifacts["finetune_generator"],
        _examples(config, corpus, "train", inputs.assets),
        _examples(config, corpus, "test", None),  # a file of examples has no test split
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


def register_generator(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Log and register it; the newest generator is the one that stages write with."""
    from reviewgen_spark.models.registry import generators

    config, folder = inputs.config, inputs.artifacts["finetune_generator"]
    alias = config.generation.alias if not config.generation.alias.isdecimal() else "generator"
    decision = generators.register_generator(
        folder,
        read_scores(inputs.artifacts["evaluate_generator"]),
        inputs.fingerprint,
        tags={
            "reviewgen.fingerprint": inputs.fingerprint,
            "reviewgen.corpus": inputs.artifacts["corpus"].name,
            "reviewgen.finetune_generator": folder.name,
        },
        name=config.generation.name,
        alias=alias,
        tracking_uri=config.paths.tracking_uri,
        artifact_root=Path(config.paths.model_artifacts),
    )
    inputs.report(f"{decision.model.name} version {decision.model.version} is {alias}")
    rows = promotion_rows(inputs, decision, "register_generator", folder.name, alias=alias)
    return {"ops_model_promotions": rows}


def _examples(config: Config, corpus: Path, split: "SplitName", file: Path | None) -> "list[Example]":
    """Of the reviews of a split, and its share of a file of examples."""
    from reviewgen_spark.models.data.corpus import read_split
    from reviewgen_spark.models.generator.examples import read_examples, review_examples, split_examples
    from reviewgen_spark.text.words.tokeniser import Tokeniser
    from reviewgen_spark.transforms.dictionaries import driver_dictionaries

    section, tokeniser = config.finetune_generator, Tokeniser(config.tokens, driver_dictionaries())
    reviews = read_split(corpus, split, every_task=True)
    found = review_examples(
        reviews,
        lambda text: tokeniser.words(text).content_words,
        section.max_keywords,
        section.codes_dropped,
        section.seed,
    )[: section.max_rows]
    if file is None:
        return found
    train, validation = split_examples(read_examples(file), VALIDATION_SHARE, section.seed)
    return [*found, *(train if split == "train" else validation)]
