"""Measures whether generated texts raise the F1 of a classifier with few labels.

The baselines are no augmentation and simple augmentation. For each seed the few labelled rows are split again: 96 for
training and the rest for validation. The test rows stay the same. A generator starts from a language model of
unlabelled reviews and is fine-tuned on the 96 rows alone, so it uses no other label. Its texts are added to the
training rows with their requested sentiment. `filtered` leaves out texts for which the classifier without augmentation
predicts the other sentiment. All classifiers are trained for the same number of steps.

`--others` names a corpus of other categories and adds two arms, which measure the direct value of its labels: its rows
added to the few rows, and added to the few and the generated rows. `--language-model` may then be a generator that
`train_generator.py` trained on the same corpus, so that it already uses sentiment codes.

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
EPOCHS = 16  # over the few rows; fewer epochs for more rows


def write_corpus(folder: Path, train: list[dict[str, Any]], validation: list[dict[str, Any]]) -> Path:
    """Writes a corpus folder without a test split, which the trainer of classifiers does not read."""
    for split, rows in (("train", train), ("validation", validation)):
        (folder / split).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / split / "part-0.parquet")
    (folder / "manifest.json").write_text(json.dumps({"fingerprint": folder.name, "labels": "gold"}), encoding="utf-8")
    return folder


def generate(corpus: Path, language_model: Path, out: Path, count: int, seed: int, cut: Any) -> list[dict[str, Any]]:
    """Returns rows with texts of a generator that was fine-tuned on the corpus alone."""
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
    requests: list[Example] = []
    rng = np.random.default_rng(seed)
    for index in range(count):
        example_request = train[int(rng.integers(len(train)))].request
        requests.append(
            Example(
                TextRequest(
                    "augmentation",
                    "-",
                    example_request.lang_code,
                    category=example_request.category,
                    sentiment=("negative", "positive")[index % 2],
                    length=example_request.length,
                ),
                "",
            )
        )
    decoding = DecodingSection(temperature=0.9, top_k=0, top_p=0.95, max_new_tokens=96)
    texts = write_texts(load_generator(out), requests, decoding, seed)
    return [
        {"record_id": f"g{index:05d}", "text": text, "label": index % 2, "lang_code": "zh"}
        for index, text in enumerate(texts)
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
            metrics = count_metrics(confusion(labels, (predictor.score_texts(texts) >= 0.5).astype(np.int64)))
            figures.setdefault(name, []).append((float(metrics["f1"]), float(metrics["accuracy"])))
            row = {"seed": seed, "arm": name, "train rows": rows, "f1": round(float(metrics["f1"]), 4)}
            print(f"{time.monotonic() - started:7.0f} s  {json.dumps(row)}", flush=True)
            return predictor

        for seed in options.seeds:
            order = np.random.default_rng(seed).permutation(len(few))
            train, validation = ([few[index] for index in part] for part in (order[:TRAIN_ROWS], order[TRAIN_ROWS:]))
            corpus = write_corpus(Path(scratch) / f"few-{seed}", train, validation)
            plain = score("none", corpus, len(train), seed)
            score("simple", corpus, len(train), seed, augmentation=("synonym", "swap", "delete"))
            generated = generate(
                corpus,
                options.language_model,
                Path(scratch) / f"generator-{seed}",
                options.generated,
                seed,
                lambda text: tokeniser.words(text).content_words,
            )
            agreed = (plain.score_texts([row["text"] for row in generated]) >= 0.5) == np.asarray(
                [r["label"] for r in generated]
            )
            agreeing = [row for row, is_agreed in zip(generated, agreed, strict=True) if is_agreed]
            for name, extra in (("generated", generated), ("generated, filtered", agreeing)):
                combined = write_corpus(Path(scratch) / f"{name}-corpus-{seed}", [*train, *extra], validation)
                score(name, combined, len(train) + len(extra), seed)
            if others:
                for name, extra in (("others", others), ("others and generated", [*others, *generated])):
                    combined = write_corpus(Path(scratch) / f"{name}-corpus-{seed}", [*train, *extra], validation)
                    score(name, combined, len(train) + len(extra), seed)
    for name, pairs in figures.items():
        f1, accuracy = np.asarray(pairs).T
        spread = float(f1.std(ddof=1)) if len(f1) > 1 else 0.0
        row = {"arm": name, "seeds": len(f1), "f1": round(float(f1.mean()), 4), "sd": round(spread, 4)}
        print(json.dumps({**row, "accuracy": round(float(accuracy.mean()), 4), "test rows": len(test)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
