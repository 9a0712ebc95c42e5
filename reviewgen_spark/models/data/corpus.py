"""Reads the training corpus: labelled texts in Parquet shards, written by the `corpus` stage.

    <corpus>/{train,validation,test}/*.parquet    record_id, text, label, category, rating, lang_code, and for other
                                                  tasks: sentiment, toxicity
    <corpus>/manifest.json                        written last, so a folder without it is not a corpus

A corpus of the task aspect has one row per text and aspect. Its columns are aspect and polarity instead of `label`.

It is read with pyarrow only, so that training needs no Spark.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reviewgen_spark.errors import DataQualityError, SchemaError
from reviewgen_spark.models.data.targets import MISSING

SplitName = Literal["train", "validation", "test"]
COLUMNS = ("record_id", "text", "label", "category", "rating", "lang_code")
TASK_COLUMNS = ("sentiment", "toxicity")  # may be missing in a corpus of sentiment only
LABELS = ("negative", "positive")  # the index is the value of the label column
ASPECT_COLUMNS = ("aspect", "polarity")
POLARITIES = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Examples:
    """Holds the rows of one split, ordered by record_id, so that the order of shards has no effect."""

    split: SplitName
    record_ids: list[str]
    texts: list[str]
    # (N,) indices of LABELS, or of POLARITIES if the rows have aspects; -1 if only other tasks have a label.
    labels: npt.NDArray[np.int64]
    columns: dict[str, npt.NDArray[np.object_]]  # column -> (N,) values, None where unknown
    aspects: list[str] | None = None  # the aspect of each label; None if labels are about the whole text

    @property
    def slices(self) -> dict[str, npt.NDArray[np.object_]]:
        """Returns the values of each slice: 'category', 'rating', 'lang' -> (N,) values, None where unknown."""
        return {
            "category": self.columns["category"],
            "rating": self.columns["rating"],
            "lang": self.columns["lang_code"],
        }

    def take(self, rows: npt.NDArray[np.int64]) -> "Examples":
        """Returns some of the rows, in the given order."""
        return Examples(
            split=self.split,
            record_ids=[self.record_ids[row] for row in rows],
            texts=[self.texts[row] for row in rows],
            labels=self.labels[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
            aspects=None if self.aspects is None else [self.aspects[row] for row in rows],
        )

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.texts)


def read_split(corpus: Path, split: SplitName, every_task: bool = False) -> Examples:
    """Reads one split.

    Args:
        corpus: a corpus folder.
        split: its name.
        every_task: also read rows without a sentiment label, because other tasks may have one.

    Raises:
        SchemaError: the folder, its manifest or a column is missing, or a label is neither 0 nor 1.
        DataQualityError: the split has no rows, or rows of only one label, so it cannot be used.
    """
    table = _read_table(corpus, split, COLUMNS)
    names = [*COLUMNS, *(name for name in TASK_COLUMNS if name in table.column_names)]
    table = table.select(names).sort_by("record_id")
    if not every_task:
        table = table.filter(pc.is_valid(table.column("label")))
    if table.num_rows == 0:
        raise DataQualityError(
            f"{corpus / split}: has no labelled row; ingest more gold labels, or set finetune.labels to "
            "'rating' or 'weak'"
        )
    columns: dict[str, list[Any]] = {name: table.column(name).to_pylist() for name in names}
    values = set(columns["label"]) - {None}
    if not values <= {0, 1}:
        raise SchemaError(
            f"{corpus / split}: label must be 0 (negative) or 1 (positive), got {sorted(map(str, values))}"
        )
    if len(values) < 2:
        raise DataQualityError(
            f"{corpus / split}: all {table.num_rows} rows are labelled '{LABELS[values.pop()] if values else None}'; a "
            "classifier needs rows of both labels: ingest more gold labels, or change the split's shares"
        )
    return Examples(
        split=split,
        record_ids=columns["record_id"],
        texts=[text or "" for text in columns["text"]],
        labels=np.asarray([MISSING if label is None else label for label in columns["label"]], dtype=np.int64),
        columns={
            name: np.asarray(columns.get(name, [None] * table.num_rows), dtype=object)
            for name in (*COLUMNS[3:], *TASK_COLUMNS)
        },
    )


def read_aspects(corpus: Path, split: SplitName) -> Examples:
    """Reads one split of a corpus of the task aspect, ordered by record_id and aspect.

    Raises:
        SchemaError: the folder, its manifest or a column is missing, or a polarity is not in POLARITIES.
        DataQualityError: the split has no rows, or rows of only one polarity, so it cannot be used.
    """
    columns = ("record_id", "text", *ASPECT_COLUMNS, *COLUMNS[3:])
    table = _read_table(corpus, split, columns).select(columns)
    table = table.sort_by([("record_id", "ascending"), ("aspect", "ascending")])
    rows: dict[str, list[Any]] = table.to_pydict()
    values = set(rows["polarity"])
    if not values <= set(POLARITIES):
        raise SchemaError(
            f"{corpus / split}: polarity must be {', '.join(POLARITIES)}, got "
            f"{sorted(str(value) for value in values - set(POLARITIES))}"
        )
    if len(values) < 2:
        raise DataQualityError(
            f"{corpus / split}: has {table.num_rows} rows with an aspect, of {len(values)} polarities; 2 are needed: "
            "ingest more gold labels of tasks such as aspect:battery, or change the split's shares"
        )
    return Examples(
        split=split,
        record_ids=rows["record_id"],
        texts=[text or "" for text in rows["text"]],
        labels=np.asarray([POLARITIES.index(value) for value in rows["polarity"]], dtype=np.int64),
        columns={name: np.asarray(rows[name], dtype=object) for name in COLUMNS[3:]},
        aspects=[aspect or "" for aspect in rows["aspect"]],
    )


def _read_table(corpus: Path, split: SplitName, columns: tuple[str, ...]) -> Any:
    _manifest_bytes(corpus)
    if not (corpus / split).is_dir():
        raise SchemaError(f"{corpus}: has no folder '{split}'; run the corpus stage again")
    table = pq.read_table(corpus / split)
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise SchemaError(
            f"{corpus / split}: lacks the columns {missing}; got {table.column_names}. A corpus has the "
            "columns of finetune.tasks at the time of writing: run the corpus stage again"
        )
    return table


def corpus_fingerprint(corpus: Path) -> str:
    """Returns the fingerprint in the manifest of a corpus, or the hash of a manifest without one."""
    content = _manifest_bytes(corpus)
    declared = json.loads(content).get("fingerprint")
    return str(declared) if declared else hashlib.sha256(content).hexdigest()


def _manifest_bytes(corpus: Path) -> bytes:
    manifest = corpus / "manifest.json"
    if not manifest.is_file():
        raise SchemaError(f"{corpus}: has no manifest.json, so the corpus is not finished; run the corpus stage again")
    return manifest.read_bytes()
