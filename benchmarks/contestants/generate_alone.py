"""Contestants of B5: transformers' own ways to write, no Spark, one single-thread process a core.

`sorted`, the limit: `generate` over tokenised prompts in batches of like length, on weights as this project prepares
them. `fixed`: `generate` in batches of 32 as they come, on weights as transformers loads them. `pipeline`: a text a
call. `writer` is no rival: this project's own loop, without Spark and checks. Loading is not on the clock.
"""

import multiprocessing
import time
from pathlib import Path

import pyarrow.parquet as pq
from contest import arguments, tell

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
        given = {**DRAW, "max_new_tokens": limit, "pad_token_id": pad, "eos_token_id": end}
        found = model.generate(ids, attention_mask=(ids != pad).long(), **given)[:, width:]
        return int(((found != end) & (found != pad)).sum())

    if line == "pipeline":
        tokenizer = AutoTokenizer.from_pretrained(folder)
        asked = [tokenizer.decode(prompt) for prompt in prompts]
        writer = pipeline("text-generation", model=model, tokenizer=tokenizer, device="cpu")
        settings = {**DRAW, "return_tensors": True, "add_special_tokens": False, "pad_token_id": pad}
        writer(asked[0], **{**settings, "max_new_tokens": 2})
    elif line == "writer":
        decoding = {"repetition_penalty": 1, "no_repeat_ngram": 0, "max_new_tokens": 128}
        section = GenerationSection(decoding=DecodingSection(**decoding), tokens_per_batch=TOKENS_PER_BATCH)
        ours = TorchWriter(generator, section)
        ours.write([TextRequest.from_json(text) for text in lines[:2]])
    else:
        write(prompts[:2], 2)
    keys = [f"{place:09}" for place in range(len(prompts))]
    barrier.wait()
    started = time.monotonic()
    if line == "pipeline":
        for text, prompt in zip(asked, prompts, strict=True):
            ids = writer(text, **settings)[0]["generated_token_ids"]
            written += len(ids) - len(prompt) - int(ids[-1] == end)
    elif line == "writer":
        written = sum(found.new_tokens for found in ours.write([TextRequest.from_json(text) for text in lines]))
    elif line == "fixed":
        for start in range(0, len(prompts), 32):
            written += write(prompts[start : start + 32])
    else:
        for batch in cut_by_token_budget([len(row) + 128 for row in prompts], keys, TOKENS_PER_BATCH):
            written += write([prompts[place] for place in batch])
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
    tell(seconds, tokens=sum(written for _, _, written in spans), texts=len(lines))


if __name__ == "__main__":
    main()
