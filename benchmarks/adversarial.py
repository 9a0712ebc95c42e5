"""Measures how adversarial training and re-ranking by the discriminator change the texts of a generator.

Six sets of texts for the same test requests are compared, all drawn at temperature 1 from the whole distribution:

1. of the generator after likelihood training;
2. of a control: the same number of steps more with likelihood alone;
3. after adversarial training;
4. re-ranked: the best of four texts of the first set;
5. of a character n-gram model;
6. the real texts.

Another discriminator scores them than the one in training: character TF-IDF with logistic regression, cross-validated.

    python benchmarks/adversarial.py --corpus CORPUS --generator FOLDER --steps 150
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reviewgen_spark.config import FinetuneGeneratorSection, TokensSection, default_conf_folder
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.decoding.decoding import Specials
from reviewgen_spark.models.generator.adversarial import AdversarialSettings, choose_best, sample, train_adversarially
from reviewgen_spark.models.generator.examples import Example, review_examples
from reviewgen_spark.models.generator.generator_folder import load_tokenizer
from reviewgen_spark.models.generator.ngram_baseline import NgramModel
from reviewgen_spark.models.generator.text_metrics import CharacterRunIndex, measure_texts
from reviewgen_spark.models.generator.text_task import encode_examples
from reviewgen_spark.models.training.dropout import replace_dropout
from reviewgen_spark.models.training.optimizer import choose_precision
from reviewgen_spark.text.words.tokeniser import Tokeniser

CANDIDATES = 4


def read_examples(corpus: Path, split: str, section: FinetuneGeneratorSection) -> list[Example]:
    """Returns the reviews of a split as examples."""
    tokeniser = Tokeniser(TokensSection(), default_conf_folder() / "dictionaries")
    return review_examples(
        read_split(corpus, split, every_task=True),  # type: ignore[arg-type]
        lambda text: tokeniser.words(text).content_words,
        section.max_keywords,
        section.codes_dropped,
        section.seed,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--generator", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--likelihood-share", type=float, default=0.5)
    parser.add_argument("--learning-rate", type=float, default=3e-5)
    options = parser.parse_args()
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(42)
    started = time.monotonic()
    tokenizer = load_tokenizer(options.generator)
    specials = Specials(tokenizer.end_id, tokenizer.pad_id, tuple(tokenizer.banned_ids))
    section = FinetuneGeneratorSection()
    training, test = (read_examples(options.corpus, split, section) for split in ("train", "test"))
    rows = encode_examples(tokenizer, training[:20_000])
    request_rows, rest = (
        encode_examples(tokenizer, test[: options.texts]),
        [example.text for example in test[options.texts :]],
    )
    real, judge, index = (
        rest[: options.texts],
        NgramModel(rest[options.texts :]),
        CharacterRunIndex([e.text for e in training]),
    )
    settings = AdversarialSettings(
        steps=options.steps,
        learning_rate=options.learning_rate,
        likelihood_share=options.likelihood_share,
        precision=choose_precision("auto", "cpu"),
    )

    def log(line: str) -> None:
        print(f"{time.monotonic() - started:7.0f} s  {line}", flush=True)

    def load() -> Any:
        model = AutoModelForCausalLM.from_pretrained(options.generator, attn_implementation="eager")
        replace_dropout(model)
        return model

    def draw(model: Any, seed: int) -> list[list[int]]:
        rng = np.random.default_rng(seed)
        return [
            text
            for start in range(0, len(request_rows), 50)
            for text in sample(model, [row.prompt for row in request_rows[start : start + 50]], specials, settings, rng)
        ]

    def report(name: str, texts: list[str]) -> None:
        written = [text for text in texts if text]
        figures = asdict(measure_texts(written, index, judge, real, seed=42))
        row = {"texts": name, "count": len(written), **{key: round(value, 4) for key, value in figures.items()}}
        log(json.dumps(row))

    likelihood = load()
    drawn = [draw(likelihood, seed) for seed in range(CANDIDATES)]
    report("real", [example.text for example in test[: options.texts]])
    counted = NgramModel([example.text for example in training])
    report("n-gram, order 5", [counted.generate(np.random.default_rng(seed), 100) for seed in range(len(request_rows))])
    report("likelihood", [tokenizer.decode(ids) for ids in drawn[0]])
    control = load()
    train_adversarially(
        control,
        rows,
        specials,
        replace(settings, likelihood_share=1.0),
        lambda line: None,
        reward=lambda texts: np.zeros(len(texts)),
    )
    report("likelihood, as many steps more", [tokenizer.decode(ids) for ids in draw(control, 0)])
    adversarial = load()
    discriminator, curve = train_adversarially(adversarial, rows, specials, settings, log)
    report("adversarial", [tokenizer.decode(ids) for ids in draw(adversarial, 0)])
    chosen, _scores = choose_best(discriminator, list(zip(*drawn, strict=True)))
    report(f"likelihood, best of {CANDIDATES} by the discriminator", [tokenizer.decode(ids) for ids in chosen])
    for part in (curve[:10], curve[-10:]):
        log(json.dumps({name: round(float(np.mean([p[name] for p in part])), 3) for name in part[0]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
