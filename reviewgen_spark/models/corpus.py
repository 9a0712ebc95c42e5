"""The training corpus: labelled texts in Parquet shards, as the `corpus` stage wrote them.

    <corpus>/{train,validation,test}/*.parquet    record_id, text, label, category, rating, lang_code, and where
                                                  other tasks are taught: sentiment, toxicity
    <corpus>/manifest.json                        written last, so a folder without it is not a corpus

Read with pyarrow alone, so that training needs no Spark.
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
from reviewgen_spark.models.heads import MISSING

SplitName = Literal["train", "validation", "test"]
COLUMNS = ("record_id", "text", "label", "category", "rating", "lang_code")
TASK_COLUMNS = ("sentiment", "toxicity")  # a corpus of sentiment alone may lack them
LABELS = ("negative", "positive")  # the position is the value of the label column


@dataclass(frozen=True)
class Examples:
    """The rows of one split, ordered by record_id, so that shards and their order change nothing."""

    split: SplitName
    record_ids: list[str]
    texts: list[str]
    labels: npt.NDArray[np.int64]  # (N,); -1 where only other tasks have a label
    columns: dict[str, npt.NDArray[np.object_]]  # column -> (N,) values, None where unknown

    @property
    def slices(self) -> dict[str, npt.NDArray[np.object_]]:
        """What figures are broken down by: 'category', 'rating', 'lang' -> (N,) values, None where unknown."""
        return {
            "category": self.columns["category"],
            "rating": self.columns["rating"],
            "lang": self.columns["lang_code"],
        }

    def take(self, rows: npt.NDArray[np.int64]) -> "Examples":
        """Some of the rows, in the order given."""
        return Examples(
            split=self.split,
            record_ids=[self.record_ids[row] for row in rows],
            texts=[self.texts[row] for row in rows],
            labels=self.labels[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
        )

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.texts)


def read_split(corpus: Path, split: SplitName, every_task: bool = False) -> Examples:
    """Read one split.

    Args:
        corpus: a corpus folder.
        split: which.
        every_task: also the rows that have no sentiment label, as other tasks may learn from them.

    Raises:
        SchemaError: the folder, its manifest or a column is missing, or a label is neither 0 nor 1.
        DataQualityError: the split holds no row, or rows of one label only: nothing can be learnt or scored.
    """
    _manifest_bytes(corpus)
    if not (corpus / split).is_dir():
        raise SchemaError(f"{corpus}: has no folder '{split}'; run the corpus stage again")
    table = pq.read_table(corpus / split)
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise SchemaError(f"{corpus / split}: lacks the columns {missing}; got {table.column_names}")
    names = [*COLUMNS, *(name for name in TASK_COLUMNS if name in table.column_names)]
    table = table.select(names).sort_by("record_id")
    if not every_task:
        table = table.filter(pc.is_valid(table.column("label")))
    if table.num_rows == 0:
        raise DataQualityError(
            f"{corpus / split}: holds no labelled row; ingest more gold labels, or set finetune.labels to "
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


def corpus_fingerprint(corpus: Path) -> str:
    """What the rows of a corpus are known by: its manifest's own fingerprint, else the hash of the manifest."""
    content = _manifest_bytes(corpus)
    declared = json.loads(content).get("fingerprint")
    return str(declared) if declared else hashlib.sha256(content).hexdigest()


def _manifest_bytes(corpus: Path) -> bytes:
    manifest = corpus / "manifest.json"
    if not manifest.is_file():
        raise SchemaError(f"{corpus}: has no manifest.json, so it is no finished corpus; run the corpus stage again")
    return manifest.read_bytes()
