"""Contestants of B5: generate texts with transformers, without Spark, in one single-threaded process for each core.

`sorted` is the limit: `generate` over tokenised prompts in batches of similar length, on the weights as this project
prepares them. `fixed`: `generate` in batches of 32 in the given order, on the weights as transformers loads them.
`pipeline`: one text for each call. `writer` is not a rival, but the loop of this project without Spark and checks.
Loading is not part of the time.
"""

import multiprocessing
import time
from pathlib import Path

import pyarrow.parquet as pq
from contest import arguments, print_result

CORES = 2
DRAW = {"do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.95, "max_new_tokens": 128}
TOKENS_PER_BATCH = 8_192


def run(
    folder: Path,
    lines: list[str],
    line: str,
    barrier: "multiprocessing.synchronize.Barrier",
    times: "multiprocessing.Queue",
) -> None:
    import torch
    from transformers import AutoTokenizer, BertLMHeadModel, logging, pipeline

    from reviewgen_spark.config import DecodingSection, GenerationSection
    from reviewgen_spark.inference.generation.torch_writer import TorchWriter
    from reviewgen_spark.models.data.batches import cut_by_token_budget
    from reviewgen_spark.models.generator.generator_folder import load_generator
    from reviewgen_spark.text.requests.request import TextRequest

    logging.set_verbosity_error()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    generator = load_generator(folder)
    prompts = [generator.tokenizer.encode_prompt(TextRequest.from_json(text)) for text in lines]
    end, pad = generator.tokenizer.end_id, generator.tokenizer.pad_id
    model = generator.model if line in ("sorted", "writer") else BertLMHeadModel.from_pretrained(folder).eval()
    written = 0

    def write(rows: list[list[int]], limit: int = 128) -> int:
        width = max(map(len, rows))
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
        options = {**DRAW, "max_new_tokens": limit, "pad_token_id": pad, "eos_token_id": end}
        generated = model.generate(ids, attention_mask=(ids != pad).long(), **options)[:, width:]
        return int(((generated != end) & (generated != pad)).sum())

    if line == "pipeline":
        tokenizer = AutoTokenizer.from_pretrained(folder)
        texts = [tokenizer.decode(prompt) for prompt in prompts]
        writer = pipeline("text-generation", model=model, tokenizer=tokenizer, device="cpu")
        settings = {**DRAW, "return_tensors": True, "add_special_tokens": False, "pad_token_id": pad}
        writer(texts[0], **{**settings, "max_new_tokens": 2})
    elif line == "writer":
        decoding = {"repetition_penalty": 1, "no_repeat_ngram": 0, "max_new_tokens": 128}
        section = GenerationSection(decoding=DecodingSection(**decoding), tokens_per_batch=TOKENS_PER_BATCH)
        ours = TorchWriter(generator, section)
        ours.write([TextRequest.from_json(text) for text in lines[:2]])
    else:
        write(prompts[:2], 2)
    keys = [f"{index:09}" for index in range(len(prompts))]
    barrier.wait()
    started = time.monotonic()
    if line == "pipeline":
        for text, prompt in zip(texts, prompts, strict=True):
            ids = writer(text, **settings)[0]["generated_token_ids"]
            written += len(ids) - len(prompt) - int(ids[-1] == end)
    elif line == "writer":
        written = sum(output.new_tokens for output in ours.write([TextRequest.from_json(text) for text in lines]))
    elif line == "fixed":
        for start in range(0, len(prompts), 32):
            written += write(prompts[start : start + 32])
    else:
        for batch in cut_by_token_budget([len(row) + 128 for row in prompts], keys, TOKENS_PER_BATCH):
            written += write([prompts[index] for index in batch])
    times.put((started, time.monotonic(), written))


def main() -> None:
    parser = arguments(__doc__, ("sorted", "fixed", "pipeline", "writer"))
    parser.add_argument("--model", type=Path, required=True, help="a generator folder")
    options = parser.parse_args()
    lines = [
        text for path in sorted(options.rows.glob("*.parquet")) for text in pq.read_table(path)["request"].to_pylist()
    ]
    barrier, times = multiprocessing.Barrier(CORES), multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=run, args=(options.model, lines[core::CORES], options.line, barrier, times))
        for core in range(CORES)
    ]
    for worker in workers:
        worker.start()
    spans = [times.get() for _ in workers]
    for worker in workers:
        worker.join()
    seconds = max(end for _, end, _ in spans) - min(begin for begin, _, _ in spans)
    print_result(seconds, tokens=sum(written for _, _, written in spans), texts=len(lines))


if __name__ == "__main__":
    main()
