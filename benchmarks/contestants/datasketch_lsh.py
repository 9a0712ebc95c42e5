"""Rival: runs datasketch's MinHashLSH in one process as documented, with our bands; candidates are verified."""

import json
import time

import pyarrow.parquet as pq
from contest import arguments, print_result
from datasketch import MinHash, MinHashLSH


def main() -> None:
    options = arguments(__doc__).parse_args()
    texts = [text.replace(" ", "") for text in pq.read_table(options.rows)["text"].to_pylist()]
    started = time.monotonic()
    lsh = MinHashLSH(num_perm=60, params=(12, 5))
    grams: list[set[bytes]] = []
    parents = list(range(len(texts)))

    def find(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for index, text in enumerate(texts):
        own = {text[start : start + 3].encode() for start in range(max(1, len(text) - 2))}
        signature = MinHash(num_perm=60)
        signature.update_batch(own)
        for other in lsh.query(signature):
            theirs = grams[other]
            if len(own & theirs) >= 0.8 * len(own | theirs):
                parents[find(index)] = find(other)
        lsh.insert(index, signature, check_duplication=False)
        grams.append(own)
    clusters = [find(index) for index in range(len(texts))]
    seconds = time.monotonic() - started
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "clusters.json").write_text(json.dumps(clusters))
    print_result(seconds)


if __name__ == "__main__":
    main()
