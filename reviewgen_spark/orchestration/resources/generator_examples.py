"""Reads the examples that a generator is fine-tuned and evaluated on."""

from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.config import Config

if TYPE_CHECKING:
    from reviewgen_spark.models.data.corpus import SplitName
    from reviewgen_spark.models.generator.examples import Example

VALIDATION_SHARE = 0.05  # share of a file of examples, which has no splits


def read_split_examples(config: Config, corpus: Path, split: "SplitName", file: Path | None) -> "list[Example]":
    """Returns the examples of the reviews of a split, and its share of a file of examples."""
    from reviewgen_spark.models.data.corpus import read_split
    from reviewgen_spark.models.generator.examples import read_examples, review_examples, split_examples
    from reviewgen_spark.text.words.tokeniser import Tokeniser
    from reviewgen_spark.transforms.dictionaries import driver_dictionaries

    section, tokeniser = config.finetune_generator, Tokeniser(config.tokens, driver_dictionaries())
    reviews = read_split(corpus, split, every_task=True)
    examples = review_examples(
        reviews,
        lambda text: tokeniser.words(text).content_words,
        section.max_keywords,
        section.codes_dropped,
        section.seed,
    )[: section.max_rows]
    if file is None:
        return examples
    train, validation = split_examples(read_examples(file), VALIDATION_SHARE, section.seed)
    return [*examples, *(train if split == "train" else validation)]
