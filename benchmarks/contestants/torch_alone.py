"""The limit: runs the model alone over tokenised, sorted batches, without Spark, in one process for each core.

Each process has one thread. The precisions run the model as this project prepares it; `plain` runs it as transformers
loads it, in float32. Loading is not part of the time. On a GPU there is one process.
"""

import multiprocessing
import time
from pathlib import Path

import pyarrow.parquet as pq
from contest import arguments, print_result

CORES = 2


def run(
    folder: Path,
    texts: list[str],
    precision: str,
    tokens_per_batch: int,
    device: str,
    barrier: "multiprocessing.synchronize.Barrier",
    times: "multiprocessing.Queue",
) -> None:
    import torch

    from reviewgen_spark.models.classifier.loading import load_classifier
    from reviewgen_spark.models.classifier.predictor import Predictor
    from reviewgen_spark.models.data.batches import cut_by_token_budget, pad

    torch.set_num_threads(1)
    predictor = Predictor(folder, device, "float32" if precision == "plain" else precision)
    rows = [tokens.ids for tokens in predictor.tokenizer.encode(texts)]
    batches = cut_by_token_budget([len(row) for row in rows], texts, tokens_per_batch)
    model = load_classifier(folder).eval().to(device) if precision == "plain" else predictor._model
    padded = [pad([rows[index] for index in batch], predictor.pad_id) for batch in batches]
    inputs = [(ids.to(device), mask.to(device)) for ids, mask in padded]
    with torch.inference_mode():
        model(input_ids=inputs[0][0], attention_mask=inputs[0][1])
        barrier.wait()
        started = time.monotonic()
        for ids, mask in inputs:
            model(input_ids=ids, attention_mask=mask)
        if device == "cuda":
            torch.cuda.synchronize()  # calls return before the GPU has finished
    times.put((started, time.monotonic()))


def main() -> None:
    parser = arguments(__doc__, ("float32", "bfloat16", "int8", "plain"))
    parser.add_argument("--model", type=Path, required=True, help="a model folder")
    parser.add_argument("--tokens-per-batch", type=int, default=2048)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    texts = [text for path in options.rows.glob("*.parquet") for text in pq.read_table(path)["text_clean"].to_pylist()]
    count = CORES if options.device == "cpu" else 1
    barrier, times = multiprocessing.Barrier(count), multiprocessing.Queue()
    run_options = (options.line, options.tokens_per_batch, options.device, barrier, times)
    workers = [
        multiprocessing.Process(target=run, args=(options.model, texts[core::count], *run_options))
        for core in range(count)
    ]
    for worker in workers:
        worker.start()
    spans = [times.get() for _ in workers]
    for worker in workers:
        worker.join()
    print_result(max(end for _, end in spans) - min(begin for begin, _ in spans))


if __name__ == "__main__":
    main()
