"""Compares causal models and a Kneser-Ney character model on the same held-out texts, in bits per character.

The bits of a text are the sum over its tokens including the end; they are divided by the characters of the texts. A
character without a token costs 17 bits more (one of Unicode's 2^17) in every model, because the unknown token does not
identify it.

    python benchmarks/language_models.py --corpus CORPUS --models scratch=FOLDER embedded=FOLDER
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from reviewgen_spark.models.data.batches import cut_by_token_budget, pad
from reviewgen_spark.models.generator.ngram_baseline import UNKNOWN_BITS, NgramModel
from reviewgen_spark.models.training.language_model_data import read_texts
from reviewgen_spark.models.training.language_model_task import EVALUATION_TOKENS
from reviewgen_spark.models.training.trainer import autocast


def bits_of_texts(folder: Path, texts: list[str], precision: str) -> npt.NDArray[np.float64]:
    """Returns the bits of each text under a causal model, (N,)."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    rows = backend.encode_batch(texts)
    unknown = [
        sum(
            end - start
            for number, (start, end) in zip(row.ids, row.offsets, strict=True)
            if number == tokenizer.unk_token_id
        )
        for row in rows
    ]
    bits = UNKNOWN_BITS * np.asarray(unknown, dtype=np.float64)
    batches = cut_by_token_budget([len(row.ids) for row in rows], texts, EVALUATION_TOKENS)
    with torch.inference_mode(), autocast("cpu", precision):
        for part in batches:
            ids, mask = pad([rows[index].ids for index in part], int(tokenizer.pad_token_id))
            logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()  # (B, T - 1, V)
            losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
            bits[part] += ((losses * mask[:, 1:]).sum(1) / math.log(2)).double().numpy()
    return bits


def interval(bits: npt.NDArray[np.float64], characters: npt.NDArray[np.int64], samples: int = 1000) -> list[float]:
    """Returns the 95 % bootstrap interval of bits per character, over texts."""
    rng = np.random.default_rng(42)
    drawn = rng.integers(0, len(bits), (samples, len(bits)))
    ratios = bits[drawn].sum(1) / characters[drawn].sum(1)
    return [round(float(value), 4) for value in np.quantile(ratios, [0.025, 0.975])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--models", nargs="*", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--orders", type=int, nargs="*", default=[3, 5])
    options = parser.parse_args()
    train, test = read_texts(options.corpus, "train"), read_texts(options.corpus, "test")
    characters = np.asarray([len(text) for text in test])
    bits_by_model: dict[str, npt.NDArray[np.float64]] = {}
    for order in options.orders:
        started = time.monotonic()
        model = NgramModel(train, order)
        counted = time.monotonic() - started
        bits_by_model[f"Kneser-Ney, order {order}"] = model.bits(test)
        print(f"order {order}: {sum(map(len, train)):,} characters counted in {counted:.1f} s", flush=True)
    for named in options.models:
        name, _, folder = named.partition("=")
        bits_by_model[name] = bits_of_texts(Path(folder), test, options.precision)
    for name, bits in bits_by_model.items():
        row = {
            "model": name,
            "texts": len(test),
            "characters": int(characters.sum()),
            "bits_per_character": round(float(bits.sum() / characters.sum()), 4),
            "interval": interval(bits, characters),
        }
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
