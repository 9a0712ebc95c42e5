"""What learnt from records: the corpora that hold them, and the models that say they were trained on one of these."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reviewgen_spark.config import Config
from reviewgen_spark.orchestration.artifacts import Artifacts

if TYPE_CHECKING:
    from reviewgen_spark.models.registry.registry import ModelEntry


def corpora_with(config: Config, record_ids: Collection[str]) -> list[Path]:
    """Folders below `paths.artifacts` whose shards hold one of these records."""
    wanted = pa.array(sorted(record_ids), pa.string())
    return [
        folder
        for folder in Artifacts(config.paths.artifacts).made()
        if any(_has_record(file, wanted) for file in sorted(folder.rglob("*.parquet")))
    ]


def models_of(config: Config, corpora: Collection[str]) -> list[str]:
    """Models, registered or not, that were trained on one of these corpora; a line each.

    A registered model is named by its version, a model folder by its path. Where a language model has read one, so may
    have what was fine-tuned from it.

    Args:
        config: Where artifacts and registry are.
        corpora: Fingerprints.
    """
    made = Artifacts(config.paths.artifacts).made()
    folders = [folder for folder in made if folder.name not in corpora and _learnt_from(folder) & set(corpora)]
    models = {str(folder) for folder in folders}
    has_read = any(folder.parent.name in ("pretrain", "pretrain_generator") for folder in folders)
    present = {folder.name for folder in made}
    for entry in _registered(config):
        label = f"{entry.name} version {entry.version}"
        if entry.corpus_fingerprint in corpora:
            models.add(label)
        elif has_read and entry.base == "pretrained":
            models.add(f"{label}, perhaps: its base is pre-trained")
        elif entry.corpus_fingerprint not in present:
            models.add(f"{label}, perhaps: its corpus is not there any more")
    return sorted(models)


def _has_record(file: Path, wanted: pa.Array) -> bool:
    with pq.ParquetFile(file) as source:
        if "record_id" not in source.schema_arrow.names:
            return False
        batches = source.iter_batches(columns=["record_id"])
        return any(pc.any(pc.is_in(batch.column(0), value_set=wanted)).as_py() for batch in batches)


def _learnt_from(folder: Path) -> set[str]:
    """The corpora that a model folder names in one of its JSON files."""
    found: set[str] = set()
    for file in sorted(folder.glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            found |= {str(content[name]) for name in ("corpus", "corpus_fingerprint") if name in content}
    return found


def _registered(config: Config) -> "list[ModelEntry]":
    from reviewgen_spark.models.registry.registry import list_models

    uri = config.paths.tracking_uri
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        return []  # asking would make the store
    return [entry for name in (config.models.name, config.generation.name) for entry in list_models(uri, name)]
