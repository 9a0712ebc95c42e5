"""Registers generators in MLflow and resolves their aliases. The artifact of a version is the plain generator folder.

Stages generate with the version of the alias `generation.alias`, by default `generator`. The newest version gets it.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config.messages import hide_secrets
from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.models.classifier.model_folder import CURVE_FILE, files_sha256, other_files
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.generator.generator_folder import GENERATOR_FILES, generator_sha256, read_generator
from reviewgen_spark.models.registry.aliases import Decision
from reviewgen_spark.models.registry.mlflow_store import (
    add_version,
    by_alias,
    by_fingerprint,
    by_reference,
    describe_environment,
    find_experiment,
    locate,
    open_client,
    open_run,
)
from reviewgen_spark.models.registry.model_card import write_generator_card
from reviewgen_spark.models.registry.registry import OTHER_FILES_TAG, RegisteredModel

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

ARTIFACT = "generator"
_SETTLED = "settled"  # tag of a version: its alias is set
_PREVIOUS = "previous_version"


def register_generator(
    folder: Path,
    scores: Sequence[Score],
    fingerprint: str,
    tags: Mapping[str, str],
    name: str,
    alias: str,
    tracking_uri: str,
    artifact_root: Path,
) -> Decision:
    """Logs a generator with its scores and settings, and gives it the alias.

    The alias is set last, so a failure before that leaves the old generator in use. After a kill, a call with the same
    fingerprint resumes with the version that it made.

    Args:
        folder: the generator folder that `finetune_generator` wrote.
        scores: results of `evaluate_generator`.
        fingerprint: fingerprint of this registration; repeated calls make one version only.
        tags: tags of the run, with the origin of the generator.
        name: the registered name.
        alias: the alias that the version gets.
        tracking_uri: the MLflow store.
        artifact_root: folder for this experiment's artifacts, used when the experiment is new.

    Raises:
        ModelNotFoundError: the folder is not a generator folder.
    """
    with open_client(tracking_uri, creates=True) as client:
        model_version = by_fingerprint(client, name, fingerprint)
        if model_version is None:
            experiment = find_experiment(client, name, artifact_root)
            model_version = _log_version(client, name, folder, scores, fingerprint, tags, experiment)
        if _SETTLED not in model_version.tags:
            current = by_alias(client, name, alias)
            previous = str(current.version) if current and current.version != model_version.version else ""
            client.set_model_version_tag(name, str(model_version.version), _PREVIOUS, previous)
            client.set_registered_model_alias(name, alias, str(model_version.version))
            client.set_model_version_tag(name, str(model_version.version), _SETTLED, "true")
            model_version = client.get_model_version(name, str(model_version.version))
        previous = model_version.tags.get(_PREVIOUS, "")
        return Decision(_pin(model_version), True, f"the newest is {alias}", int(previous) if previous else None)


def resolve_generator(name: str, alias: str, tracking_uri: str) -> RegisteredModel:
    """Returns the version that an alias or a number refers to now. Call it once per run, on the driver.

    Raises:
        ModelNotFoundError: no version has the alias or number, or its files are missing or damaged.
    """
    with open_client(tracking_uri) as client:
        model_version = by_reference(client, name, alias)
        if model_version is None:
            raise ModelNotFoundError(
                f"generation.name: no version of '{name}' has the alias '{alias}', or that number, in {tracking_uri}; "
                "train and register one with `reviewgen run train_generator`, or use another writer"
            )
        return _pin(model_version)


def _log_version(
    client: "MlflowClient",
    name: str,
    folder: Path,
    scores: Sequence[Score],
    fingerprint: str,
    tags: Mapping[str, str],
    experiment: str,
) -> "ModelVersion":
    settings, sha256 = read_generator(folder), generator_sha256(folder)
    with open_run(client, experiment, settings.base) as run_id:
        facts: dict[str, Any] = {
            "base": settings.base,
            "kind": settings.kind,
            "purposes": ",".join(settings.purposes),
            "corpus_fingerprint": settings.corpus_fingerprint,
            **{f"finetune_generator.{key}": value for key, value in settings.training.items()},
        }
        for key, value in facts.items():
            client.log_param(run_id, key, hide_secrets(str(value)))
        for key, value in tags.items():
            client.set_tag(run_id, key, hide_secrets(value))
        for score in scores:
            client.log_metric(run_id, f"{score.split}/{score.model}/{score.metric}", score.value)
        curve = folder / CURVE_FILE
        for point in json.loads(curve.read_text(encoding="utf-8")) if curve.is_file() else []:
            for key, value in point.items():
                client.log_metric(run_id, f"training/{key}", float(value), step=int(point["epoch"]))
        client.log_dict(run_id, describe_environment(), "environment.json")
        client.log_text(run_id, write_generator_card(settings, scores, sha256), "model_card.md")
        with tempfile.TemporaryDirectory() as staged:
            for file in (*GENERATOR_FILES, "tokenizer_config.json"):
                if (folder / file).is_file():
                    (Path(staged) / file).symlink_to((folder / file).resolve())
            others = files_sha256(Path(staged), other_files(Path(staged), GENERATOR_FILES))
            client.log_artifacts(run_id, staged, ARTIFACT)
        version_tags = {
            "fingerprint": fingerprint,
            "sha256": sha256,
            "base": hide_secrets(settings.base),
            "corpus_fingerprint": settings.corpus_fingerprint,
            OTHER_FILES_TAG: others,
        }
        return add_version(client, name, run_id, ARTIFACT, version_tags)


def _pin(model_version: "ModelVersion") -> RegisteredModel:
    """Finds the files of a version and checks them against the registered hash."""
    label = f"'{model_version.name}' version {model_version.version}"
    try:
        path = locate(str(model_version.source))
        sha256, others = generator_sha256(path), files_sha256(path, other_files(path, GENERATOR_FILES))
        settings = read_generator(path)
    except (OSError, ModelNotFoundError) as error:
        raise ModelNotFoundError(
            f"{label}: its files at {model_version.source} cannot be read ({type(error).__name__}); restore them, or "
            "set generation.alias to another version"
        ) from error
    if sha256 != model_version.tags["sha256"]:
        raise ModelNotFoundError(
            f"{label}: its files in {path} are not those that were registered (sha256 {sha256[:12]}, expected "
            f"{model_version.tags['sha256'][:12]}); set generation.alias to another version"
        )
    if model_version.tags.get(OTHER_FILES_TAG, "") not in ("", others):
        raise ModelNotFoundError(
            f"{label}: the files beside the generator in {path}, such as tokenizer_config.json, are not those that "
            "were registered; set generation.alias to another version"
        )
    uri = str(model_version.source).rstrip("/")
    return RegisteredModel(
        str(model_version.name), int(model_version.version), sha256, path, settings.corpus_fingerprint, uri
    )
