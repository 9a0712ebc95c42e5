import os
from datetime import UTC, datetime
from pathlib import Path

from reviewgen_spark.operations.maintenance import Maintenance, TableBeforeAfter, ordering, stale_folders
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.warehouse.table_maintenance import Size

OLD, LIMIT = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def make(folder: Path, at: datetime) -> Path:
    folder.mkdir(parents=True)
    (folder / "file").write_text("x", encoding="utf-8")
    for path in (folder / "file", folder):
        os.utime(path, (at.timestamp(), at.timestamp()))
    return folder


def test_old_folders_without_a_reference_are_stale(tmp_path: Path) -> None:
    recent = datetime(2026, 3, 1, tzinfo=UTC)
    report, corpus = tmp_path / "report", tmp_path / "corpus"
    stale = [make(report / "one", OLD), make(tmp_path / "_staging" / "dead", OLD)]
    make(report / "recent", recent)
    latest = make(corpus / "latest one", datetime(2025, 12, 1, tzinfo=UTC))
    (corpus / "latest").symlink_to(latest.name)
    stale.append(make(corpus / "other", datetime(2025, 12, 2, tzinfo=UTC)))
    make(corpus / "newest", OLD)
    make(tmp_path / "finetune" / "a model", OLD)
    make(tmp_path / "_pinned" / "review_sentiment", OLD)
    touched = make(tmp_path / "_checkpoints" / "finetune", OLD)
    os.utime(touched / "file", (recent.timestamp(), recent.timestamp()))
    assert sorted(stale_folders(tmp_path, LIMIT)) == sorted(stale)
    assert stale_folders(tmp_path / "absent", LIMIT) == []


def test_rows_are_ordered_by_their_lookup_columns() -> None:
    assert ordering(TABLES["silver_reviews"]) == ("product_id", "record_id")
    assert ordering(TABLES["silver_tokens"]) == ("record_id",)
    assert ordering(TABLES["gold_product_keywords"]) == ("product_id",)
    assert ordering(TABLES["ops_stage_runs"]) == ()


def test_a_dry_run_reports_what_would_be_deleted() -> None:
    tables = (TableBeforeAfter("silver_tokens", Size(12, 3_000_000), Size(2, 1_000_000)),)
    dry = Maintenance(tables, 3, (Path("/a/report/x"),), is_dry=True).lines()
    assert dry[1].split() == ["silver_tokens", "12", "3.0"] and dry[2:] == [
        "3 rows of ops_stage_runs would be deleted",
        "/a/report/x would be deleted",
    ]
    assert Maintenance(tables, 3, (), is_dry=False).lines()[1].split() == ["silver_tokens", "12", "3.0", "2", "1.0"]
