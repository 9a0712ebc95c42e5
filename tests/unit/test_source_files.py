"""Records of delivered files, by format: what is read, what is refused, and what is never said."""

import gzip
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reviewgen_spark.config import IngestSection
from reviewgen_spark.transforms.ingest.columns import FEEDS
from reviewgen_spark.transforms.ingest.json_records import split_json
from reviewgen_spark.transforms.ingest.record_parsing import parser_of
from reviewgen_spark.transforms.ingest.source_files import read_records
from reviewgen_spark.transforms.ingest.source_record import SourceRecord, UnreadableFileError

SECTION = IngestSection()
LINES = b'\xef\xbb\xbf{"a": 1}\n\n{broken\r\n[1]\n{"a": "\xff"}\n{"a": 2}'
TEXT = "屏幕清晰，电池一般，客服态度差，加微信wx_abc123，电话13800000001"
HEADER = "review_id,product_id,user_id,rating,text,created_at"


def records(
    path: Path, format_code: str, *, is_strict: bool = False, section: IngestSection = SECTION
) -> list[SourceRecord]:
    return list(read_records(str(path), format_code, "reviews", section, is_strict))


def read(path: Path, format_code: str, **options: Any) -> list[tuple[int, int, object, object]]:
    return [(r.ordinal, r.line, r.values, r.reason) for r in records(path, format_code, **options)]


def outcomes(path: Path, format_code: str, section: IngestSection = SECTION) -> list[dict[str, Any] | tuple[str, ...]]:
    """Returns the typed values of each record, or the reasons against it, as ingest sees them."""
    parse = parser_of("reviews", section.source, section.zone)
    found: list[dict[str, Any] | tuple[str, ...]] = []
    for record in read_records(str(path), format_code, "reviews", section):
        if record.values is None:
            found.append((record.reason or "",))
            continue
        parsed = parse(record.values)
        found.append(parsed.values if not parsed.reasons else parsed.reasons)
    return found


def texts(path: Path, format_code: str, section: IngestSection = SECTION) -> list[str | tuple[str, ...]]:
    return [one["text_raw"] if isinstance(one, dict) else one for one in outcomes(path, format_code, section)]


def write(folder: Path, name: str, content: bytes | str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


# -- JSON ------------------------------------------------------------------------------------------------------------


def test_json_lines_keep_their_line_numbers(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.jsonl", LINES), "jsonl") == [
        (1, 1, {"a": 1}, None),
        (2, 3, None, "malformed_json"),
        (3, 4, None, "not_an_object"),
        (4, 5, None, "not_decodable"),
        (5, 6, {"a": 2}, None),
    ]


@pytest.mark.parametrize(
    "content",
    [
        '[\n  {\n    "a": "}{[]",\n    "b": {"c": "\\"]"}\n  },\n  {"a": 2}\n]\n',
        '[{"a": "}{[]", "b": {"c": "\\"]"}}, {"a": 2}]',
        '{\n "a": "}{[]", "b":\n {"c": "\\"]"}\n}\n{\n"a": 2\n}\n',
        '\ufeff[\r\n{"a": "}{[]", "b": {"c": "\\"]"}},{"a": 2}]',
    ],
)
def test_an_array_and_objects_over_several_lines(tmp_path: Path, content: str) -> None:
    found = records(write(tmp_path, "a.json", content), "jsonl")
    assert [record.values for record in found] == [{"a": "}{[]", "b": {"c": '"]'}}, {"a": 2}]
    assert [record.ordinal for record in found] == [1, 2]


def test_a_malformed_object_of_an_array_is_one_record(tmp_path: Path) -> None:
    content = '[\n{"a": 1},\n{"a": oops},\n{"a": 3}\n]'
    assert read(write(tmp_path, "a.json", content), "jsonl") == [
        (1, 2, {"a": 1}, None),
        (2, 3, None, "malformed_json"),
        (3, 4, {"a": 3}, None),
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('"a text"', "not_an_object"),
        ("5", "not_an_object"),
        ("null", "not_an_object"),
        ('"a, b"', "not_an_object"),
        ("true, 7", "malformed_json"),
        ("[]", None),
    ],
)
def test_a_value_of_an_array_that_is_no_object_is_refused(tmp_path: Path, value: str, reason: str | None) -> None:
    record = '{"review_id": "r", "product_id": "P", "text": "好", "created_at": "2026-01-05"}'
    found = texts(write(tmp_path, "a.json", f"[{record}, {value},\n{record}]\n"), "jsonl")
    assert found == (["好", (reason,), "好"] if reason else ["好", "好"])


def test_the_parts_of_an_array_are_the_file_and_values_hold_no_brackets_of_it() -> None:
    content = b'\xef\xbb\xbf[{"a": 1},\n"one", {"a": 2}]\nand more'
    parts = list(split_json(io.BufferedReader(io.BytesIO(content)), 1_000))  # type: ignore[arg-type]
    assert b"".join(part.content for part in parts) == content
    records = [(part.line, part.content) for part in parts if part.is_record]
    assert records == [(1, b'{"a": 1}'), (2, b'"one"'), (2, b'{"a": 2}'), (3, b"and more")]


def test_text_after_an_array_is_malformed(tmp_path: Path) -> None:
    record = '{"review_id": "r", "product_id": "P", "text": "好", "created_at": "2026-01-05"}'
    assert texts(write(tmp_path, "a.json", f"[{record}]\nand more"), "jsonl") == ["好", ("malformed_json",)]


def test_lines_that_end_with_carriage_returns_alone_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", f"{HEADER}\rr,P,u,5,好,2026-01-05\r")
    with pytest.raises(UnreadableFileError, match="carriage returns alone"):
        records(path, "csv")


@pytest.mark.parametrize("cut", [30, 45, 58])
def test_an_array_that_ends_in_the_middle_is_unreadable(tmp_path: Path, cut: int) -> None:
    content = json.dumps([{"a": "x" * 20}, {"a": "y" * 20}])[:cut]
    with pytest.raises(UnreadableFileError, match="ends inside an array or object"):
        records(write(tmp_path, "a.json", content), "jsonl")


def test_an_array_is_cut_right_at_every_chunk(tmp_path: Path) -> None:
    rows = [{"a": "\\" * (n % 7) + '"{}' * (n % 5) + "字" * n, "n": n} for n in range(600)]
    content = json.dumps(rows, ensure_ascii=False, indent=1)
    assert len(content.encode()) > 5 * 2**16, "several chunks"
    assert [record.values for record in records(write(tmp_path, "a.json", content), "jsonl")] == rows


def test_deep_json_costs_its_record_alone(tmp_path: Path) -> None:
    good = '{"review_id":"ok","product_id":"P","text":"好","created_at":"2026-01-05"}'
    deep = [good[:-1] + ',"x":' + "[" * depth + "]" * depth + "}" for depth in (100, 254, 300, 2_000, 100_000)]
    path = write(tmp_path, "a.jsonl", "\n".join([good, *deep, good]))
    assert texts(path, "jsonl") == [
        "好", "好", "好", ("extra_too_deep",), ("malformed_json",), ("malformed_json",), "好"
    ]  # fmt: skip


def test_integers_of_any_length_are_exact(tmp_path: Path) -> None:
    ids = ["12345678901234567890123", "12345678901234567890124", "9007199254740993", "-5"]
    lines = [
        f'{{"review_id":{one},"product_id":"P","text":"好","created_at":"2026-01-05","o":{{"n":{one}}}}}' for one in ids
    ]
    found = outcomes(write(tmp_path, "a.jsonl", "\n".join(lines)), "jsonl")
    assert [one["review_id"] for one in found if isinstance(one, dict)] == ids
    kept = [json.loads(one["extra"]["o"])["n"] for one in found if isinstance(one, dict)]
    assert kept == [int(one) for one in ids]


def test_a_float_that_may_stand_for_several_ids_is_refused(tmp_path: Path) -> None:
    line = '{"review_id":1.2345678901234567e22,"product_id":"P","text":"好","created_at":"2026-01-05"}'
    assert texts(write(tmp_path, "a.jsonl", line), "jsonl") == [("review_id_not_exact",)]


def test_the_value_of_a_key_that_comes_twice(tmp_path: Path) -> None:
    base = '"review_id":"r","product_id":"P","created_at":"2026-01-05"'
    lines = [
        f'{{{base},"text":"真正的评论","text":""}}',
        f'{{{base},"text":"","Text":"真正的评论"}}',
        f'{{{base},"text":"真正的评论"," TEXT ":"另一条"}}',
    ]
    assert texts(write(tmp_path, "a.jsonl", "\n".join(lines)), "jsonl") == ["真正的评论", "真正的评论", ("text_twice",)]


def test_null_text_is_an_empty_text_and_no_text_is_missing(tmp_path: Path) -> None:
    lines = [
        '{"review_id":"1","product_id":"P","text":null,"created_at":"2026-01-05"}',
        '{"review_id":"2","product_id":"P","created_at":"2026-01-05"}',
    ]
    assert texts(write(tmp_path, "a.jsonl", "\n".join(lines)), "jsonl") == ["", ("text_missing",)]


def test_a_line_that_is_too_long_costs_its_record_alone(tmp_path: Path) -> None:
    section = IngestSection(max_record_bytes=1_000)
    long = json.dumps({"review_id": "long", "text": "x" * 5_000})
    good = '{"review_id":"ok","product_id":"P","text":"好","created_at":"2026-01-05"}'
    path = write(tmp_path, "a.jsonl", f"{good}\n{long}\n{good}\n")
    assert texts(path, "jsonl", section) == ["好", ("record_too_long",), "好"]
    assert len(records(path, "jsonl", section=section)[1].raw) == 1_000
    array = write(tmp_path, "a.json", f"[\n{good},\n{long},\n{good}]")
    assert texts(array, "jsonl", section) == ["好", ("record_too_long",), "好"]


# -- encodings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gbk", "gb2312", "gb18030", "utf-16", "utf-16-le", "utf-32"]
)
@pytest.mark.parametrize("format_code", ["csv", "jsonl"])
def test_an_encoding_is_detected(tmp_path: Path, encoding: str, format_code: str) -> None:
    row = {"review_id": "r", "product_id": "P", "user_id": "u", "rating": "5", "text": TEXT, "created_at": "2026-01-05"}
    lines = [json.dumps(row, ensure_ascii=False)] * 3
    if format_code == "csv":
        lines = [HEADER, *[f"r,P,u,5,{TEXT},2026-01-05"] * 3]
    content = "\n".join(lines).encode(encoding)
    if encoding == "utf-16-le":
        content = b"\xff\xfe" + content
    path = write(tmp_path, f"a.{format_code}", content)
    assert texts(path, format_code) == [TEXT] * 3


def test_big5_is_detected_and_traditional(tmp_path: Path) -> None:
    text = "這個手機很好用，螢幕清晰，電池還可以"
    content = f"{HEADER}\nr,P,u,5,{text},2026-01-05\n".encode("big5")
    assert texts(write(tmp_path, "a.csv", content), "csv") == [text]


def test_the_configured_encoding_counts(tmp_path: Path) -> None:
    content = f"{HEADER}\nr,P,u,5,café,2026-01-05\n".encode("cp1252")
    path = write(tmp_path, "a.csv", content)
    assert texts(path, "csv") == [("not_decodable",)]
    assert texts(path, "csv", IngestSection(encoding="cp1252")) == ["café"]
    with pytest.raises(ValueError, match="expected auto or the name of an encoding"):
        IngestSection(encoding="klingon")


def test_a_record_that_does_not_decode_is_refused_and_one_broken_character_is_not(tmp_path: Path) -> None:
    lines = [f"r{n},P,u,5,{TEXT},2026-01-05".encode() for n in range(8)]
    lines[3] = f"r3,P,u,5,{TEXT},2026-01-05".encode("gbk")
    lines[5] = lines[5].replace(b",2026", b"\xe5\xa5,2026")  # a text that was cut by bytes
    found = texts(write(tmp_path, "a.csv", b"\n".join([HEADER.encode(), *lines])), "csv")
    assert found == [TEXT] * 3 + [("not_decodable",), TEXT, TEXT + "\ufffd", TEXT, TEXT]


# -- CSV -------------------------------------------------------------------------------------------------------------


def test_csv_with_quotes_commas_and_newlines(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'id,text\n1,"a, ""b""\nc"\n2,\n3,x,y\n')
    assert read(path, "csv") == [
        (1, 1, {"id": "1", "text": 'a, "b"\nc'}, None),
        (2, 2, {"id": "2", "text": ""}, None),
        (3, 3, None, "wrong_field_count"),
    ]


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_a_separator_is_detected(tmp_path: Path, separator: str) -> None:
    content = f"{HEADER}\nr,P,u,5,一般,2026-01-05\n\n  \n".replace(",", separator)
    assert texts(write(tmp_path, "a.csv", content), "csv") == ["一般"]


def test_the_configured_separator_counts(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", f"{HEADER},a;b\nr,P,u,5,一般,2026-01-05,1\n")
    assert isinstance(texts(path, "csv")[0], str)
    with pytest.raises(UnreadableFileError, match=r"ingest\.csv_separator"):
        texts(path, "csv", IngestSection(csv_separator=";"))


@pytest.mark.parametrize("position", [0, 3, 8])
def test_a_quote_that_is_not_closed_costs_its_record_alone(tmp_path: Path, position: int) -> None:
    lines = [f"r{n},P,2026-01-05T10:00:00,评论{n}" for n in range(9)]
    lines[position] = f'r{position},P,2026-01-05T10:00:00,"评论{position}'
    found = texts(write(tmp_path, "a.csv", "\n".join(["review_id,product_id,created_at,text", *lines, ""])), "csv")
    expected: list[str | tuple[str, ...]] = [f"评论{n}" for n in range(9)]
    expected[position] = ("unclosed_quote",)
    assert found == expected


def test_two_quotes_that_are_not_closed(tmp_path: Path) -> None:
    lines = [f"r{n},P,2026-01-05T10:00:00,评论{n}" for n in range(9)]
    lines[2], lines[6] = 'r2,P,2026-01-05,"评论2', 'r6,P,2026-01-05,评论6"'
    found = texts(write(tmp_path, "a.csv", "\n".join(["review_id,product_id,created_at,text", *lines, ""])), "csv")
    assert found == ["评论0", "评论1", ("unclosed_quote",), "评论3", "评论4", "评论5", '评论6"', "评论7", "评论8"]


def test_a_text_over_several_lines_stays_one_record(tmp_path: Path) -> None:
    text = "第一行\n\n第三行, 2026-01-05\n- 优点\n- 缺点"
    path = write(tmp_path, "a.csv", f'{HEADER}\nr,P,u,5,"{text}",2026-01-05\nr2,P,u,5,好,2026-01-05\n')
    assert texts(path, "csv") == [text, "好"]


@pytest.mark.parametrize(
    ("header", "record"),
    [
        ("review_id,product_id,text,created_at", 'r,P,"{}",2026-01-05'),
        (HEADER, 'r,P,u,5,"{}",2026-01-05'),
        ("text,review_id,product_id,created_at", '"{}",r,P,2026-01-05'),
    ],
)
@pytest.mark.parametrize(
    "text",
    ["第一行\n第二行,很好,不错", "one\ntwo, a, b, 5, c", "标题:\n于山宾馆,差,慢,凶,臭,冷,吧", "一\n二\n三,四,五"],
)
def test_the_last_line_of_a_text_may_have_as_many_separators_as_a_record(
    tmp_path: Path, header: str, record: str, text: str
) -> None:
    content = "\n".join([header, record.format(text), record.format("好"), record.format(text), ""])
    assert texts(write(tmp_path, "a.csv", content), "csv") == [text, "好", text]


def test_a_line_with_another_rating_than_a_number_is_no_record(tmp_path: Path) -> None:
    lines = [
        "review_id,product_id,rating,text,created_at",
        'r,P,5,"第一行',
        'a,b,c,d",2026-01-05',
        "r2,P,5,好,2026-01-05",
        "",
    ]
    assert texts(write(tmp_path, "a.csv", "\n".join(lines)), "csv") == ["第一行\na,b,c,d", "好"]


def test_a_csv_field_of_a_million_characters(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text\n" + "字" * 1_000_000 + "\n")
    assert len(records(path, "csv")[0].values["text"]) == 1_000_000  # type: ignore[index]


def test_a_record_of_many_lines_that_is_too_long(tmp_path: Path) -> None:
    section = IngestSection(max_record_bytes=1_000)
    path = write(
        tmp_path, "a.csv", f'{HEADER}\nr,P,u,5,"{"好" * 200}\n{"好" * 200}\n",2026-01-05\nr2,P,u,5,好,2026-01-05\n'
    )
    found = texts(path, "csv", section)
    assert found[0] == ("unclosed_quote",) and found[-1] == "好"


def test_column_names_in_any_case_and_with_blanks(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "a.csv",
        f"review_id ,product_id,User_ID, rating,TEXT,Created At,Shop \nr,P,u1,2,{TEXT},2026-01-02,x\n",
    )
    [found] = outcomes(path, "csv")
    assert isinstance(found, dict)
    assert (found["review_id"], found["user_id"], found["rating"], found["extra"]) == ("r", "u1", 2, {"Shop": '"x"'})


def test_a_column_that_comes_twice(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "a.csv",
        "review_id,product_id,text,created_at,text\nr1,P,真正的评论,2026-01-05,\nr2,P,一,2026-01-05,二\n",
    )
    assert texts(path, "csv") == ["真正的评论", ("text_twice",)]


@pytest.mark.parametrize("format_code", ["csv", "parquet"])
def test_a_missing_required_column_names_known_columns_only(tmp_path: Path, format_code: str) -> None:
    path = tmp_path / f"a.{format_code}"
    if format_code == "csv":
        path.write_text(f"review_id,created_at,{TEXT}\n1,a,b\n", encoding="utf-8")
    else:
        pq.write_table(pa.table({"review_id": ["1"], "created_at": ["a"], TEXT: ["b"]}), path)
    with pytest.raises(UnreadableFileError) as error:
        records(path, format_code, is_strict=True)
    assert str(error.value).startswith(
        "required columns missing: product_id, text; known columns found: review_id, created_at, of 3 in all."
    )
    assert "13800000001" not in str(error.value)


# -- Parquet ---------------------------------------------------------------------------------------------------------


def test_parquet_keeps_types(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    at = datetime(2026, 1, 5, 8)
    pq.write_table(pa.table({"id": [1, None], "at": [at, None]}), path)
    assert read(path, "parquet") == [(1, 1, {"id": 1, "at": at}, None), (2, 2, {"id": None, "at": None}, None)]


def review_table(**columns: pa.Array) -> pa.Table:
    count = len(next(iter(columns.values())))
    base = {
        "review_id": pa.array([f"r{n}" for n in range(count)]),
        "product_id": pa.array(["P"] * count),
        "text": pa.array(["好"] * count),
        "created_at": pa.array(["2026-01-05"] * count),
    }
    return pa.table(base | columns)


NOW = 1_767_578_400  # seconds: January 2026
FAR = 570_000_000_000  # seconds: the year 20032
VALUES = {
    "microseconds": (pa.array([NOW * 10**6, FAR * 10**6], pa.timestamp("us")), "created_at_wrong_type"),
    "milliseconds": (pa.array([NOW * 10**3, 2**60], pa.timestamp("ms")), "created_at_wrong_type"),
    "of a zone": (pa.array([NOW * 10**6, FAR * 10**6], pa.timestamp("us", "Asia/Shanghai")), "created_at_wrong_type"),
    "date": (pa.array([20_458, 2**30], pa.date32()), "created_at_wrong_type"),
    "time": (pa.array([1, 2], pa.time64("us")), "created_at_wrong_type"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_time_that_python_cannot_hold_costs_its_record_alone(tmp_path: Path, name: str) -> None:
    column, reason = VALUES[name]
    path = tmp_path / "a.parquet"
    pq.write_table(review_table(created_at=column), path)
    found = texts(path, "parquet")
    assert found[1] == (reason,)
    assert found[0] == ((reason,) if name == "time" else "好")
    pq.write_table(review_table(shipped=column), path)  # in a column that is not known, it is kept as text
    assert texts(path, "parquet") == ["好", "好"]


@pytest.mark.parametrize("zone", ["GMT+8", "Nowhere/Else", "+08:00"])
def test_a_timestamp_of_an_unknown_zone_is_its_instant(tmp_path: Path, zone: str) -> None:
    path = tmp_path / "a.parquet"
    at = datetime(2026, 1, 5, 8, tzinfo=UTC)
    microseconds = int(at.timestamp() * 1_000_000)
    pq.write_table(review_table(created_at=pa.array([microseconds], pa.int64()).cast(pa.timestamp("us", zone))), path)
    [found] = outcomes(path, "parquet")
    assert isinstance(found, dict) and found["created_at"] == at


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_are_kept_as_text(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(review_table(waited=pa.array([5, 2**62], pa.duration(unit))), path)
    found = outcomes(path, "parquet")
    assert [isinstance(one, dict) and "waited" in one["extra"] for one in found] == [True, True]


def test_numbers_where_a_text_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = review_table(
        category=pa.array([12, 13]),
        rating=pa.array([Decimal("4.0"), Decimal("4.5")], pa.decimal128(3, 1)),
        review_id=pa.array([Decimal("12345678901234567890"), None], pa.decimal128(38, 0)),
    )
    pq.write_table(table, path)
    first, second = outcomes(path, "parquet")
    assert isinstance(first, dict)
    assert (first["category"], first["rating"], first["review_id"]) == ("12", 4, "12345678901234567890")
    assert second == ("rating_wrong_type",)


def test_null_texts_in_parquet_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(review_table(text=pa.array(["好", None])), path)
    assert texts(path, "parquet") == ["好", ""]


def test_text_that_is_no_utf_8_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    good = TEXT.encode()
    text = pa.array([good, TEXT.encode("gbk"), good + b"\xe5\xa5", None], pa.binary()).view(pa.string())
    pq.write_table(review_table(text=text), path)
    assert texts(path, "parquet") == [TEXT, ("not_decodable",), TEXT + "\ufffd", ""]


def test_parquet_in_gzip(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pq.write_table(review_table(day=pa.array([date(2026, 1, 5)])), buffer)
    path = write(tmp_path, "a.parquet.gz", gzip.compress(buffer.getvalue()))
    assert texts(path, "parquet") == ["好"]


# -- packed and damaged files ----------------------------------------------------------------------------------------


def test_gzip_reads_as_plain(tmp_path: Path) -> None:
    plain, packed = write(tmp_path, "a.jsonl", LINES), write(tmp_path, "a.jsonl.gz", gzip.compress(LINES))
    assert read(packed, "jsonl") == read(plain, "jsonl")


def test_a_gzip_cut_in_the_middle_is_unreadable_and_says_no_value(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b'{"secret": %d}\n' % (n * n) for n in range(20_000)))
    path = write(tmp_path, "a.jsonl.gz", packed[: len(packed) // 2])
    found = []
    with pytest.raises(UnreadableFileError) as error:
        found.extend(read_records(str(path), "jsonl", "reviews", SECTION))
    assert "secret" not in str(error.value)
    assert len(found) > 5_000, "records before the cut are read"


@pytest.mark.parametrize("content", [b"a" * 2**27, b'{"a": "%s"}\n' % (b"x" * 5_000) * 20_000], ids=["line", "rows"])
def test_a_gzip_bomb_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "a.jsonl.gz", gzip.compress(content))
    with pytest.raises(UnreadableFileError, match="unpacks to more than 67,108,864 bytes, see ingest"):
        for _ in read_records(str(path), "jsonl", "reviews", SECTION):
            pass
    parquet = write(tmp_path, "a.parquet.gz", gzip.compress(content))
    with pytest.raises(UnreadableFileError, match="unpacks to more than"):
        records(parquet, "parquet")


def test_the_limits_of_packed_files_are_settings(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl.gz", gzip.compress(b'{"a": "%s"}\n' % (b"x" * 5_000) * 15_000))
    wide = IngestSection(max_unpacked_ratio=10_000)
    assert sum(1 for _ in read_records(str(path), "jsonl", "reviews", wide)) == 15_000
    with pytest.raises(UnreadableFileError, match="more than 5,000 bytes"):
        records(path, "jsonl", section=IngestSection(max_unpacked_bytes=5_000))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"PAR1 not parquet"])
def test_an_empty_or_false_file_never_crashes(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "a", content)
    with pytest.raises(UnreadableFileError):
        records(path, "parquet")
    assert all(record.reason for record in records(path, "jsonl"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-05T10:00:00+08:00", "2026-01-05T02:00:00"),
        ("2026-01-05 10:00:00", "2026-01-05T02:00:00"),
        ("2026-01-05", "2026-01-04T16:00:00"),
        ("20260105", "2026-01-04T16:00:00"),
        ("2026/1/5", "2026-01-04T16:00:00"),
        ("2026/01/05 10:00", "2026-01-05T02:00:00"),
        ("2026.1.5 10:00:30", "2026-01-05T02:00:30"),
        (1_767_578_400, "2026-01-05T02:00:00"),
        (1_767_578_400_000, "2026-01-05T02:00:00"),
        ("05/01/2026", None),
        ("2026-13-05", None),
        (20260105, None),
        (True, None),
    ],
)
def test_times(value: Any, expected: str | None) -> None:
    parse = parser_of("reviews", "shop", SECTION.zone)
    found = parse({"review_id": "r", "product_id": "P", "text": "好", "created_at": value})
    if expected is None:
        assert found.reasons == ("created_at_wrong_type",)
    else:
        assert found.values["created_at"] == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_every_known_column_is_found_by_its_own_name() -> None:
    for feed in FEEDS.values():
        assert [feed.canonical(name) for name in feed.known] == list(feed.known)
