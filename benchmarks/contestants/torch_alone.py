"""The limit: the model alone over rows that are tokenised, sorted and cut, no Spark, one single-thread process a core.

The precisions run the model as this project prepares it, `plain` as transformers loads it, in float32. Loading is not
on the clock. On a GPU it is one process.
"""

import multiprocessing
import time
from pathlib import Path

import pyarrow.parquet as pq
from contest import arguments, tell

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
    rows = [found.ids for found in predictor.tokenizer.encode(texts)]
    batches = cut_by_token_budget([len(row) for row in rows], texts, tokens_per_batch)
    model = load_classifier(folder).eval().to(device) if precision == "plain" else predictor._model
    padded = [pad([rows[index] for index in batch], predictor.pad_id) for batch in batches]
    given = [(ids.to(device), mask.to(device)) for ids, mask in padded]
    with torch.inference_mode():
        model(input_ids=given[0][0], attention_mask=given[0][1])
        barrier.wait()
        started = time.monotonic()
        for ids, mask in given:
            model(input_ids=ids, attention_mask=mask)
        if device == "cuda":
            torch.cuda.synchronize()  # calls return before the GPU has answered
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
    given = (options.line, options.tokens_per_batch, options.device, barrier, times)
    workers = [
        multiprocessing.Process(target=run, args=(options.model, texts[core::count], *given)) for core in range(count)
    ]
    for worker in workers:
        worker.start()
    spans = [times.get() for _ in workers]
    for worker in workers:
        worker.join()
    tell(max(end for _, end in spans) - min(begin for begin, _ in spans))


if __name__ == "__main__":
    main()
