"""Finds the corpora that contain given records, and the models trained on these corpora."""

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
    """Returns the folders below `paths.artifacts` whose shards contain one of these records."""
    ids = pa.array(sorted(record_ids), pa.string())
    return [
        folder
        for folder in Artifacts(config.paths.artifacts).made()
        if any(_has_record(file, ids) for file in sorted(folder.rglob("*.parquet")))
    ]


def models_of(config: Config, corpora: Collection[str]) -> list[str]:
    """Returns one line for each model, registered or not, that was trained on one of these corpora.

    A registered model is named by its version, a model folder by its path. If a language model was pre-trained on a
    corpus, the models fine-tuned from it are listed too.

    Args:
        config: Configuration with the paths of the artifacts and the registry.
        corpora: Fingerprints of the corpora.
    """
    made = Artifacts(config.paths.artifacts).made()
    folders = [folder for folder in made if folder.name not in corpora and _corpora_named_in(folder) & set(corpora)]
    models = {str(folder) for folder in folders}
    is_base_affected = any(folder.parent.name in ("pretrain", "pretrain_generator") for folder in folders)
    existing = {folder.name for folder in made}
    for entry in _registered(config):
        label = f"{entry.name} version {entry.version}"
        if entry.corpus_fingerprint in corpora:
            models.add(label)
        elif is_base_affected and entry.base == "pretrained":
            models.add(f"{label}, perhaps, because its base is pre-trained")
        elif entry.corpus_fingerprint not in existing:
            models.add(f"{label}, perhaps, because its corpus does not exist any more")
    return sorted(models)


def _has_record(file: Path, ids: pa.Array) -> bool:
    """Returns whether a shard contains one of the records."""
    with pq.ParquetFile(file) as source:
        if "record_id" not in source.schema_arrow.names:
            return False
        batches = source.iter_batches(columns=["record_id"])
        return any(pc.any(pc.is_in(batch.column(0), value_set=ids)).as_py() for batch in batches)


def _corpora_named_in(folder: Path) -> set[str]:
    """Returns the fingerprints of the corpora in the JSON files of a model folder."""
    corpora: set[str] = set()
    for file in sorted(folder.glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            corpora |= {str(content[name]) for name in ("corpus", "corpus_fingerprint") if name in content}
    return corpora


def _registered(config: Config) -> "list[ModelEntry]":
    """Returns the registered versions of the classifier and the generator."""
    from reviewgen_spark.models.registry.mlflow_store import has_store
    from reviewgen_spark.models.registry.registry import list_models

    uri = config.paths.tracking_uri
    if config.paths.mlflow_uri is None and not has_store(uri):
        return []  # nothing was trained yet; a missing store that the configuration names is a mistake
    return [entry for name in (config.models.name, config.generation.name) for entry in list_models(uri, name)]
