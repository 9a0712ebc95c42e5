"""The training corpus: labelled texts in Parquet shards, as the `corpus` stage wrote them.

    <corpus>/{train,validation,test}/*.parquet    record_id, text, label, category, rating, lang_code
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
import pyarrow.parquet as pq

from reviewgen_spark.errors import DataQualityError, SchemaError

SplitName = Literal["train", "validation", "test"]
COLUMNS = ("record_id", "text", "label", "category", "rating", "lang_code")
LABELS = ("negative", "positive")  # the position is the value of the label column


@dataclass(frozen=True)
class Examples:
    """The rows of one split, ordered by record_id, so that shards and their order change nothing."""

    split: SplitName
    record_ids: list[str]
    texts: list[str]
    labels: npt.NDArray[np.int64]  # (N,)
    slices: dict[str, npt.NDArray[np.object_]]  # 'category', 'rating', 'lang' -> (N,) values, None where unknown

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.texts)


def read_split(corpus: Path, split: SplitName) -> Examples:
    """Read one split.

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
    table = table.select(list(COLUMNS)).sort_by("record_id")
    if table.num_rows == 0:
        raise DataQualityError(
            f"{corpus / split}: holds no labelled row; ingest more gold labels, or set finetune.labels to "
            "'rating' or 'weak'"
        )
    columns: dict[str, list[Any]] = {name: table.column(name).to_pylist() for name in COLUMNS}
    values = set(columns["label"])
    if not values <= {0, 1}:
        raise SchemaError(
            f"{corpus / split}: label must be 0 (negative) or 1 (positive), got {sorted(map(str, values))}"
        )
    if len(values) == 1:
        raise DataQualityError(
            f"{corpus / split}: all {table.num_rows} rows are labelled '{LABELS[values.pop()]}'; a classifier needs "
            "rows of both labels: ingest more gold labels, or change the split's shares"
        )
    return Examples(
        split=split,
        record_ids=columns["record_id"],
        texts=[text or "" for text in columns["text"]],
        labels=np.asarray(columns["label"], dtype=np.int64),
        slices={
            name: np.asarray(columns[column], dtype=object)
            for name, column in (("category", "category"), ("rating", "rating"), ("lang", "lang_code"))
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
