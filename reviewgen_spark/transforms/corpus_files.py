"""Writes a corpus as Parquet shards by split, and its manifest last."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SPLITS = ("train", "validation", "test")
_SHARD_ROWS = 50_000


def write_shards(out: Path, fingerprint: str, rows: "DataFrame", splits: Sequence[str], **facts: Any) -> None:
    """Writes `<split>/*.parquet`, then `manifest.json`. A folder without a manifest is not a corpus.

    Args:
        out: An empty folder.
        fingerprint: The run's fingerprint, for the manifest.
        rows: Rows with a column `split`, which the files leave out.
        splits: The splits to write.
        facts: More entries of the manifest.
    """
    for split in splits:
        part = rows.where(rows["split"] == split).drop("split")
        part.write.option("maxRecordsPerFile", _SHARD_ROWS).parquet((out / split).as_uri())
    shards = {
        split: {path.name: path.stat().st_size for path in sorted((out / split).glob("*.parquet"))} for split in splits
    }
    manifest = {"fingerprint": fingerprint, **facts, "shards": shards}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
