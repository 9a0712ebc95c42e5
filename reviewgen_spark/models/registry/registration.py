"""Registers a classifier: logs its files, scores and settings, and applies the decision of the gate."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config.messages import hide_secrets
from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.models.classifier.model_folder import (
    CURVE_FILE,
    MODEL_FILES,
    ModelSettings,
    file_sha256,
    files_sha256,
    folder_sha256,
    other_files,
    read_settings,
    require_sentiment,
)
from reviewgen_spark.models.evaluation.evaluation import Score, find_score
from reviewgen_spark.models.registry.aliases import CANDIDATE, CHAMPION, Decision
from reviewgen_spark.models.registry.mlflow_model import MODEL_ARTIFACT, path_inside, save_pyfunc
from reviewgen_spark.models.registry.mlflow_store import (
    add_version,
    by_alias,
    by_fingerprint,
    describe_environment,
    find_experiment,
    open_client,
    open_run,
)
from reviewgen_spark.models.registry.model_card import write_card
from reviewgen_spark.models.registry.registry import FILE_TAG, OTHER_FILES_TAG, RegisteredModel, pin

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_DECISION, _SETTLED = "decision", "settled"  # tags of a version: the decision, and that its aliases are set


def register(
    model_dir: Path,
    scores: Sequence[Score],
    fingerprint: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    name: str,
    tracking_uri: str,
    artifact_root: Path,
    decide: Callable[[RegisteredModel | None], tuple[bool, str]],
    alias: str = CHAMPION,
    teacher: RegisteredModel | None = None,
    files: Sequence[Path] = (),
) -> Decision:
    """Logs a model with its scores and settings, registers it as `candidate`, and promotes it if the gate passes.

    Aliases are set last, so a failure before that leaves a failed run and the old champion. After a kill, a call with
    the same fingerprint resumes with the version that it made. Once the aliases are set, it only returns the decision.

    Args:
        model_dir: the folder that `finetune` wrote; its training curve is logged by epoch.
        scores: results of `evaluate`.
        fingerprint: fingerprint of this registration; repeated calls make one version only.
        params: settings to log, without any text.
        tags: tags of the run: data versions, fingerprints, who started it.
        name: the registered name.
        tracking_uri: the MLflow store, such as `sqlite:////data/mlflow.db`.
        artifact_root: folder for this experiment's artifacts, used when the experiment is new.
        decide: the gate. It gets the current champion, or None if none can be read. It returns whether the model
            replaces the champion, and why.
        alias: the alias that the model may get; only a model for `champion` becomes `candidate`.
        teacher: the version that this model was distilled from.
        files: reports of `evaluate` and `compress` for people, logged unchanged.

    Raises:
        ConfigError: the label stage and clients of MLflow could not read the model.
    """
    settings = read_settings(model_dir)
    require_sentiment(settings, "register")
    if settings.adapter:
        raise ConfigError(
            f"register: expected plain weights, got a model with adapters of the kind '{settings.adapter.kind}', which "
            "only this package can read; train with finetune.method=lora, whose weights are merged"
        )
    with open_client(tracking_uri, creates=True) as client:
        model_version = by_fingerprint(client, name, fingerprint)
        if model_version is None:
            model_version = _log_version(
                client,
                name,
                model_dir,
                scores,
                fingerprint,
                params,
                tags,
                find_experiment(client, name, artifact_root),
                _teacher_tags(teacher),
                files,
            )
        if _DECISION not in model_version.tags:
            previous = by_alias(client, name, alias)
            promoted, reason = decide(_readable_model(previous))
            previous_version = int(previous.version) if previous else None
            decided: dict[str, Any] = {"promoted": promoted, "reason": reason, "previous_version": previous_version}
            client.set_model_version_tag(name, str(model_version.version), _DECISION, json.dumps(decided))
        else:
            decided = json.loads(model_version.tags[_DECISION])
        if _SETTLED not in model_version.tags:
            if alias == CHAMPION:
                client.set_registered_model_alias(name, CANDIDATE, str(model_version.version))
            if decided["promoted"]:
                client.set_registered_model_alias(name, alias, str(model_version.version))
            client.set_model_version_tag(name, str(model_version.version), _SETTLED, "true")
        return Decision(pin(model_version), **decided)


def _readable_model(model_version: "ModelVersion | None") -> RegisteredModel | None:
    """Returns the model of a version if its files can be read, else None."""
    try:
        return pin(model_version) if model_version else None
    except ModelNotFoundError:
        return None


def _teacher_tags(teacher: RegisteredModel | None) -> dict[str, str]:
    if teacher is None:
        return {}
    return {
        "teacher_name": teacher.name,
        "teacher_version": str(teacher.version),
        "teacher_sha256": teacher.sha256,
    }


def _log_version(
    client: "MlflowClient",
    name: str,
    model_dir: Path,
    scores: Sequence[Score],
    fingerprint: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    experiment_id: str,
    teacher_tags: Mapping[str, str],
    files: Sequence[Path],
) -> "ModelVersion":
    settings, sha256 = read_settings(model_dir), folder_sha256(model_dir)
    with open_run(client, experiment_id, settings.base) as run_id:
        _log_facts(client, run_id, model_dir, settings, scores, params, tags, sha256)
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder) / MODEL_ARTIFACT
            save_pyfunc(model_dir, packed)
            inside = path_inside(packed)
            others = files_sha256(packed, other_files(packed, [f"{inside}/{name}" for name in MODEL_FILES]))
            client.log_artifacts(run_id, str(packed), MODEL_ARTIFACT)
        for file in files:
            client.log_artifact(run_id, str(file))
        version_tags = {
            "fingerprint": fingerprint,
            "sha256": sha256,
            "base": hide_secrets(settings.base),
            "corpus_fingerprint": settings.corpus_fingerprint,
            "test_f1": repr(find_score(list(scores), "f1")),
            OTHER_FILES_TAG: others,
            **{FILE_TAG + file.name: file_sha256(file) for file in files},
            **teacher_tags,
        }
        return add_version(client, name, run_id, MODEL_ARTIFACT, version_tags)


def _log_facts(
    client: "MlflowClient",
    run_id: str,
    model_dir: Path,
    settings: ModelSettings,
    scores: Sequence[Score],
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    sha256: str,
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    facts = {
        "base": settings.base,
        "corpus_fingerprint": settings.corpus_fingerprint,
        "temperature": settings.temperature,
        **{f"finetune.{name}": value for name, value in settings.training.items()},
        **params,
    }
    curve = json.loads((model_dir / CURVE_FILE).read_text(encoding="utf-8"))
    metrics = [
        Metric(f"training/{name}", float(value), 0, int(point["epoch"]))
        for point in curve
        for name, value in point.items()
        if name != "epoch"
    ]
    metrics += [
        Metric(f"{score.split}/{'' if score.model == 'model' else score.model + '/'}{score.metric}", score.value, 0, 0)
        for score in scores
        if score.slice_name == "all"
    ]
    client.log_batch(
        run_id,
        params=[Param(name, hide_secrets(str(value))) for name, value in facts.items()],
        tags=[RunTag(name, hide_secrets(value)) for name, value in tags.items()],
    )
    for start in range(0, len(metrics), 1000):  # MLflow's limit of one batch
        client.log_batch(run_id, metrics=metrics[start : start + 1000])
    client.log_dict(run_id, {"scores": [asdict(score) for score in scores]}, "scores.json")
    client.log_dict(run_id, {"curve": curve}, "training_curve.json")
    client.log_dict(run_id, describe_environment(), "environment.json")
    client.log_text(run_id, write_card(settings, scores, params, sha256), "model_card.md")
