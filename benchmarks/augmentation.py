"""Do generated texts raise a classifier's F1 where labels are few? Against no augmentation and the simple kind.

For each seed the few labelled rows are drawn anew into 96 to train on and the rest to validate on; test rows stay. A
generator starts from a language model of unlabelled reviews and is fine-tuned on the 96 rows alone, so it knows of no
other label. Its texts join the training rows, each under the sentiment that was asked for; `filtered` leaves out those
that the classifier without augmentation takes for the other one. All classifiers take the same number of steps.

With `--others`, a corpus of other categories, two arms more show what those labels are worth to a classifier directly:
its rows beside the few ones, and beside those and the generated ones. `--language-model` may then be a generator that
`train_generator.py` taught on the same corpus, which knows what a sentiment code means before it sees the few rows.

    python benchmarks/augmentation.py --corpus CORPUS --language-model FOLDER --base embedded:3 --seeds 1 2 3 4
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from corpora import SCHEMA
from generation_corpus import canonical, read_rows

from reviewgen_spark.config import (
    DecodingSection,
    FinetuneGeneratorSection,
    FinetuneSection,
    TokensSection,
    default_conf_folder,
)
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.evaluation.metrics import confusion, count_metrics
from reviewgen_spark.models.generator.evaluation import write_texts
from reviewgen_spark.models.generator.examples import Example, review_examples
from reviewgen_spark.models.generator.finetuning import finetune_generator
from reviewgen_spark.models.generator.generator_folder import load_generator
from reviewgen_spark.models.training.finetuning import finetune
from reviewgen_spark.text.requests.request import TextRequest
from reviewgen_spark.text.words.tokeniser import Tokeniser

TRAIN_ROWS = 96
EPOCHS = 16  # over the few rows; fewer where there are more rows


def write_corpus(folder: Path, train: list[dict[str, Any]], validation: list[dict[str, Any]]) -> Path:
    """A corpus folder without a test split: the classifiers' trainer never reads one."""
    for split, rows in (("train", train), ("validation", validation)):
        (folder / split).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / split / "part-0.parquet")
    (folder / "manifest.json").write_text(json.dumps({"fingerprint": folder.name, "labels": "gold"}), encoding="utf-8")
    return folder


def generate(corpus: Path, language_model: Path, out: Path, count: int, seed: int, cut: Any) -> list[dict[str, Any]]:
    """Rows of texts that a generator writes which was fine-tuned on the corpus alone."""
    section = FinetuneGeneratorSection(
        epochs=12,
        patience=3,
        batch_size=16,
        learning_rate=3e-4,
        dropout=0.1,
        codes_dropped=0.0,
        max_tokens=160,
        seed=seed,
        threads=1,
    )
    train, validation = (
        review_examples(read_split(corpus, split), cut, section.max_keywords, 0.0, seed)  # type: ignore[arg-type]
        for split in ("train", "validation")
    )
    finetune_generator(train, validation, str(language_model), section, out, lambda line: None, "few")
    asked: list[Example] = []
    rng = np.random.default_rng(seed)
    for place in range(count):
        like = train[int(rng.integers(len(train)))].request
        asked.append(
            Example(
                TextRequest(
                    "augmentation",
                    "-",
                    like.lang_code,
                    category=like.category,
                    sentiment=("negative", "positive")[place % 2],
                    length=like.length,
                ),
                "",
            )
        )
    decoding = DecodingSection(temperature=0.9, top_k=0, top_p=0.95, max_new_tokens=96)
    texts = write_texts(load_generator(out), asked, decoding, seed)
    return [
        {"record_id": f"g{place:05d}", "text": text, "label": place % 2, "lang_code": "zh"}
        for place, text in enumerate(texts)
        if text
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="train and validation are the few rows")
    parser.add_argument("--language-model", type=Path, required=True)
    parser.add_argument("--base", default="embedded:3")
    parser.add_argument("--others", type=Path, help="a corpus of other categories")
    parser.add_argument("--other-rows", type=int, default=4_000, help="of these (default 4,000)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--generated", type=int, default=384)
    options = parser.parse_args()
    started = time.monotonic()
    few = [{**row, "text": canonical(row["text"])} for row in read_rows(options.corpus, ("train", "validation"))]
    test = [{**row, "text": canonical(row["text"])} for row in read_rows(options.corpus, ("test",))]
    texts, labels = [row["text"] for row in test], np.asarray([row["label"] for row in test])
    tokeniser = Tokeniser(TokensSection(), default_conf_folder() / "dictionaries")
    figures: dict[str, list[tuple[float, float]]] = {}
    others = read_rows(options.others, ("train",))[: options.other_rows] if options.others else []

    with tempfile.TemporaryDirectory() as scratch:

        def score(name: str, corpus: Path, rows: int, seed: int, **more: Any) -> Predictor:
            epochs = max(1, round(EPOCHS * TRAIN_ROWS / rows))
            section = FinetuneSection(
                epochs=epochs,
                patience=epochs,
                batch_size=16,
                learning_rate=3e-4,
                max_tokens=96,
                dropout=0.1,
                seed=seed,
                threads=1,
                **more,
            )
            out = Path(scratch) / f"{name}-{seed}"
            finetune(corpus, options.base, section, out, lambda line: None)
            predictor = Predictor(out, device="cpu")
            found = count_metrics(confusion(labels, (predictor.score_texts(texts) >= 0.5).astype(np.int64)))
            figures.setdefault(name, []).append((float(found["f1"]), float(found["accuracy"])))
            row = {"seed": seed, "arm": name, "train rows": rows, "f1": round(float(found["f1"]), 4)}
            print(f"{time.monotonic() - started:7.0f} s  {json.dumps(row)}", flush=True)
            return predictor

        for seed in options.seeds:
            order = np.random.default_rng(seed).permutation(len(few))
            train, validation = ([few[place] for place in part] for part in (order[:TRAIN_ROWS], order[TRAIN_ROWS:]))
            corpus = write_corpus(Path(scratch) / f"few-{seed}", train, validation)
            plain = score("none", corpus, len(train), seed)
            score("simple", corpus, len(train), seed, augmentation=("synonym", "swap", "delete"))
            made = generate(
                corpus,
                options.language_model,
                Path(scratch) / f"generator-{seed}",
                options.generated,
                seed,
                lambda text: tokeniser.words(text).content_words,
            )
            agreed = (plain.score_texts([row["text"] for row in made]) >= 0.5) == np.asarray([r["label"] for r in made])
            kept = [row for row, is_agreed in zip(made, agreed, strict=True) if is_agreed]
            for name, extra in (("generated", made), ("generated, filtered", kept)):
                both = write_corpus(Path(scratch) / f"{name}-corpus-{seed}", [*train, *extra], validation)
                score(name, both, len(train) + len(extra), seed)
            if others:
                for name, extra in (("others", others), ("others and generated", [*others, *made])):
                    both = write_corpus(Path(scratch) / f"{name}-corpus-{seed}", [*train, *extra], validation)
                    score(name, both, len(train) + len(extra), seed)
    for name, found in figures.items():
        f1, accuracy = np.asarray(found).T
        spread = float(f1.std(ddof=1)) if len(f1) > 1 else 0.0
        row = {"arm": name, "seeds": len(f1), "f1": round(float(f1.mean()), 4), "sd": round(spread, 4)}
        print(json.dumps({**row, "accuracy": round(float(accuracy.mean()), 4), "test rows": len(test)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
