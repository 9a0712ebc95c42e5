"""Commits of Delta's log: whole ones, also with empty files that Delta dropped, and ones that were cut short."""

import json
from pathlib import Path

import pytest

from reviewgen_spark.warehouse.log_files import commit_fault

SPARK = {"operation": "WRITE", "operationMetrics": {"numFiles": "3", "numOutputRows": "4"}}
DELTA_RS = {"operation": "WRITE", "operationMetrics": {"num_added_files": 1, "num_added_rows": 4}}


def commit(folder: Path, info: dict[str, object], *rows: int | None) -> Path:
    """Write a commit of a write: one data file for each number of rows; None is a file without statistics."""
    stats = [{} if count is None else {"stats": json.dumps({"numRecords": count})} for count in rows]
    adds = [{"add": {"path": "p", **stat}} for stat in stats]
    file = folder / f"{7:020}.json"
    file.write_text("\n".join(map(json.dumps, [{"commitInfo": info}, *adds])), encoding="utf-8")
    return file


@pytest.mark.parametrize("info", [SPARK, DELTA_RS])
def test_a_whole_commit_is_accepted(tmp_path: Path, info: dict[str, object]) -> None:
    for rows in ((1, 3), (4,), (4, 2), (1, None)):  # the writer counted a third file without rows; copied rows are more
        assert commit_fault(commit(tmp_path, info, *rows), 7) is None


@pytest.mark.parametrize("info", [SPARK, DELTA_RS])
def test_a_commit_without_some_of_its_files_is_cut_short(tmp_path: Path, info: dict[str, object]) -> None:
    for rows in ((), (1,)):
        assert "is cut short: its data files have" in str(commit_fault(commit(tmp_path, info, *rows), 7))


def test_an_empty_or_torn_commit_is_damaged(tmp_path: Path) -> None:
    file = commit(tmp_path, SPARK, 4)
    content = file.read_bytes()
    for torn in (content[:-5], b"[]", b"\x00" * 40, b"\n"):
        file.write_bytes(torn)
        assert commit_fault(file, 7) == "is damaged or cut short"
    file.write_bytes(b"")
    assert commit_fault(file, 7) == "is empty (0 bytes)"
