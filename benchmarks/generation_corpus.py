"""Joins several sets to a corpus for the comparison of language models, without copies, and holds out a tenth.

Products are unknown in these sets. So a tenth of the **clusters of near copies** is held out by hash; a twentieth is
for validation. Clusters are found by MinHash and true Jaccard over all sets together. Texts of 4 to 100 characters are
kept, so that no model truncates one. Texts get a form that every tokenizer here can decode again: NFKC, lower case, no
accents, spaces only between ASCII letters and digits. So every model is scored on the same characters.

    python benchmarks/generation_corpus.py --corpora CORPUS CORPUS --without CORPUS --out FOLDER

Test texts of the corpora in `--without`, and their near copies, are left out.
"""

import argparse
import hashlib
import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from corpora import SCHEMA, cluster, write_parts

from reviewgen_spark.config import DedupSection
from reviewgen_spark.text.cleaning.cleaner import key_of

SPLITS = ("train", "validation", "test")
SEED = "generation-1"
VALIDATION_PCT, TEST_PCT = 5, 10
MIN_CHARACTERS, MAX_CHARACTERS = 4, 100
_LOOSE_SPACE = re.compile(r"(?<![a-z0-9]) | (?![a-z0-9])")


def canonical(text: str) -> str:
    """Returns the form of a text that all tokenizers can decode again.

    >>> canonical("Ｃafé  的 房间，the room")
    'cafe的房间,the room'
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).lower())
    plain = unicodedata.normalize("NFC", "".join(mark for mark in plain if unicodedata.category(mark) != "Mn"))
    plain = "".join(" " if character.isspace() else character for character in plain)
    plain = "".join(character for character in plain if unicodedata.category(character)[0] != "C")
    return _LOOSE_SPACE.sub("", re.sub(" +", " ", plain)).strip()


def split_of(leader: str) -> str:
    """Returns the split of a cluster by the hash of its first text."""
    bucket = int(hashlib.sha256(f"{SEED}|{leader}".encode()).hexdigest()[:8], 16) % 100
    return "test" if bucket < TEST_PCT else "validation" if bucket < TEST_PCT + VALIDATION_PCT else "train"


def read_rows(corpus: Path, splits: tuple[str, ...]) -> list[dict[str, Any]]:
    """Returns the rows of a corpus, ordered by record_id."""
    rows = [row for split in splits for row in pq.read_table(corpus / split).to_pylist()]
    return sorted(rows, key=lambda row: str(row["record_id"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, nargs="+", required=True)
    parser.add_argument("--without", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = [row for corpus in options.without for row in read_rows(corpus, ("test",))]
    banned = len(rows)
    rows += [row for corpus in options.corpora for row in read_rows(corpus, SPLITS)]
    keys = [key_of(str(row["text"])) for row in rows]
    leaders = cluster(keys, DedupSection())
    parts: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    copies = sized = 0
    for index in range(banned, len(rows)):
        if leaders[index] != index:
            copies += 1
            continue
        text = canonical(str(rows[index]["text"]))
        if not MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS:
            sized += 1
            continue
        parts[split_of(keys[index])].append({**rows[index], "text": text})
    write_parts(parts, options.out, "generation", SCHEMA, "sentiment")
    counts = {split: len(part) for split, part in parts.items()}
    characters = {split: sum(len(str(row["text"])) for row in part) for split, part in parts.items()}
    print(json.dumps({"read": len(rows) - banned, "copies": copies, "other lengths": sized, **counts}))
    print(json.dumps({"characters": characters}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
