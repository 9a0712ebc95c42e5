"""Files in tiny ranges and pieces: record for record, they give what one pass gives."""

import gzip
import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import Row

from reviewgen_spark.config import IngestSection
from reviewgen_spark.transforms.ingest import inspection
from reviewgen_spark.transforms.ingest.inspection import Inspected, file_stamp
from reviewgen_spark.transforms.ingest.listing import Delivery
from reviewgen_spark.transforms.ingest.range_chain import Chain, settle
from reviewgen_spark.transforms.ingest.range_reading import RangeSizes, RangeTask, run_task
from reviewgen_spark.transforms.ingest.record_parsing import parser_of
from reviewgen_spark.transforms.ingest.scan import Tally, file_hash
from reviewgen_spark.transforms.ingest.source_files import read_records
from reviewgen_spark.transforms.ingest.source_ranges import Content, piece_hash, read_range
from reviewgen_spark.transforms.ingest.source_record import SourceRecord, UnreadableFileError

HEADER = "review_id,product_id,rating,text,created_at"
WORDS = ["好", "电池一般", "a", "so, so", "\U0001f600", "螢幕", "'", "{", "}", "[", "x" * 40]


def a_text(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(0, 6)))


def json_lines(draw: random.Random) -> bytes:
    """Returns lines of JSON as shops write them: with blank, broken and long lines, and a last one that may be cut."""
    lines = []
    for number in range(draw.randint(1, 60)):
        record: dict[str, Any] = {"product_id": "P", "text": a_text(draw), "created_at": "2026-01-05"}
        if draw.random() < 0.6:
            record["review_id"] = f"r{number}"
        line = json.dumps(record, ensure_ascii=draw.random() < 0.2)
        kind = draw.random()
        if kind < 0.05:
            line = draw.choice(["", "  ", "\r", "[1]", "null"])
        elif kind < 0.1:
            line = line[: draw.randint(1, len(line))]
        elif kind < 0.14:
            line = line.replace("2026", "2026" + " " * draw.randint(300, 1_500))
        lines.append(line.encode() if draw.random() < 0.97 else line.encode("gb18030"))
    return assembled(draw, lines)


def csv_rows(draw: random.Random) -> bytes:
    """Returns rows of CSV with quoted newlines, blank rows, quotes that are not closed, and long records."""
    lines = [HEADER.encode()]
    for number in range(draw.randint(1, 60)):
        text = a_text(draw)
        for _ in range(draw.choice([0, 0, 0, 1, 4])):
            text += "\n" + draw.choice(["", text, f"r9,P,5,{a_text(draw)},2026-01-05", "x, y"])
        quoted = '"' + text.replace("'", '""') + '"' if {",", "\n"} & set(text) or draw.random() < 0.3 else text
        line = f"{f'r{number}' if draw.random() < 0.6 else ''},P,{draw.randint(1, 5)},{quoted},2026-01-05"
        kind = draw.random()
        if kind < 0.06:
            line = draw.choice(["", "  ", ",,,,", "one", line.replace('"', "", 1), line + '"', 'a"b,' + line])
        elif kind < 0.1:
            line = line.replace("P", "P" * draw.randint(300, 1_500))
        lines.append(line.encode())
    return assembled(draw, lines)


def assembled(draw: random.Random, lines: Sequence[bytes]) -> bytes:
    newline = draw.choice([b"\n", b"\n", b"\r\n"])
    content = newline.join(lines)
    content += draw.choice([newline, newline, b"", newline * 3])
    if draw.random() < 0.2:
        content = content[: -draw.randint(1, 20)] or content
    return draw.choice([b"", b"\xef\xbb\xbf"]) + content


def json_array(draw: random.Random) -> bytes:
    rows: list[Any] = [{"product_id": "P", "text": a_text(draw), "created_at": "2026-01-05"} for _ in range(30)]
    if draw.random() < 0.3:
        rows.insert(draw.randint(1, 20), draw.choice([7, "one", [1, "{"]]))
    return json.dumps(rows, ensure_ascii=False, indent=draw.choice([None, 1])).encode()


def inspect(path: Path, format_code: str, section: IngestSection) -> Inspected:
    delivery = Delivery("reviews", path.name, format_code, path.stat().st_size, datetime.now(UTC))
    row = {"path": path.name, "feed_code": "reviews", "format_code": format_code}
    found = inspection._inspect(row, str(path), section, path.parent, "settings")
    content = Content(found["location"], found["kind"], found["encoding"], "reviews")
    sizes = tuple(found["group_sizes"])
    return Inspected(delivery, found["stamp"], content, found["size"], found["copy_sha256"], sizes)


def read_in_ranges(inspected: Inspected, folder: Path, section: IngestSection, sizes: RangeSizes) -> Chain:
    """Reads a file in ranges in this process, as the executors read it."""
    names = [*Row(**dict.fromkeys(("keys", "counts", "skip", "ordinal"))).asDict()]

    def read(tasks: Sequence[RangeTask]) -> list[Row]:
        results = [result for task in tasks for result in run_task(task, section, section.zone, sizes)]
        return [Row(**dict.fromkeys(names) | result) for result in results]

    return settle([inspected], str(folder), sizes, read)[inspected.delivery.path]


def one_pass(path: Path, format_code: str, section: IngestSection) -> tuple[list[Any], dict[str, Any]]:
    """Returns the records of a file with their typed values, and their counts, as one pass over it gives them."""
    parse, tally = parser_of("reviews", section.source, section.zone), Tally()
    outcomes = []
    for record in read_records(str(path), format_code, "reviews", section):
        tally.add(record, parser_of("reviews", section.source, section.zone))
        outcomes.append(outcome(record, parse))
    return outcomes, tally.figures()


def outcome(record: SourceRecord, parse: Any) -> Any:
    parsed = None if record.values is None else parse(record.values)
    return (record.ordinal, record.line, record.raw, record.reason, parsed)


def by_pieces(chain: Chain, section: IngestSection) -> list[Any]:
    """Returns the records of all pieces, each read alone with the counts of the anonymous records before it."""
    before: Counter[str] = Counter()
    outcomes = []
    for row, piece in chain.in_order():
        content = chain.inspected.content
        assert piece_hash(content, section, piece) == piece.sha256
        parse = parser_of("reviews", section.source, section.zone, Counter(before))
        outcomes += [
            outcome(record, parse) for record in islice(read_range(content, section, piece.place), piece.row_count)
        ]
        before.update(dict(zip(row["keys"], row["counts"], strict=True)))
    return outcomes


@pytest.mark.parametrize(
    ("name", "make"),
    [("a.jsonl", json_lines), ("a.csv", csv_rows), ("a.json", json_array)],
    ids=["lines", "csv", "array"],
)
@pytest.mark.parametrize("part", range(4))
def test_tiny_ranges_give_what_one_pass_gives(tmp_path: Path, name: str, make: Any, part: int) -> None:
    section = IngestSection(max_record_bytes=1_000)
    for seed in range(part * 30, part * 30 + 30):
        draw = random.Random(seed)
        path = tmp_path / name
        path.write_bytes(make(draw))
        format_code = "csv" if name.endswith("csv") else "jsonl"
        sizes = RangeSizes(0, draw.randint(64, 300), draw.randint(20, 200))
        chain = read_in_ranges(inspect(path, format_code, section), tmp_path, section, sizes)
        scan = chain.scan()
        try:
            expected, figures = one_pass(path, format_code, section)
        except UnreadableFileError as error:
            assert scan.error == str(error), f"seed {seed}"
            continue
        assert by_pieces(chain, section) == expected, f"seed {seed}"
        assert {name: getattr(scan, name) for name in figures} == figures, f"seed {seed}"
        assert (scan.sha256, scan.error) == (file_hash(str(path)), None)


def test_a_quoted_newline_at_a_border_is_read_again(tmp_path: Path) -> None:
    """Lines of a text that look like short records do not change what is read, however many borders are inside."""
    section = IngestSection()
    text = "\n".join(f"line {number}, and more" for number in range(12))
    rows = [f'r{number},P,5,"{text}",2026-01-05' for number in range(20)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([HEADER, *rows, ""]))
    chain = read_in_ranges(inspect(path, "csv", section), tmp_path, section, RangeSizes(0, 100, 50))
    assert max(row.attempt for row in chain.ranges.values()) > 1
    expected, _ = one_pass(path, "csv", section)
    assert by_pieces(chain, section) == expected
    assert len(expected) == 20


def test_ranges_that_never_fit_end_as_one(tmp_path: Path) -> None:
    """A text without end makes each range begin wrong; after three attempts the rest of the file is one range."""
    section = IngestSection()
    rows = [f'r{number},P,5,"{"a,b" * 5}\n"" \n,,,,"",\n",2026-01-05' for number in range(40)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([HEADER, f'r,P,5,"{"x, y" * 3}', *rows, ""]))
    for size in range(20, 60, 7):
        chain = read_in_ranges(inspect(path, "csv", section), tmp_path, section, RangeSizes(0, size, 30))
        assert by_pieces(chain, section) == one_pass(path, "csv", section)[0]


@pytest.mark.parametrize("group_rows", [1, 7, 500])
def test_parquet_is_read_by_row_groups_and_rows(tmp_path: Path, group_rows: int) -> None:
    section = IngestSection(max_record_bytes=1_000)
    count = 200
    table = pa.table(
        {
            "review_id": [f"r{number}" if number % 3 else None for number in range(count)],
            "product_id": ["P"] * count,
            "text": ["好" * (600 if number == 77 else number % 5) for number in range(count)],
            "created_at": ["2026-01-05"] * count,
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=group_rows)
    chain = read_in_ranges(inspect(path, "parquet", section), tmp_path, section, RangeSizes(0, 2_000, 0, 30))
    expected, figures = one_pass(path, "parquet", section)
    assert by_pieces(chain, section) == expected
    assert chain.scan().row_count == figures["row_count"] == count
    assert len(chain.in_order()) >= count // 30
    packed = tmp_path / "b.parquet.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    chain = read_in_ranges(inspect(packed, "parquet", section), tmp_path, section, RangeSizes(0, 2_000, 0, 30))
    assert [one[2:] for one in by_pieces(chain, section)] == [one[2:] for one in expected]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "gb18030", "big5"])
@pytest.mark.parametrize("packed", [False, True])
def test_unpacked_copies_and_encodings(tmp_path: Path, encoding: str, packed: bool) -> None:
    section = IngestSection()
    lines = [f"r{number},P,5,這個手機很好用螢幕清晰電池還可以{number},2026-01-05" for number in range(60)]
    content = "\r\n".join([HEADER, *lines]).encode(encoding)
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    inspected = inspect(path, "csv", section)
    assert (inspected.sha256 is not None) == (packed or encoding == "utf-16")
    chain = read_in_ranges(inspected, tmp_path, section, RangeSizes(0, 500, 200))
    assert by_pieces(chain, section) == one_pass(path, "csv", section)[0]
    assert len(chain.ranges) > 5


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    section, path = IngestSection(), tmp_path / "a.csv"
    path.write_text(f"{HEADER}\nr,P,5,good,2026-01-05\n")
    inspected = inspect(path, "csv", section)
    path.write_text(f"{HEADER}\nr,P,5,longer,2026-01-05\n")
    assert (
        read_in_ranges(inspected, tmp_path, section, RangeSizes(0, 50, 50)).scan().error
        == "it changed while it was read"
    )
    assert file_stamp(str(path)) != inspected.stamp


@pytest.mark.parametrize("change", ["header", "piece", "shorter"])
def test_a_piece_notices_a_change_of_its_bytes_and_of_the_header(tmp_path: Path, change: str) -> None:
    section, path = IngestSection(), tmp_path / "a.csv"
    content = "\n".join([HEADER, *(f"r{number},P,5,good,2026-01-05" for number in range(30)), ""])
    path.write_text(content)
    chain = read_in_ranges(inspect(path, "csv", section), tmp_path, section, RangeSizes(0, 200, 100))
    _, last = chain.in_order()[-1]
    changes = {
        "header": content.replace("rating", "rATING"),
        "piece": content.replace("r29", "r28"),
        "shorter": content[:-9],
    }
    path.write_text(changes[change])
    assert piece_hash(chain.inspected.content, section, last) != last.sha256


def test_a_full_disk_is_told_apart_from_a_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"x" * 1_000))
    row = {"path": path.name, "feed_code": "reviews", "format_code": "csv"}
    # the first file of this name is a link to the device that is always full
    (tmp_path / "copy.full").symlink_to("/dev/full")
    monkeypatch.setattr(inspection, "copy_file", lambda folder, name: tmp_path / "copy")
    monkeypatch.setattr(inspection, "uuid4", lambda: SimpleNamespace(hex="full"))
    with pytest.raises(inspection._NoSpaceError):
        inspection._inspect(row, str(path), IngestSection(), tmp_path, "settings")
    assert not list(tmp_path.glob("copy*")), "what was written is removed"
