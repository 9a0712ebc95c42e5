"""The search for erased values: every spelling, archive and name that may hold one, and what was not searched."""

import base64
import bz2
import csv
import gzip
import html
import io
import json
import lzma
import os
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reviewgen_spark.operations.erasure import residual_scan
from reviewgen_spark.operations.erasure.escapes import unescaped
from reviewgen_spark.operations.erasure.needles import ByteNeedles
from reviewgen_spark.operations.erasure.packed_streams import Lz4Blocks
from reviewgen_spark.operations.erasure.residual_scan import Values, scan_files, search_files
from reviewgen_spark.operations.erasure.spark_folders import left_behind

TEXT = '他说"很好" & it\'s <b>fine</b>,\n第二行；100%\t\\n 完'
PLAIN = "canary-long-7f3a"
VALUES = Values(frozenset({TEXT, PLAIN}))


def as_csv(text: str) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(["r1", text, "5"])
    return out.getvalue()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: f"x{text}y",
    "CSV": as_csv,
    "CSV that quotes everything": lambda text: f'"r1","{text.replace(chr(34), chr(34) * 2)}"',
    "JSON": json.dumps,
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"text": text})),
    "JSON in CSV": lambda text: as_csv(json.dumps({"text": text})),
    "JSON with escaped slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "HTML": html.escape,
    "HTML with numbers": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "HTML with hexadecimal numbers": lambda text: "".join(f"&#x{ord(sign):X};" for sign in text),
    "HTML in JSON": lambda text: json.dumps(html.escape(text)),
    "JSON in HTML": lambda text: html.escape(json.dumps(text)),
    "URL": quote,
    "ends of lines of Windows": lambda text: text.replace("\n", "\r\n"),
    "literal of Python": lambda text: repr([text]),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("value", [TEXT, PLAIN, "日本語のレビュー😀です"])
def test_each_spelling_is_found(tmp_path: Path, value: str, spelling: Callable[[str], str]) -> None:
    (tmp_path / "a.txt").write_bytes(("文" * 50 + spelling(value) + "…").encode())
    (tmp_path / "b.txt").write_bytes(("文" * 50 + spelling(value[:-2] + "xx") + "…").encode())
    assert search_files([tmp_path], Values(frozenset({value}))) == [tmp_path / "a.txt"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "gb18030", "utf-8-sig"])
def test_other_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv("这是一条很长的评论").encode(encoding))
    assert search_files([tmp_path], Values(frozenset({"这是一条很长的评论"}))) == [tmp_path / "a.csv"]


def test_utf_16_with_doubled_quotes_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(as_csv(TEXT).encode("utf-16"))
    assert search_files([tmp_path], VALUES) == [tmp_path / "a.csv"]


def packed(kind: str, content: bytes) -> bytes:
    out = io.BytesIO()
    if kind in ("zip", "jar"):
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inside/a.txt", content)
    elif kind.startswith("tar"):
        with tarfile.open(fileobj=out, mode="w:" + kind.partition(".")[2]) as archive:
            entry = tarfile.TarInfo("inside/a.txt")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    elif kind in ("zst", "lz4"):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, {"zst": "zstd"}.get(kind, kind)) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()
    elif kind == "spark":
        return lz4_blocks(content)
    else:
        return {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[kind](content)
    return out.getvalue()


def lz4_blocks(content: bytes) -> bytes:
    """Packs bytes as Spark packs shuffle files: two streams of blocks, each with an end mark."""

    def block(part: bytes) -> bytes:
        body = pa.compress(part, codec="lz4_raw", asbytes=True) if part else b""
        sizes = len(body).to_bytes(4, "little") + len(part).to_bytes(4, "little")
        return b"LZ4Block" + bytes([0x26 if part else 0x16]) + sizes + b"\0" * 4 + body

    half = len(content) // 2
    return block(b"x" * 100) + block(b"") + block(content[:half]) + block(content[half:]) + block(b"")


KINDS = ("zip", "jar", "tar", "tar.gz", "tar.bz2", "tar.xz", "gz", "bz2", "xz", "zst", "lz4", "spark")


@pytest.mark.parametrize("kind", KINDS)
def test_packed_files_are_searched_whatever_their_name(tmp_path: Path, kind: str) -> None:
    filler = os.urandom(50_000).hex().encode()
    (tmp_path / "a.bin").write_bytes(packed(kind, filler + json.dumps(TEXT).encode() + filler))
    (tmp_path / "b.bin").write_bytes(packed(kind, filler))
    result = scan_files([tmp_path], VALUES)
    assert result.matches == [tmp_path / "a.bin"] and result.unsearched == []


@pytest.mark.parametrize("outer", ["zip", "tar.gz", "gz", "xz"])
@pytest.mark.parametrize("inner", ["zip", "tar.bz2", "gz", "parquet", "sqlite"])
def test_what_is_packed_twice_is_searched(tmp_path: Path, outer: str, inner: str) -> None:
    if inner == "parquet":
        pq.write_table(pa.table({"t": [TEXT]}), tmp_path / "inner", compression="zstd")
        content = (tmp_path / "inner").read_bytes()
    elif inner == "sqlite":
        with sqlite3.connect(tmp_path / "inner") as database:
            database.execute("CREATE TABLE t (a)")
            database.execute("INSERT INTO t VALUES (?)", ("x" * 5000 + TEXT,))
        database.close()
        content = (tmp_path / "inner").read_bytes()
    else:
        content = packed(inner, TEXT.encode())
    (tmp_path / "inner").unlink(missing_ok=True)
    (tmp_path / "a").write_bytes(packed(outer, content))
    assert search_files([tmp_path], VALUES) == [tmp_path / "a"]


def test_a_long_text_in_sqlite_is_found(tmp_path: Path) -> None:
    long = "".join(f"第{n}句，" for n in range(3000))
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute('CREATE TABLE "a""b" (a TEXT)')
        database.execute('INSERT INTO "a""b" VALUES (?)', (long,))
    database.close()
    assert search_files([tmp_path], Values(frozenset({long}))) == [tmp_path / "mlflow.db"]


@pytest.mark.parametrize("spelling", [str, json.dumps, lambda text: json.dumps(json.dumps(text))])
@pytest.mark.parametrize("before", range(-3, 4))
def test_a_text_over_the_edge_of_a_chunk_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: Callable[[str], str], before: int
) -> None:
    monkeypatch.setattr(residual_scan, "_CHUNK", 100_000)
    text = "".join(f"第{n}句话，“好”。" for n in range(900))
    content = spelling(text).encode()
    edge = len(content) // 2 + before * len(content) // 8
    (tmp_path / "a").write_bytes(b"x" * (100_000 - edge) + content + b"y" * 50_000)
    assert search_files([tmp_path], Values(frozenset({text}))) == [tmp_path / "a"]


def test_names_of_files_and_folders_are_searched(tmp_path: Path) -> None:
    ids = frozenset({"user/1 of 2 & co", "u1", "r-9", "12", "customer-5f1e0c"})
    names = (
        "customer-5f1e0c.json",
        "x-customer-5f1e0c-y",
        "user_id=u1/a",
        "r-9.html",
        quote("user/1 of 2 & co", safe=""),
    )
    for name in (*names, "u10.json", "au1", "batch_id=12/a", "12/b", "customer-5f1e0d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link-customer-5f1e0c").symlink_to(tmp_path / "au1")
    found = {str(path.relative_to(tmp_path)) for path in search_files([tmp_path], Values(ids))}
    assert found == {*names[:2], "user_id=u1", *names[3:], "link-customer-5f1e0c"}


def test_a_text_is_searched_in_no_name(tmp_path: Path) -> None:
    (tmp_path / "satisfaction.json").touch()
    assert search_files([tmp_path], Values(frozenset({"satisfaction"}), frozenset())) == []


def test_names_inside_archives_are_searched(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(f"users/{PLAIN}/x.txt", b"nothing")
    assert search_files([tmp_path], VALUES) == [tmp_path / "a.zip"]


def test_only_the_name_of_a_file_that_is_read_elsewhere_is_searched(tmp_path: Path) -> None:
    for name in ("a.jsonl", f"{PLAIN}.jsonl", "b.txt"):
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    result = scan_files([tmp_path], VALUES, read_elsewhere=[tmp_path / "a.jsonl", tmp_path / f"{PLAIN}.jsonl"])
    assert result.matches == [tmp_path / "b.txt", tmp_path / f"{PLAIN}.jsonl"]


def unsearchable(folder: Path) -> dict[str, str]:
    """Writes one file of each kind that cannot be searched to its end; returns its name with a word of the reason."""
    (folder / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + os.urandom(100))
    (folder / "b.rar").write_bytes(b"Rar!\x1a\x07\x01\x00" + os.urandom(100))
    (folder / "c.snappy").write_bytes(b"\xff\x06\x00\x00sNaPpY" + os.urandom(100))
    (folder / "d.gz").write_bytes(gzip.compress(os.urandom(100_000))[:-50_000])
    (folder / "e.zip").write_bytes(packed("zip", os.urandom(1000))[:-30])
    (folder / "f.parquet").write_bytes(b"PAR1" + os.urandom(1000) + b"PAR1")
    (folder / "g.parquet").write_bytes(b"no parquet")
    (folder / "shuffle_0.data").write_bytes(lz4_blocks(os.urandom(100_000))[:-500])
    nested = b"x"
    for _ in range(8):
        nested = packed("zip", nested)
    (folder / "h.zip").write_bytes(nested)
    encrypted = bytearray(packed("zip", b"x" * 100))
    for start in (encrypted.index(b"PK\x03\x04") + 6, encrypted.index(b"PK\x01\x02") + 8):
        encrypted[start] |= 1
    (folder / "i.zip").write_bytes(bytes(encrypted))
    (folder / "j.bin").write_bytes(packed("tar.gz", b"7z\xbc\xaf\x27\x1c" + os.urandom(100)))
    (folder / "broadcast_1_piece2").write_bytes(os.urandom(100))
    return {
        **{"a.7z": "7z", "b.rar": "rar", "c.snappy": "snappy", "i.zip": "encrypted", "j.bin": "7z"},
        **dict.fromkeys(("d.gz", "e.zip", "f.parquet", "shuffle_0.data"), "damaged"),
        **{"g.parquet": "no Parquet", "h.zip": "more than", "broadcast_1_piece2": "pieces"},
    }


def test_what_cannot_be_searched_is_named(tmp_path: Path) -> None:
    expected = unsearchable(tmp_path)
    result = scan_files([tmp_path], VALUES)
    assert result.matches == []
    reasons = {path.name: reason for path, reason in result.unsearched}
    assert reasons.keys() == expected.keys()
    assert [name for name, word in expected.items() if word not in reasons[name]] == []


def test_a_bomb_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residual_scan, "_MAX_UNPACKED", 10 * 2**20)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"\0" * 20 * 2**20))
    [(path, reason)] = scan_files([tmp_path], VALUES).unsearched
    assert path.name == "a.gz" and "unpacks to more than" in reason


def test_a_folder_or_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    plain_iterdir, plain_open = Path.iterdir, Path.open

    def iterdir(path: Path) -> Any:
        if path.name == "closed":
            raise PermissionError
        return plain_iterdir(path)

    def opened(path: Path, *args: Any) -> Any:
        if path.name == "b":
            raise PermissionError
        return plain_open(path, *args)

    monkeypatch.setattr(Path, "iterdir", iterdir)  # root may read everything, so the tests cannot use modes
    monkeypatch.setattr(Path, "open", opened)
    result = scan_files([tmp_path], VALUES)
    assert sorted(result.unsearched) == [(tmp_path / "b", "PermissionError"), (tmp_path / "closed", "PermissionError")]


def test_links_and_pipes(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a").write_text(PLAIN)
    real = tmp_path / "real"
    real.mkdir()
    (real / "b").write_text(PLAIN)
    (real / "out").symlink_to(tmp_path / "outside")
    (real / "in").symlink_to("b")
    (real / "broken").symlink_to("nowhere")
    (real / "circle").symlink_to(".")
    os.mkfifo(real / "pipe")
    (tmp_path / "root").symlink_to(real)
    result = scan_files([tmp_path / "root"], VALUES)
    assert result.matches == [real / "b"], "a linked root is searched"
    assert result.unsearched == [(real / "out", "a link to a place outside the searched folders")]


def test_nested_and_binary_columns(tmp_path: Path) -> None:
    columns = {
        "binary": pa.array([TEXT.encode()]),
        "large": pa.array([TEXT], pa.large_string()),
        "view": pa.array([TEXT]).cast(pa.string_view()),
        "fixed": pa.array([[TEXT, "b"]], pa.list_(pa.string(), 2)),
        "dictionary": pa.array([TEXT, TEXT]).dictionary_encode(),
        "escaped": pa.array([json.dumps({"a": TEXT})]),
    }
    for name, column in columns.items():
        pq.write_table(pa.table({"c": column}), tmp_path / f"{name}.parquet", compression="zstd", use_dictionary=False)
    pq.write_table(pa.table({"c": [PLAIN[:8], PLAIN[8:]]}), tmp_path / "two cells.parquet", compression="zstd")
    assert {path.stem for path in search_files([tmp_path], VALUES)} == set(columns)


def test_an_escaped_text_among_weights_is_found(tmp_path: Path) -> None:
    weights = os.urandom(4 * 2**20)
    (tmp_path / "a").write_bytes(weights + json.dumps([TEXT] * 2000).encode() + weights)
    (tmp_path / "b").write_bytes(weights + TEXT.encode() + weights)
    (tmp_path / "c").write_bytes(weights * 2)
    assert search_files([tmp_path], VALUES) == [tmp_path / "a", tmp_path / "b"]


def test_many_needles_are_found_in_one_pass() -> None:
    needles = [f"review-{n:06d}-text".encode() for n in range(5000)]
    index = ByteNeedles(needles)
    assert index.are_in(b"." * 999 + needles[4321] + b".") and index.are_in(needles[0]) and index.longest == 18
    assert not index.are_in(b"review-999999-text" * 1000) and not index.are_in(b"") and not index.are_in(b"short")
    assert not ByteNeedles([]).are_in(b"anything long enough")
    assert not index.are_in(needles[0][1:]), "its end alone is no match"


def test_blocks_that_are_not_packed_are_read_too() -> None:
    part = os.urandom(100)
    header = b"LZ4Block" + bytes([0x16]) + (100).to_bytes(4, "little") * 2 + b"\0" * 4
    assert Lz4Blocks(io.BytesIO(header + part)).read() == part


def test_unescaping_again_changes_nothing() -> None:
    for spelling in SPELLINGS.values():
        once = unescaped(spelling(TEXT).encode())
        assert unescaped(once) == once


def test_folders_that_killed_sessions_left_behind(tmp_path: Path) -> None:
    for name in ("blockmgr-1", "spark-2", "pyspark-3", "reviewgen-models-0", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "spark-file").touch()
    found = {folder.name for folder in left_behind({tmp_path, tmp_path / "missing"})}
    assert found == {"blockmgr-1", "spark-2", "pyspark-3"}


def test_base64_is_a_known_limit(tmp_path: Path) -> None:
    """The documents name it, so a change of either must change both."""
    (tmp_path / "a").write_bytes(base64.b64encode(TEXT.encode()))
    assert search_files([tmp_path], VALUES) == []
