"""The register of classifiers, in MLflow.

A version's artifacts are the pyfunc (models-from-code) with the plain `save_pretrained` files inside it. Aliases say
what a version is for: `candidate` is the newest that was registered, `champion` the one that labels.
"""

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.errors import ConfigError, ModelNotFoundError, RegistryError, ReviewgenError
from reviewgen_spark.models.card import write_card
from reviewgen_spark.models.evaluation import Score, find_score
from reviewgen_spark.models.folder import CURVE_FILE, ModelSettings, folder_sha256, read_settings, require_sentiment
from reviewgen_spark.models.mlflow_store import (
    REQUIREMENTS,
    by_alias,
    by_fingerprint,
    by_number,
    describe_environment,
    find_experiment,
    installed_version,
    open_client,
    registered_model,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CANDIDATE, CHAMPION = "candidate", "champion"
MODEL_ARTIFACT = "model"
_DECISION, _SETTLED = "decision", "settled"  # tags of a version: what was decided, and that the aliases say so
# Made up, and fixed: MLflow shows the input example to everybody, so it must be nobody's review.
EXAMPLE_TEXT = "物流很快，质量不错，会再来。"


@dataclass(frozen=True)
class RegisteredModel:
    """One version, pinned: name and number for the tables, the hash for fingerprints, the folder to load.

    `uri` is the same folder in the artifact store, for machines that do not see `path`.
    """

    name: str
    version: int
    sha256: str
    path: Path
    corpus_fingerprint: str
    uri: str


@dataclass(frozen=True)
class ModelEntry:
    """A line of `reviewgen models list`."""

    name: str
    version: int
    aliases: tuple[str, ...]
    base: str
    test_f1: float | None
    corpus_fingerprint: str
    sha256: str
    created_ms: int
    teacher: str = ""  # name and version that it was distilled from


@dataclass(frozen=True)
class Decision:
    """Whether a version took the alias it was for, why, and which one stood before; a row of `ops_model_promotions`."""

    model: RegisteredModel
    promoted: bool
    reason: str
    previous_version: int | None


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
    """Log a model with everything known about it, register it as `candidate`, and let it win the champion's place.

    Aliases are set last, so a failure on the way leaves a failed run and the old champion, never half a model. After
    a kill the same fingerprint goes on with the version that it made; once settled, it only tells the decision.

    Args:
        model_dir: the folder that `finetune` wrote; its training curve is logged by epoch.
        scores: what `evaluate` found.
        fingerprint: of this registration; it makes one version, however often it is called.
        params: settings to log, without any text.
        tags: of the run: data versions, fingerprints, who started it.
        name: the registered name.
        tracking_uri: the MLflow store, such as `sqlite:////data/mlflow.db`.
        artifact_root: folder for this experiment's artifacts, used when the experiment is new.
        decide: the gate: given the standing champion, None where there is none that can be read, says whether the
            model takes its place, and why.
        alias: the place; only who competes for the champion's is `candidate`.
        teacher: the version that this one was distilled from.
        files: what `evaluate` and `compress` wrote for people, logged as it is.

    Raises:
        ConfigError: the model is not one that the label stage and MLflow's clients could read.
    """
    settings = read_settings(model_dir)
    require_sentiment(settings, "register")
    if settings.adapter:
        raise ConfigError(
            f"register: expected plain weights, got a model with adapters of the kind '{settings.adapter.kind}', which "
            "only this package can read; train with finetune.method=lora, whose weights are merged"
        )
    with open_client(tracking_uri) as client:
        found = by_fingerprint(client, name, fingerprint)
        if found is None:
            found = _add_version(
                client,
                name,
                model_dir,
                scores,
                fingerprint,
                params,
                tags,
                find_experiment(client, name, artifact_root),
                _lineage(teacher),
                files,
            )
        if _DECISION not in found.tags:
            previous = by_alias(client, name, alias)
            promoted, reason = decide(_standing(previous))
            previous_version = int(previous.version) if previous else None
            decided: dict[str, Any] = {"promoted": promoted, "reason": reason, "previous_version": previous_version}
            client.set_model_version_tag(name, str(found.version), _DECISION, json.dumps(decided))
        else:
            decided = json.loads(found.tags[_DECISION])
        if _SETTLED not in found.tags:
            if alias == CHAMPION:
                client.set_registered_model_alias(name, CANDIDATE, str(found.version))
            if decided["promoted"]:
                client.set_registered_model_alias(name, alias, str(found.version))
            client.set_model_version_tag(name, str(found.version), _SETTLED, "true")
        return Decision(_pin(found), **decided)


def _add_version(
    client: "MlflowClient",
    name: str,
    model_dir: Path,
    scores: Sequence[Score],
    fingerprint: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    experiment_id: str,
    lineage: Mapping[str, str],
    files: Sequence[Path],
) -> "ModelVersion":
    settings, sha256 = read_settings(model_dir), folder_sha256(model_dir)
    run_id = client.create_run(experiment_id, run_name=settings.base).info.run_id
    try:
        _log_facts(client, run_id, model_dir, settings, scores, params, tags, sha256)
        with tempfile.TemporaryDirectory() as folder:
            save_pyfunc(model_dir, Path(folder) / MODEL_ARTIFACT)
            client.log_artifacts(run_id, str(Path(folder) / MODEL_ARTIFACT), MODEL_ARTIFACT)
        for file in files:
            client.log_artifact(run_id, str(file))
        registered_model(client, name)
        source = f"{client.get_run(run_id).info.artifact_uri}/{MODEL_ARTIFACT}"
        version_tags = {
            "fingerprint": fingerprint,
            "sha256": sha256,
            "base": settings.base,
            "corpus_fingerprint": settings.corpus_fingerprint,
            "test_f1": repr(find_score(list(scores), "f1")),
            **lineage,
        }
        found = client.create_model_version(name, source, run_id, tags=version_tags)
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")
    return found


def parse_reference(model: str) -> tuple[str, str]:
    """Take NAME@ALIAS or NAME@VERSION apart.

    Raises:
        ConfigError: it is not of that form.
    """
    name, at, alias = model.partition("@")
    if not (name and at and alias):
        raise ConfigError(f"model {model!r}: expected NAME@ALIAS or NAME@VERSION, such as review_sentiment@champion")
    return name, alias


def _lineage(teacher: RegisteredModel | None) -> dict[str, str]:
    if teacher is None:
        return {}
    return {
        "teacher_name": teacher.name,
        "teacher_version": str(teacher.version),
        "teacher_sha256": teacher.sha256,
    }


def resolve(name: str, alias: str, tracking_uri: str) -> RegisteredModel:
    """Pin what an alias means now, or a version's number; call it once a run, on the driver.

    Raises:
        ModelNotFoundError: no version stands under the alias, or its files are gone or damaged.
        RegistryError: the store gives no answer.
    """
    with open_client(tracking_uri) as client:
        try:
            found = _find(client, name, alias, tracking_uri)
        except ReviewgenError:
            raise
        except Exception as error:  # a server that is down, a database that cannot be opened: each raises its own
            raise RegistryError(
                f"the registry at {_without_password(tracking_uri)} does not answer ({type(error).__name__}); "
                "start it, or set paths.mlflow_uri"
            ) from error
        return _pin(found)


def download_file(model: RegisteredModel, file: str, folder: Path, tracking_uri: str) -> Path:
    """Copy a file that was logged beside a version into a folder, and name it.

    Raises:
        ModelNotFoundError: its run has no such file, or it cannot be read.
    """
    from mlflow.exceptions import MlflowException

    with open_client(tracking_uri) as client:
        run_id = client.get_model_version(model.name, str(model.version)).run_id or ""
        try:
            return Path(client.download_artifacts(run_id, file, str(folder)))
        except (OSError, MlflowException) as error:
            raise ModelNotFoundError(
                f"'{model.name}' version {model.version}: its run has no {file} that can be read "
                f"({type(error).__name__}); `reviewgen run compress` registers one where compress.onnx is true"
            ) from error


def read_file(name: str, alias: str, file: str, tracking_uri: str) -> str:
    """A text file that was logged with a version; its weights are not looked at.

    Args:
        name: the registered name.
        alias: an alias, or a version's number.
        file: its name, as `register` was given it.
        tracking_uri: the MLflow store.

    Raises:
        ModelNotFoundError: there is no such version, or its run has no such file.
    """
    from mlflow.exceptions import MlflowException

    with open_client(tracking_uri) as client:
        found = _find(client, name, alias, tracking_uri)
        label, run_id = f"'{name}' version {found.version}", found.run_id or ""
        if not run_id or file not in {artifact.path for artifact in client.list_artifacts(run_id)}:
            raise ModelNotFoundError(
                f"{label}: its run has no {file}; it was registered before there was one, or its files are gone. "
                "`reviewgen run train` registers the model anew, with it"
            )
        with tempfile.TemporaryDirectory() as folder:
            try:
                return Path(client.download_artifacts(run_id, file, folder)).read_text(encoding="utf-8")
            except (OSError, MlflowException) as error:
                raise ModelNotFoundError(
                    f"{label}: {file} of its run {run_id} cannot be read ({type(error).__name__}); restore it"
                ) from error


def set_champion(name: str, version_number: int, tracking_uri: str, reason: str = "set by hand") -> Decision:
    """Make a version champion: to promote a newer one or to roll back to an older one.

    Raises:
        ModelNotFoundError: there is no such version, or its files are gone or damaged; the champion then stays.
    """
    from mlflow.exceptions import MlflowException

    with open_client(tracking_uri) as client:
        previous = by_alias(client, name, CHAMPION)
        try:
            found = client.get_model_version(name, str(version_number))
        except MlflowException as error:
            raise ModelNotFoundError(
                f"'{name}' has no version {version_number} in {tracking_uri}; `reviewgen models list` shows them"
            ) from error
        model = _pin(found)  # before the alias moves: a version without files must not become champion
        client.set_registered_model_alias(name, CHAMPION, str(version_number))
        return Decision(model, True, reason, int(previous.version) if previous else None)


def list_models(tracking_uri: str, name: str | None = None) -> list[ModelEntry]:
    """List every version, newest first, of one name or of all."""
    with open_client(tracking_uri) as client:
        entries: list[ModelEntry] = []
        for registered in client.search_registered_models():
            if name in (None, registered.name):
                aliases = client.get_registered_model(registered.name).aliases
                versions = client.search_model_versions(f"name='{registered.name}'")
                entries.extend(_entry(found, aliases) for found in versions)
        return sorted(entries, key=lambda entry: (entry.name, -entry.version))


def store_identity(tracking_uri: str, name: str) -> str:
    """Tell one store from another that has taken its place: when the name was first entered in it.

    The name is entered here if need be, so that the answer is the same before and after the first version.
    """
    with open_client(tracking_uri) as client:
        return str(registered_model(client, name).creation_timestamp)


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
        params=[Param(name, str(value)) for name, value in facts.items()],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
    for start in range(0, len(metrics), 1000):  # MLflow's limit of one batch
        client.log_batch(run_id, metrics=metrics[start : start + 1000])
    client.log_dict(run_id, {"scores": [asdict(score) for score in scores]}, "scores.json")
    client.log_dict(run_id, {"curve": curve}, "training_curve.json")
    client.log_dict(run_id, describe_environment(), "environment.json")
    client.log_text(run_id, write_card(settings, scores, params, sha256), "model_card.md")


def save_pyfunc(model_dir: Path, out: Path) -> None:
    """Write a model folder as what is registered: an MLflow model that needs nothing of this package."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text", required=False)]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "sentiment_label", required=False),
                ColSpec(DataType.double, "sentiment_score", required=False),
            ]
        ),
    )
    mlflow.pyfunc.save_model(
        path=str(out),
        python_model=str(Path(__file__).with_name("pyfunc.py")),  # a path: models-from-code, nothing is pickled
        artifacts={MODEL_ARTIFACT: str(model_dir)},
        signature=signature,
        input_example=pd.DataFrame({"text": [EXAMPLE_TEXT]}),
        pip_requirements=[f"{name}=={installed_version(name)}" for name in REQUIREMENTS],
    )


def _standing(found: "ModelVersion | None") -> RegisteredModel | None:
    """The champion, if its files are still there: a champion that cannot be read labels nothing."""
    try:
        return _pin(found) if found else None
    except ModelNotFoundError:
        return None


class TrialLog:
    """A run of a search, and in it one nested run a trial."""

    def __init__(self, tracking_uri: str, experiment: str, artifact_root: Path, name: str) -> None:
        """Name the store, the experiment and the search."""
        self._uri, self._experiment, self._root, self._name = tracking_uri, experiment, artifact_root, name

    def __enter__(self) -> "TrialLog":
        """Open the run of the search."""
        with open_client(self._uri) as client:
            self._id = find_experiment(client, self._experiment, self._root)
            self._run = client.create_run(self._id, run_name=self._name).info.run_id
        return self

    def __exit__(self, kind: type[BaseException] | None, *ignored: object) -> None:
        """Close it: failed, when the search was cut off."""
        with open_client(self._uri) as client:
            client.set_terminated(self._run, "FAILED" if kind else "FINISHED")

    def trial(self, params: Mapping[str, Any], state: str, value: float | None) -> None:
        """Log a trial that ended; its state is `complete`, `pruned` or `failed`."""
        with open_client(self._uri) as client:
            run = client.create_run(self._id, tags={"mlflow.parentRunId": self._run, "reviewgen.state": state})
            for name, found in params.items():
                client.log_param(run.info.run_id, name, found)
            if value is not None:
                client.log_metric(run.info.run_id, "validation_f1", value)
            client.set_terminated(run.info.run_id, "FAILED" if state == "failed" else "FINISHED")


def _pin(found: "ModelVersion") -> RegisteredModel:
    """Locate a version's plain files and check them against the hash they were registered with."""
    import mlflow.artifacts
    import yaml
    from mlflow.exceptions import MlflowException

    label = f"'{found.name}' version {found.version}"
    try:
        local = Path(mlflow.artifacts.download_artifacts(artifact_uri=found.source))
        flavors = yaml.safe_load((local / "MLmodel").read_text(encoding="utf-8"))["flavors"]
        inside = flavors["python_function"]["artifacts"][MODEL_ARTIFACT]["path"]
        path = local / inside
        settings, sha256 = read_settings(path), folder_sha256(path)
    except (OSError, MlflowException, ModelNotFoundError) as error:
        raise ModelNotFoundError(
            f"{label}: its files at {found.source} cannot be read ({type(error).__name__}); restore them, or promote "
            "another version with `reviewgen models promote`"
        ) from error
    if sha256 != found.tags["sha256"]:
        raise ModelNotFoundError(
            f"{label}: its files in {path} are not those that were registered (sha256 {sha256[:12]}, expected "
            f"{found.tags['sha256'][:12]}); promote another version with `reviewgen models promote`"
        )
    uri = f"{str(found.source).rstrip('/')}/{inside}"
    return RegisteredModel(found.name, int(found.version), sha256, path, settings.corpus_fingerprint, uri)


def _entry(found: "ModelVersion", aliases: Mapping[str, str]) -> ModelEntry:
    return ModelEntry(
        name=found.name,
        version=int(found.version),
        aliases=tuple(sorted(alias for alias, number in aliases.items() if str(number) == str(found.version))),
        base=found.tags.get("base", ""),
        test_f1=float(found.tags["test_f1"]) if "test_f1" in found.tags else None,
        corpus_fingerprint=found.tags.get("corpus_fingerprint", ""),
        sha256=found.tags.get("sha256", ""),
        created_ms=int(found.creation_timestamp),
        teacher=f"{found.tags['teacher_name']} version {found.tags['teacher_version']}"
        if "teacher_version" in found.tags
        else "",
    )


def _find(client: "MlflowClient", name: str, alias: str, tracking_uri: str) -> "ModelVersion":
    found = by_number(client, name, alias) if alias.isdecimal() else by_alias(client, name, alias)
    if found is None:
        raise ModelNotFoundError(
            f"models.name: no version of '{name}' has the alias '{alias}', or that number, in {tracking_uri}; "
            "train and register one with `reviewgen run train`, or promote one with `reviewgen models promote`"
        )
    return found


def _without_password(uri: str) -> str:
    """A store's address as it may be shown.

    >>> _without_password("postgresql://me:secret@db/mlflow")
    'postgresql://db/mlflow'
    """
    return re.sub(r"//[^/@]*@", "//", uri)
