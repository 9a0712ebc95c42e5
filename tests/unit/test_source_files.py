import gzip
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reviewgen_spark.transforms.ingest.source_files import UnreadableFileError, read_records

LINES = b'\xef\xbb\xbf{"a": 1}\n\n{broken\r\n[1]\n{"a": "\xff"}\n{"a": 2}'


def read(path: Path, format_code: str, required: tuple[str, ...] = ()) -> list[tuple[int, int, object, object]]:
    return [(r.ordinal, r.line, r.values, r.reason) for r in read_records(str(path), format_code, required)]


def test_json_lines_keep_their_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    assert read(path, "jsonl") == [
        (1, 1, {"a": 1}, None),
        (2, 3, None, "malformed_json"),
        (3, 4, None, "not_an_object"),
        (4, 5, None, "malformed_json"),
        (5, 6, {"a": 2}, None),
    ]


def test_gzip_reads_as_plain(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(LINES)
    packed.write_bytes(gzip.compress(LINES))
    assert read(packed, "jsonl") == read(plain, "jsonl")


def test_a_gzip_cut_in_the_middle_is_unreadable_and_says_no_value(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b'{"secret": %d}\n' % (n * n) for n in range(20_000)))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])
    found = []
    with pytest.raises(UnreadableFileError) as error:
        found.extend(read_records(str(path), "jsonl", ()))
    assert "secret" not in str(error.value)
    assert len(found) > 5_000, "what stands before the cut can still be had"


def test_csv_with_quotes_commas_and_newlines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,"a, ""b""\nc"\n2,\n3,x,y\n', encoding="utf-8")
    assert read(path, "csv", ("id", "text")) == [
        (1, 1, {"id": "1", "text": 'a, "b"\nc'}, None),
        (2, 2, {"id": "2", "text": ""}, None),
        (3, 3, None, "wrong_field_count"),
    ]


def test_a_csv_field_of_a_million_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "字" * 1_000_000 + "\n", encoding="utf-8")
    assert len(next(read_records(str(path), "csv", ())).values["text"]) == 1_000_000  # type: ignore[index]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    at = datetime(2026, 1, 5, 8)
    pq.write_table(pa.table({"id": [1, None], "at": [at, None]}), path)
    assert read(path, "parquet") == [(1, 1, {"id": 1, "at": at}, None), (2, 2, {"id": None, "at": None}, None)]


@pytest.mark.parametrize("format_code", ["csv", "parquet"])
def test_a_missing_required_column_says_what_is_there(tmp_path: Path, format_code: str) -> None:
    path = tmp_path / f"a.{format_code}"
    if format_code == "csv":
        path.write_text("id,txt\n1,a\n", encoding="utf-8")
    else:
        pq.write_table(pa.table({"id": [1], "txt": ["a"]}), path)
    with pytest.raises(UnreadableFileError, match="required columns missing: text; found: id, txt"):
        list(read_records(str(path), format_code, ("id", "text")))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"PAR1 not parquet"])
def test_an_empty_or_false_file_never_crashes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError):
        list(read_records(str(path), "parquet", ()))
    assert all(record.reason for record in read_records(str(path), "jsonl", ()))


def test_text_that_is_no_utf_8_in_parquet_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    text = pa.array([b"\xe5\xa5\xbd", b"\xff\xe5\xa5", None], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": ["1", "2", "3"], "text": text}), path)
    records = read(path, "parquet")
    assert [values["text"] for _, _, values, _ in records] == ["好", "��", None]
