from datetime import UTC, datetime

from pyspark.sql import Row

from reviewgen_spark.config import IngestSection
from reviewgen_spark.transforms.ingest.batch_plan import reserve, undecided
from reviewgen_spark.transforms.ingest.listing import Delivery
from reviewgen_spark.transforms.ingest.scan import Scan

AT = datetime(2026, 1, 5, tzinfo=UTC)


def scan(path: str, rows: int, bad: int = 0, error: str | None = None, format_code: str = "jsonl") -> Scan:
    return Scan(Delivery("reviews", path, format_code, 1, AT), "hash", rows, bad, error)


def cut(*scans: Scan, accepted: frozenset[str] = frozenset(), size: int = 10) -> list[tuple[object, ...]]:
    rows = reserve(scans, set(accepted), 5, IngestSection(max_rows_per_batch=size, max_quarantine_pct=20))
    return [(row["path"], row["state"], row["batch_id"], row["first_row"], row["last_row"]) for row in rows]


def test_files_fill_batches_in_the_order_of_their_paths() -> None:
    assert cut(scan("b", 3), scan("a", 4)) == [("a", "reserved", 5, 1, 4), ("b", "reserved", 5, 1, 3)]


def test_a_batch_never_exceeds_its_size() -> None:
    assert cut(scan("a", 25)) == [
        ("a", "reserved", 5, 1, 10),
        ("a", "reserved", 6, 11, 20),
        ("a", "reserved", 7, 21, 25),
    ]


def test_a_delta_file_is_not_cut() -> None:
    assert cut(scan("a", 25, format_code="delta"), scan("b", 1)) == [
        ("a", "reserved", 5, 1, 25),
        ("b", "reserved", 6, 1, 1),
    ]


def test_bad_files_are_rejected_and_accepted_ones_taken() -> None:
    assert cut(scan("a", 10, bad=3), scan("b", 7, error="cut off"), scan("c", 10, bad=2)) == [
        ("a", "rejected", 5, None, None),
        ("b", "rejected", 5, None, None),
        ("c", "reserved", 5, 1, 10),
    ]
    assert cut(scan("a", 10, bad=3), accepted=frozenset({"a"})) == [("a", "reserved", 5, 1, 10)]


def test_an_empty_file_is_remembered() -> None:
    assert cut(scan("a", 0)) == [("a", "reserved", 5, 1, 0)]


def test_a_rejected_file_is_undecided_until_decided_or_gone() -> None:
    rejected = Row(sequence=1, path="a", state="rejected")
    there = [Delivery("reviews", "a", "jsonl", 1, AT)]
    assert undecided(there, [rejected]) == [rejected]
    assert undecided([], [rejected]) == []
    assert undecided(there, [rejected, Row(sequence=2, path="a", state="retry")]) == []
