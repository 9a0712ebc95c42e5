"""A canary in every column and on failing paths must not turn up in anything that is written beside the tables."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

CANARY = "canary7f3a91"
COLUMNS = ("review_id", "product_id", "user_id", "category", "title", "text", "other")


def deliver(landing: Path) -> None:
    """Good and bad records, each with the canary in another place."""
    good = {"review_id": "r", "product_id": "p", "user_id": "u", "category": "c", "title": "t", "text": "很好用",
            "other": "o", "rating": 5, "created_at": "2026-01-05T10:00:00"}  # fmt: skip
    rows = [{**good, "review_id": f"r{i}", column: f"{CANARY}-{i}"} for i, column in enumerate(COLUMNS)]
    rows += [{**good, column: CANARY} for column in ("rating", "created_at")]
    rows += [{**good, "review_id": f"filler{i}", "text": f"第{i}次购买，{CANARY}"} for i in range(40)]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    lines += ['{"text": "' + CANARY, json.dumps([CANARY])]
    folder = landing / "reviews"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "b.csv").write_text(f"product_id,txt\n1,{CANARY}\n", encoding="utf-8")


def run(root: Path, *arguments: str, check: tuple[int, ...]) -> str:
    events = root / "events"
    events.mkdir(exist_ok=True)
    options = [
        f"paths.root={root}",
        f'spark.extra={{"spark.eventLog.enabled": "true", "spark.eventLog.dir": "{events}"}}',
    ]
    command = [sys.executable, "-m", *arguments, *(part for o in options for part in ("--set", o))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode in check, done.stderr
    return done.stdout + done.stderr


def test_review_text_stays_in_the_tables(tmp_path: Path) -> None:
    deliver(tmp_path / "landing")
    said = run(tmp_path, "reviewgen_spark.cli", "run", "nightly", "--until", "weak_labels", check=(3,))
    # a row that breaks a table's check: Delta's own error quotes its values
    said += run(tmp_path, "tests.e2e.broken_stage", check=(5,))
    assert "[clean]" in said and "DELTA_VIOLATE_CONSTRAINT" in said
    assert CANARY not in said
    events = list((tmp_path / "events").iterdir())
    assert events, "the event log must have been on, or this proves nothing"
    for path in events:
        for file in [path] if path.is_file() else path.iterdir():
            assert CANARY.encode() not in file.read_bytes(), file.name
    runs = tmp_path / "warehouse" / "ops_stage_runs"
    assert all(CANARY.encode() not in file.read_bytes() for file in runs.rglob("*") if file.is_file())
