"""Fine-tunes a generator on a corpus and on examples of other purposes, like `reviewgen run train_generator`.

    python benchmarks/train_generator.py --corpus CORPUS --examples FILE --base FOLDER --out RUN --set epochs=2

It reads the train and validation texts of the corpus, but not its test texts.
"""

import argparse
import sys
import time
from pathlib import Path

from train_classifier import values_of

from reviewgen_spark.config import FinetuneGeneratorSection, TokensSection, default_conf_folder
from reviewgen_spark.models.data.corpus import corpus_fingerprint, read_split
from reviewgen_spark.models.generator.examples import Example, read_examples, review_examples, split_examples
from reviewgen_spark.models.generator.finetuning import finetune_generator
from reviewgen_spark.text.words.tokeniser import Tokeniser

VALIDATION_SHARE = 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--rows", type=int, help="maximum number of training reviews (default all)")
    parser.add_argument("--examples", type=Path)
    parser.add_argument("--base", required=True, help="as finetune_generator.base, but a folder for 'pretrained'")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a key of finetune_generator")
    options = parser.parse_args()
    section, started = FinetuneGeneratorSection(**values_of(options.set)), time.monotonic()
    tokeniser = Tokeniser(TokensSection(), default_conf_folder() / "dictionaries")

    def read(split: str, limit: int | None) -> list[Example]:
        reviews = read_split(options.corpus, split, every_task=True)  # type: ignore[arg-type]
        examples = review_examples(
            reviews,
            lambda text: tokeniser.words(text).content_words,
            section.max_keywords,
            section.codes_dropped,
            section.seed,
        )
        return examples[:limit]  # ordered by record_id, which is a hash

    parts = read("train", options.rows), read("validation", 1500)
    if options.examples:
        for part, others in zip(
            parts, split_examples(read_examples(options.examples), VALIDATION_SHARE, section.seed), strict=True
        ):
            part.extend(others)
    finetune_generator(
        *parts,
        options.base,
        section,
        options.out / "generator",
        lambda line: print(f"{time.monotonic() - started:7.0f} s  {line}", flush=True),
        corpus_fingerprint(options.corpus),
        options.out / "checkpoint.pt",
        "pretrained" if Path(options.base).exists() else None,
    )
    (options.out / "checkpoint.pt").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
