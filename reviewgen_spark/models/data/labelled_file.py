"""Reads a file of labelled texts: CSV, TSV or JSON lines, plain or gzipped, with common names of labels."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reviewgen_spark.config.untrusted_json import MAX_LINE_CHARS, parse_json, read_lines
from reviewgen_spark.errors import DataQualityError, SchemaError

POSITIVE = frozenset({"1", "positive", "pos", "正面", "积极", "好评", "true", "good"})
NEGATIVE = frozenset({"0", "-1", "negative", "neg", "负面", "消极", "差评", "false", "bad"})
NEUTRAL = frozenset({"neutral", "中性", "中立", "中评", ""})
STARS = {"1": 0, "2": 0, "3": None, "4": 1, "5": 1}
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
JSON_SUFFIXES = (".jsonl", ".json", ".ndjson")


@dataclass(frozen=True)
class LabelledTexts:
    """Holds the rows that can be scored, in file order, and counts the other rows by reason."""

    texts: list[str]
    labels: npt.NDArray[np.int64]  # (N,) 0 negative, 1 positive
    slices: npt.NDArray[np.object_]  # (N,) values of the slice column, None if there is none
    left_out: dict[str, int]  # reason -> rows
    rows: int  # of the file


def read_labelled_file(
    path: Path,
    text: str,
    label: str,
    stars: bool = False,
    slice_by: str | None = None,
    delimiter: str | None = None,
    has_header: bool = True,
) -> LabelledTexts:
    """Reads texts and their labels.

    Args:
        path: the file; its suffix gives the format (`.csv`, `.tsv`, `.jsonl`, also with `.gz`).
        text: column of the text, or its index from 0 if there is no header.
        label: column of the label, or its index. Labels are 0 or 1, or words such as positive, 正面, 差评.
        stars: whether labels are 1 to 5 stars. 1 and 2 are negative, 4 and 5 are positive, 3 is left out.
        slice_by: column of the slices.
        delimiter: the delimiter of a delimited file; by default, the suffix gives it.
        has_header: whether the first line names the columns.

    Raises:
        SchemaError: the file is missing or cannot be read, a column is missing, or labels are unknown.
        DataQualityError: no rows can be scored, or rows of only one label.
    """
    if not path.is_file():
        raise SchemaError(f"--data {path}: there is no such file")
    columns = {"text": text, "label": label} | ({"slice": slice_by} if slice_by else {})
    texts: list[str] = []
    labels: list[int] = []
    slices: list[Any] = []
    left_out: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    rows = 0
    try:
        for values in _records(path, columns, delimiter, has_header):
            rows += 1
            value = str(values["label"] if values["label"] is not None else "").strip().casefold().removesuffix(".0")
            content = values["text"]
            if not isinstance(content, str) or not content.strip():
                left_out["no text"] += 1
                continue
            number = STARS.get(value, -1) if stars else _number(value)
            if number is None:
                left_out["neutral or unlabelled"] += 1
            elif number < 0:
                unknown[value[:20]] += 1
            else:
                texts.append(content)
                labels.append(number)
                slices.append(values.get("slice"))
    except (SchemaError, DataQualityError):
        raise
    except (ValueError, csv.Error, OSError, EOFError, zlib.error) as error:
        raise SchemaError(
            f"--data {path}: cannot be read after row {rows:,} ({type(error).__name__}); expected UTF-8, and "
            "CSV, TSV or JSON lines by its suffix"
        ) from None
    if unknown:
        # A wrong label column may contain texts, so only short values are printed.
        shown = ", ".join(sorted(repr(name) for name in unknown if len(name) < 12)[:5])
        raise SchemaError(
            f"--label {label}: {sum(unknown.values()):,} of {rows:,} rows have no sentiment label ({shown}); "
            "expected 0 or 1, positive or negative, 正面 or 负面, or 1 to 5 with --stars"
        )
    if len(set(labels)) < 2:
        raise DataQualityError(
            f"--data {path}: {len(labels):,} of {rows:,} rows can be scored, but both labels are needed; left out: "
            f"{dict(left_out) or 'none'}"
        )
    return LabelledTexts(
        texts, np.asarray(labels, dtype=np.int64), np.asarray(slices, dtype=object), dict(left_out), rows
    )


def _number(label: str) -> int | None:
    if label in NEUTRAL:
        return None
    return 1 if label in POSITIVE else 0 if label in NEGATIVE else -1


def _records(
    path: Path, columns: Mapping[str, str], delimiter: str | None, has_header: bool
) -> Iterator[dict[str, Any]]:
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    is_zipped = path.suffix == ".gz"
    with gzip.open(path, "rb") if is_zipped else path.open("rb") as opened:
        stream = io.TextIOWrapper(opened, encoding="utf-8-sig", newline="")
        if suffix.lower() in JSON_SUFFIXES and delimiter is None:
            yield from _json_lines(stream, path, columns)
        else:
            yield from _delimited(stream, path, columns, delimiter or DELIMITERS.get(suffix.lower(), ","), has_header)


def _json_lines(stream: io.TextIOWrapper, path: Path, columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for line in read_lines(stream):
        if not line.strip():
            continue
        record = parse_json(line)
        if not isinstance(record, dict):
            raise SchemaError(f"--data {path}: expected one JSON object a line, got a {type(record).__name__}")
        _require_columns(path, columns, list(record))
        yield {name: record[column] for name, column in columns.items()}


def _delimited(
    stream: io.TextIOWrapper, path: Path, columns: Mapping[str, str], delimiter: str, has_header: bool
) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(MAX_LINE_CHARS)  # the default refuses a field of 131,072 characters
    # Files with other delimiters do not quote fields, and their texts may contain quotation marks.
    is_quoted = delimiter in (",", ";", "\t")
    reader = csv.reader(stream, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE)
    indices: dict[str, int] | None = None
    for row in reader:
        if indices is None:
            header = row if has_header else [str(index) for index in range(len(row))]
            _require_columns(path, columns, header)
            indices = {name: header.index(column) for name, column in columns.items()}
            if has_header:
                continue
        if row:
            yield {name: row[index] if index < len(row) else None for name, index in indices.items()}


def _require_columns(path: Path, required: Mapping[str, str], columns: list[str]) -> None:
    missing = [column for column in required.values() if column not in columns]
    if missing:
        # Without a header line, the first row may contain texts, so only short values are printed.
        shown = ", ".join(name for name in columns if len(name) <= 30)[:200]
        raise SchemaError(
            f"--data {path}: has no column {', '.join(missing)}; it has {shown}. A file without a header line needs "
            "--no-header, and positions from 0"
        )
