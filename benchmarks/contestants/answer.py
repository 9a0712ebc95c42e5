"""Contestant of B4: scores a pre-tokenised test split in one single-threaded process for each core.

The time starts when every process has loaded its model and tokenised its texts, and ends with the last answer. It
includes the n-grams: a cascade first runs its n-gram classifier, and the model in int8 for the other rows. The labels
are written to OUT/labels.npy.
"""

import argparse
import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM"), "1")


def answer(
    folder: Path,
    corpus: Path,
    setting: str,
    rows: int,
    out: Path,
    ngrams: Path | None,
    part: int,
    parts: int,
    ready: Any,
) -> None:
    import numpy as np
    import torch

    from reviewgen_spark.models.compression.ngram_classifier import load_ngram_classifier
    from reviewgen_spark.models.compression.variants import cascade_variant, onnx_variant, score_all, torch_variant
    from reviewgen_spark.models.data.corpus import read_split

    torch.set_num_threads(1)
    if setting == "onnx":
        variant = onnx_variant(setting, out / "model.onnx", folder)
    elif setting == "cascade":
        assert ngrams is not None
        second_model = torch_variant("int8", folder, "int8")
        variant = cascade_variant(setting, load_ngram_classifier(ngrams), ngrams, second_model)
    else:
        variant = torch_variant(setting, folder, setting)
    texts = read_split(corpus, "test").texts[: rows or None][part::parts]
    tokens = [row.ids for row in variant.tokenizer.encode(texts)]
    variant.answer(tokens[:4])  # the first call is slower
    ready.wait()
    started = time.time()
    positive = score_all(variant, texts, tokens)
    ended = time.time()
    np.savez(out / f"part-{part}.npz", labels=positive >= variant.settings.threshold, started=started, ended=ended)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a model folder")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--setting", choices=("float32", "bfloat16", "int8", "onnx", "cascade"), required=True)
    parser.add_argument("--ngrams", type=Path, help="for the setting cascade")
    parser.add_argument("--rows", type=int, default=0, help="0 for the whole test split")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    os.environ.update(SINGLE)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.setting == "onnx":
        from reviewgen_spark.models.compression.onnx_export import export_onnx

        export_onnx(options.model, options.out / "model.onnx")
    cores = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(cores)
    common_args = (options.model, options.corpus, options.setting, options.rows, options.out, options.ngrams)
    workers = [context.Process(target=answer, args=(*common_args, part, cores, ready)) for part in range(cores)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a process failed; its trace is above")

    import numpy as np

    parts = [np.load(options.out / f"part-{part}.npz") for part in range(cores)]
    labels = np.zeros(sum(len(part["labels"]) for part in parts), dtype=np.int64)
    for number, part in enumerate(parts):
        labels[number::cores] = part["labels"]
    np.save(options.out / "labels.npy", labels)
    seconds = max(float(part["ended"]) for part in parts) - min(float(part["started"]) for part in parts)
    print(json.dumps({"seconds": seconds, "rows": len(labels), "processes": cores}))


if __name__ == "__main__":
    main()
