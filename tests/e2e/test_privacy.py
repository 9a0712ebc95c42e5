"""Tests that a canary in every column and failing path is in no log, event log, page or export."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reviewgen_spark.operations.erasure.residual_scan import Values, search_files
from reviewgen_spark.reports.gallery import TABLES
from tests.spark.conftest import register_champion

pytestmark = pytest.mark.e2e

CANARY = "canary7f3a91"
COLUMNS = ("review_id", "product_id", "user_id", "category", "title", "text", "other")
USER, PHONE, EMAIL = "user-canary-20c4", "13800138642", "canary-20c4@example.com"
SECRET, ENDPOINT_KEY = "secret-canary-20c4", "endpoint-canary-20c4"
GENERATED = (
    "generate.writer=template",
    "generate.purposes=[augmentation,product_copy]",
    "generate.augmentation_pct=100",
    "generate.max_error_pct=100",
    "reply.max_error_pct=100",
    "label.max_error_pct=100",
)


def deliver(landing: Path) -> None:
    """Writes good and bad records with the canary in each column, and positive and negative ones with personal data."""
    good = {"review_id": "r", "product_id": "p", "user_id": "u", "category": "c", "title": "t", "text": "很好用",
            "other": "o", "rating": 5, "created_at": "2026-01-05T10:00:00"}  # fmt: skip
    rows = [{**good, "review_id": f"r{i}", column: f"{CANARY}-{i}"} for i, column in enumerate(COLUMNS)]
    rows += [{**good, column: CANARY} for column in ("rating", "created_at")]
    rows += [{**good, "review_id": f"filler{i}", "text": f"第{i}次购买，{CANARY}"} for i in range(40)]
    contact = f"有问题请打电话{PHONE}或写信到{EMAIL}联系我"
    opinions = ((5, f"屏幕很清晰，{contact}，非常满意"), (1, f"屏幕坏了，{contact}，太差了"))
    for i, (rating, text) in enumerate(opinions * 4):
        rows.append({**good, "review_id": f"said{i}", "user_id": USER, "rating": rating, "text": f"第{i}个，{text}"})
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
        *GENERATED,
    ]
    command = [sys.executable, "-m", *arguments, *(part for o in options for part in ("--set", o))]
    secrets = {"REVIEWGEN_USER_KEY": SECRET, "REVIEWGEN_ENDPOINT_KEY": ENDPOINT_KEY}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env={**os.environ, **secrets})
    assert done.returncode in check, done.stderr
    return done.stdout + done.stderr


def test_review_text_is_only_in_tables(tmp_path: Path) -> None:
    deliver(tmp_path / "landing")
    register_champion(tmp_path)  # its labels select the reviews for replies and texts
    cli, out = "reviewgen_spark.cli", tmp_path / "out"
    output = run(tmp_path, cli, "run", "nightly", "--until", "label", check=(3,))
    output += run(tmp_path, cli, "run", "generate", check=(0,))
    output += run(tmp_path, cli, "gallery", "--out", str(out / "gallery.html"), check=(0,))
    purposes = ("summary", "product_copy", "reply", "augmentation")
    purpose_options = [part for purpose in purposes for part in ("--purpose", purpose)]
    output += run(tmp_path, cli, "export", "texts", "--out", str(out / "texts"), *purpose_options, check=(0,))
    # a row that breaks a table check: the error of Delta contains its values
    output += run(tmp_path, "tests.e2e.broken_stage", check=(5,))
    assert "[clean]" in output and "[generate]" in output and "DELTA_VIOLATE_CONSTRAINT" in output
    for needle in (CANARY, USER, PHONE, EMAIL, SECRET, ENDPOINT_KEY):
        assert needle not in output
    events = list((tmp_path / "events").iterdir())
    assert events, "the event log must be enabled for this test"
    for path in events:
        for file in [path] if path.is_file() else path.iterdir():
            assert CANARY.encode() not in file.read_bytes(), file.name
    runs = tmp_path / "warehouse" / "ops_stage_runs"
    assert all(CANARY.encode() not in file.read_bytes() for file in runs.rglob("*") if file.is_file())
    assert_personal_data_stays_in_bronze(tmp_path, purposes)


def assert_personal_data_stays_in_bronze(root: Path, purposes: tuple[str, ...]) -> None:
    """Checks that user ids, phone numbers, addresses and secrets are in no file except bronze and landing."""
    page = (root / "out" / "gallery.html").read_text(encoding="utf-8")
    assert "[PHONE]" in page and "[EMAIL]" in page, "reviews with personal data must be among the sources"
    exported = "".join(file.read_text(encoding="utf-8") for file in (root / "out" / "texts").glob("*.jsonl"))
    assert all(f'"purpose": "{purpose}"' in exported for purpose in purposes), "the export must contain every purpose"
    warehouse = root / "warehouse"
    for name in TABLES:
        assert sum(pq.read_metadata(file).num_rows for file in (warehouse / name).rglob("*.parquet")), name
    bronze = (root / "landing", *warehouse.glob("bronze_*"))
    personal = Values(frozenset({USER, PHONE, EMAIL}))
    assert search_files([warehouse / "bronze_reviews"], personal), "the search must find the values in bronze"
    assert search_files([root], personal, bronze) == []
    assert search_files([root], Values(frozenset({SECRET, ENDPOINT_KEY}))) == []
