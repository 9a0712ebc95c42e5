"""What an erasure does to files, without Spark: emptied records, corpora and models, the search for what is left."""

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reviewgen_spark.config import IngestSection, load_config
from reviewgen_spark.operations.erasure.model_lineage import corpora_with, models_of
from reviewgen_spark.operations.erasure.residual_scan import Values, search_files
from reviewgen_spark.text.privacy.erasure_keys import Erased, erasure_key, key_fingerprint
from reviewgen_spark.transforms.erasure.landing_files import empty_records
from reviewgen_spark.transforms.ingest.ingest import is_erased
from reviewgen_spark.transforms.ingest.record_parsing import Parsed
from reviewgen_spark.transforms.ingest.source_files import read_records
from reviewgen_spark.transforms.ingest.source_record import SourceRecord

KEY = b"a key of sixteen bytes"
ERASED = Erased(frozenset({erasure_key("user", "u 1", KEY), erasure_key("review", "r-9", KEY)}), KEY)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"user_id": "u 1", "text": "cut', True),
        ("p1,u 1,five,text", True),
        ("p1,r-9;5,text", True),
        ('{"user_id": "\\u0075 1"', True),
        ('{"user_id": "u 11", "text": "u", "n": 1', False),
        ('{"review_id": ["r-9"]}', True),
        ("", False),
    ],
)
def test_a_record_that_cannot_be_typed_is_asked_for_names(raw: str, expected: bool) -> None:
    assert is_erased(Parsed({}, ("malformed",)), raw, ERASED) is expected
    assert not Erased(frozenset(), KEY).is_named_in(raw)


def test_a_typed_record_is_asked_for_its_own_ids() -> None:
    def is_gone(user: str | None, review: str) -> bool:
        return is_erased(Parsed({"user_id": user, "review_id": review}, ()), "", ERASED)

    assert is_gone("u 1", "r") and is_gone(None, "r-9")
    # an id of one kind is none of the other
    assert not is_gone("r-9", "u 1") and not is_gone(None, "r")


def test_another_secret_gives_other_hashes_and_says_so() -> None:
    assert erasure_key("user", "u", KEY) != erasure_key("user", "u", KEY + b"!")
    assert key_fingerprint(KEY) != key_fingerprint(KEY + b"!")


def write(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    os.utime(file, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
    return file


def unpacked(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.name.endswith(".gz") else file.read_bytes()


JSON = b'\xef\xbb\xbf{"a": 1}\r\n\n{"a": "\xff"}\n  {"a": 3}  \n{"a": 4'
CSV = b'\xef\xbb\xbfid,text,c\r\n1,"two\nlines, and ""more""",x\r\n2,\xffplain,y\n\n3,,z'


@pytest.mark.parametrize(
    ("name", "content", "ordinals", "expected"),
    [
        ("a.jsonl", JSON, {1, 3}, b'{}\n\n{"a": "\xff"}\n{}\n{"a": 4'),
        ("a.jsonl.gz", JSON, {4}, JSON.replace(b'{"a": 4', b"{}")),
        ("a.csv", CSV, {1}, CSV.replace(b'1,"two\nlines, and ""more""",x\r\n', b",,\n")),
        ("a.csv.gz", CSV, {2, 3}, CSV.replace(b"2,\xffplain,y\n", b",,\n").replace(b"3,,z", b",,\n")),
    ],
)
def test_emptied_records_leave_the_others_byte_for_byte(
    tmp_path: Path, name: str, content: bytes, ordinals: set[int], expected: bytes
) -> None:
    file = write(tmp_path, name, content)
    kind = name.split(".")[1]
    before = list(read_records(str(file), kind, "reviews", IngestSection(), is_strict=False))
    copy = empty_records(file, kind, ordinals, "reviews", IngestSection())
    assert unpacked(copy) == expected
    assert unpacked(file) == content, "the file itself is not touched"
    assert copy.stat().st_mtime_ns == file.stat().st_mtime_ns
    copy.replace(file)
    after = list(read_records(str(file), kind, "reviews", IngestSection(), is_strict=False))
    assert [(r.ordinal, r.line) for r in after] == [(r.ordinal, r.line) for r in before]
    assert all(one == other for one, other in zip(before, after, strict=True) if one.ordinal not in ordinals)
    assert all(is_empty(record) for record in after if record.ordinal in ordinals)


def is_empty(record: SourceRecord) -> bool:
    return record.values is not None and not any(record.values.values())


def test_a_parquet_file_keeps_its_types_and_row_groups(tmp_path: Path) -> None:
    rows = [
        {"id": n, "text": f"t{n}", "tags": [f"x{n}"], "more": {"k": n}, "kind": "a" if n % 2 else "b"} for n in range(7)
    ]
    table = pa.Table.from_pylist(rows)
    schema = pa.schema([pa.field("id", pa.int64(), nullable=False), *list(table.schema)[1:]])
    table = pa.Table.from_arrays(table.columns, schema=schema)
    table = table.set_column(4, "kind", table.column("kind").dictionary_encode())
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3, compression="zstd")
    copy = empty_records(tmp_path / "a.parquet", "parquet", {2, 7}, "reviews", IngestSection())
    emptied = pq.ParquetFile(copy)
    assert [emptied.metadata.row_group(n).num_rows for n in range(3)] == [3, 3, 1]
    assert emptied.metadata.row_group(0).column(0).compression == "ZSTD"
    nothing = dict.fromkeys(rows[0])
    assert pq.read_table(copy).to_pylist() == [nothing if n in (1, 6) else row for n, row in enumerate(rows)]


def test_the_search_reads_packed_and_nested_values_and_finds_no_part_of_a_short_one(tmp_path: Path) -> None:
    write(tmp_path, "a.log", "…名字是 canary-long，好".encode())
    write(tmp_path, "b.json", json.dumps({"t": "名字是长长的"}).encode())
    write(tmp_path, "c.jsonl.gz", b"x" * 10_000 + b"canary-long")
    pq.write_table(
        pa.table({"m": pa.array([[("k", "u1")]], pa.map_(pa.string(), pa.string()))}), tmp_path / "d.parquet"
    )
    nested = [{"s": {"words": ["one", "holds canary-long inside"]}}]
    pq.write_table(pa.Table.from_pylist(nested), tmp_path / "e.parquet", compression="zstd")
    pq.write_table(pa.table({"t": ["u10", "au1"]}), tmp_path / "f.parquet")
    write(tmp_path, "g.txt", b"u1 canary-lon g")
    (tmp_path / "skipped").mkdir()
    write(tmp_path / "skipped", "h.txt", b"canary-long")
    (tmp_path / "link").symlink_to(tmp_path / "a.log")
    values = Values(frozenset({"canary-long", "u1", "名字是长长的"}))
    found = search_files([tmp_path, tmp_path], values, [tmp_path / "skipped"])
    assert [file.name for file in found] == ["a.log", "b.json", "c.jsonl.gz", "d.parquet", "e.parquet"]
    assert search_files([tmp_path], Values(frozenset())) == []


def test_a_value_across_two_chunks_is_found(tmp_path: Path) -> None:
    write(tmp_path, "a.bin", b"x" * (8 * 2**20 - 5) + b"canary-long")
    assert len(search_files([tmp_path], Values(frozenset({"canary-long"})))) == 1


def test_corpora_that_hold_a_record_and_the_models_that_read_them(tmp_path: Path) -> None:
    config = load_config("local", [f"paths.root={tmp_path}"])
    artifacts = tmp_path / "artifacts"
    for name, ids in (("c1", ["r1", "r2"]), ("c2", ["r3"])):
        (artifacts / "corpus" / name / "train").mkdir(parents=True)
        pq.write_table(pa.table({"record_id": ids}), artifacts / "corpus" / name / "train" / "0.parquet")
        (artifacts / "corpus" / name / "manifest.json").write_text(json.dumps({"fingerprint": name}))
    (artifacts / "corpus" / "latest").symlink_to("c1")
    for stage, name, content in (
        ("finetune", "m1", {"corpus_fingerprint": "c1"}),
        ("finetune", "m2", {"corpus_fingerprint": "c2"}),
        ("pretrain", "m3", {"corpus": "c1"}),
        ("evaluate", "m4", [1]),
    ):
        (artifacts / stage / name).mkdir(parents=True)
        (artifacts / stage / name / "facts.json").write_text(json.dumps(content))
    assert corpora_with(config, {"r2", "unknown"}) == [artifacts / "corpus" / "c1"]
    assert models_of(config, {"c1"}) == [str(artifacts / "finetune" / "m1"), str(artifacts / "pretrain" / "m3")]
    assert not (tmp_path / "mlflow").exists(), "asking must not make a store"
