"""Exports generated texts to files, with labels and metadata, and records each export.

Published texts and training data go to separate files, both with AIGC metadata. Published texts begin with the visible
label; training data must not be shown. The content, user and reason of an export are recorded before the first line is
written. The folder is created atomically.
"""

import csv
import getpass
import json
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TextIO, get_args

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from reviewgen_spark.config.messages import hide_secrets
from reviewgen_spark.errors import ConfigError, DataQualityError, SchemaError
from reviewgen_spark.orchestration.runner import Run
from reviewgen_spark.text.requests.provenance import labelled, parse_aigc
from reviewgen_spark.text.requests.purposes import PUBLISHABLE, Purpose
from reviewgen_spark.transforms.views import publishable_texts, training_texts

FormatCode = Literal["jsonl", "csv"]
FORMATS: tuple[FormatCode, ...] = get_args(FormatCode)
EXPORTABLE: tuple[Purpose, ...] = (*sorted(PUBLISHABLE), "augmentation")
TABLES = ("gold_generated_texts", "gold_review_replies", "gold_product_summaries")
_LOG = "ops_text_exports"
_FORMULA = re.compile(r"[\s\ufeff\u200b]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")  # full-width ones too
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TEXTS, _TRAINING = "texts", "training"


@dataclass(frozen=True)
class TextExport:
    """Describes which texts to export, and how.

    Attributes:
        out: Folder to write; must be empty or absent.
        purposes: Purposes of the texts to export.
        format_code: jsonl or csv.
        is_stripped: Whether to leave out visible labels and metadata.
        reason: Reason of the export; recorded in ops_text_exports.

    Raises:
        ConfigError: The folder is not empty, a purpose is never exported, or labels are stripped without a
            reason.
    """

    out: Path
    purposes: tuple[Purpose, ...] = tuple(sorted(PUBLISHABLE))
    format_code: FormatCode = "jsonl"
    is_stripped: bool = False
    reason: str | None = None

    def __post_init__(self) -> None:
        if unknown := [purpose for purpose in self.purposes if purpose not in EXPORTABLE]:
            raise ConfigError(
                f"--purpose {', '.join(unknown)}: expected {', '.join(EXPORTABLE)}; drafts are never exported"
            )
        if self.is_stripped and not (self.reason or "").strip():
            raise ConfigError(
                "--strip: generated texts must be labelled (GB 45438-2025); give the reason for an exception with "
                f"--reason '…'; it is recorded in {_LOG} with your name"
            )
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise ConfigError(f"--out {self.out}: expected an empty or absent folder; choose another, or empty it")


@dataclass(frozen=True)
class Exported:
    """Reports the exported texts by purpose, and their folder."""

    folder: Path
    text_counts: Mapping[str, int]
    is_stripped: bool

    def lines(self) -> list[str]:
        """Returns the lines that `reviewgen export texts` prints."""
        counts = [f"{purpose}: {count:,} texts" for purpose, count in sorted(self.text_counts.items())]
        labelling = (
            "WITHOUT visible labels and AIGC metadata" if self.is_stripped else "with visible labels and AIGC metadata"
        )
        return [*(counts or ["no text of these purposes"]), f"{self.folder}: written {labelling}; recorded in {_LOG}"]


def export_texts(run: Run, export: TextExport) -> Exported:
    """Writes the texts of some purposes to a folder.

    Args:
        run: Run that holds the warehouse.
        export: Texts to export, format and folder.

    Raises:
        SchemaError: The tables of generated texts do not exist.
        DataQualityError: A text does not match its metadata, because it was changed after generation.
    """
    if missing := [name for name in TABLES if not run.warehouse.exists(name)]:
        raise SchemaError(f"{', '.join(missing)}: no such table yet; write texts with `reviewgen run generate`")
    run.warehouse.converge([_LOG])
    versions = {name: run.warehouse.version(name) for name in TABLES}
    generated, replies, summaries = (run.warehouse.read(name, version) for name, version in versions.items())
    texts = publishable_texts(generated, replies, summaries).unionByName(training_texts(generated))
    texts = texts.where(F.col("purpose").isin(list(export.purposes)))
    counts = {row["purpose"]: int(row["count"]) for row in texts.groupBy("purpose").count().collect()}
    _record(run, export, counts, versions)
    staging = export.out.with_name(f".{export.out.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)  # left from a killed export
    staging.mkdir(parents=True)
    try:
        written = _write(run, export, texts, staging)
        if written != counts:
            raise DataQualityError(
                f"{export.out}: {written} texts were written, but {counts} were counted before; nothing is exported"
            )
        run.lease.check()
        if export.out.is_dir():
            export.out.rmdir()  # checked to be empty before; fails if a file was added since
        staging.replace(export.out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Exported(export.out, counts, export.is_stripped)


def _record(run: Run, export: TextExport, counts: Mapping[str, int], versions: Mapping[str, int]) -> None:
    """Appends the export to ops_text_exports."""
    run.lease.check()
    row = {
        "export_id": run.run_id,
        "user_name": getpass.getuser(),
        "host": socket.gethostname(),
        "at": datetime.now(UTC),
        "purposes": sorted(export.purposes),
        "is_stripped": export.is_stripped,
        "reason": hide_secrets((export.reason or "").strip()) or None,
        "format_code": export.format_code,
        "folder": hide_secrets(str(export.out)),
        "text_counts": dict(counts),
        "table_versions": dict(versions),
    }
    run.warehouse.records(_LOG).append([row])


def _write(run: Run, export: TextExport, texts: DataFrame, folder: Path) -> dict[str, int]:
    """Writes the files row by row, so that memory does not grow with the rows, and the manifest last."""
    counts: dict[str, int] = {}
    files = []
    for name, is_training in ((_TEXTS, False), (_TRAINING, True)):
        if not any((purpose == "augmentation") == is_training for purpose in export.purposes):
            continue
        is_augmentation = F.col("purpose") == "augmentation"
        rows = texts.where(is_augmentation if is_training else ~is_augmentation).orderBy("purpose", "text_id")
        path = folder / f"{name}.{export.format_code}"
        with path.open("w", encoding="utf-8", newline="") as file:
            for row in _lines(run, export, rows, file):
                counts[row["purpose"]] = counts.get(row["purpose"], 0) + 1
        files.append(path)
    manifest = {
        "export_id": run.run_id,
        "is_synthetic": True,
        "is_stripped": export.is_stripped,
        "purposes": sorted(export.purposes),
        "text_counts": counts,
        "files": {path.name: sha256(path.read_bytes()).hexdigest() for path in files},
        "use": {_TEXTS: "may be shown, with the visible label", _TRAINING: "to train models on; never to be shown"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return counts


def _lines(run: Run, export: TextExport, rows: DataFrame, file: TextIO) -> Iterator[dict[str, Any]]:
    """Writes the rows to a file, and yields the values of each."""
    writer: Any = None
    for row in rows.toLocalIterator(prefetchPartitions=True):
        values = exported_row(row, export.is_stripped, run.config.provenance.content_propagator, run.run_id)
        if export.format_code == "jsonl":
            file.write(json.dumps(values, ensure_ascii=False) + "\n")
        else:
            flat = {name: csv_cell(value) for name, value in values.items()}
            if writer is None:
                writer = csv.DictWriter(file, list(flat))
                writer.writeheader()
            writer.writerow(flat)
        yield values


def csv_cell(value: Any) -> str | int | float | None:
    """Returns a value as a cell of CSV. A text that a spreadsheet would compute as a formula gets an apostrophe.

    Such a text begins with `= + - @`, a tab or a line break, also after blanks. A number stays as it is.

    >>> csv_cell("=1+2"), csv_cell("-2.5"), csv_cell("- good")
    ("'=1+2", '-2.5', "'- good")
    """
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def exported_row(row: Row | Mapping[str, Any], is_stripped: bool, propagator: str, export_id: str) -> dict[str, Any]:
    """Returns the exported values of a text, with metadata under the key AIGC, unless it is stripped.

    The text begins with the visible label, unless it is stripped or training data.

    Raises:
        DataQualityError: The text does not match its metadata.
    """
    aigc = parse_aigc(row["aigc"])
    if not aigc.fits(row["text"]):
        raise DataQualityError(
            f"text {row['text_id']}: does not fit its AIGC metadata, so it was changed later; generate it again"
        )
    is_shown = row["purpose"] != "augmentation"
    values = {
        "text_id": row["text_id"],
        "purpose": row["purpose"],
        "is_synthetic": True,
        "product_id": row["product_id"],
        "record_id": row["record_id"],
        "lang_code": row["lang_code"],
        "text": labelled(row["text"], row["lang_code"]) if is_shown and not is_stripped else row["text"],
        "model_name": row["model_name"],
        "model_version": row["model_version"],
        "source_record_ids": list(row["source_record_ids"]),
    }
    if not is_stripped:
        metadata = replace(aigc, ContentPropagator=propagator, PropagateID=f"{export_id}/{row['text_id']}")
        values["AIGC"] = asdict(metadata)
    return values
