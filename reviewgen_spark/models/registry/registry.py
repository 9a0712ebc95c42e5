"""Reads the registry of classifiers in MLflow: lists versions and resolves aliases.

`registration.py` adds versions, `aliases.py` sets the champion, `local_copies.py` is the fallback.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.errors import ConfigError, DamagedModelError, ModelNotFoundError, ReviewgenError
from reviewgen_spark.models.classifier.model_folder import (
    MODEL_FILES,
    files_sha256,
    folder_sha256,
    other_files,
    read_settings,
)
from reviewgen_spark.models.registry.mlflow_model import path_inside
from reviewgen_spark.models.registry.mlflow_store import by_reference, no_answer, open_client, registered_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class RegisteredModel:
    """Identifies one version: name and number for the tables, the hash for fingerprints, the folder to load.

    `uri` is the same folder in the artifact store, for machines that cannot read `path`.
    """

    name: str
    version: int
    sha256: str
    path: Path
    corpus_fingerprint: str
    uri: str


@dataclass(frozen=True)
class ModelEntry:
    """Holds a row of `reviewgen models list`."""

    name: str
    version: int
    aliases: tuple[str, ...]
    base: str
    test_f1: float | None
    corpus_fingerprint: str
    sha256: str
    created_ms: int
    teacher: str = ""  # name and version of the model that it was distilled from


def parse_reference(model: str) -> tuple[str, str]:
    """Splits NAME@ALIAS or NAME@VERSION.

    Raises:
        ConfigError: the reference does not have that form.
    """
    name, at, alias = model.partition("@")
    if not (name and at and alias):
        raise ConfigError(f"model {model!r}: expected NAME@ALIAS or NAME@VERSION, such as review_sentiment@champion")
    return name, alias


def resolve(name: str, alias: str, tracking_uri: str) -> RegisteredModel:
    """Returns the version that an alias or a number refers to now. Call it once per run, on the driver.

    Raises:
        ModelNotFoundError: no version has the alias, or its files are missing or damaged.
        RegistryError: the store does not answer.
    """
    with open_client(tracking_uri) as client:
        try:
            model_version = _find(client, name, alias, tracking_uri)
        except ReviewgenError:
            raise
        except Exception as error:  # each kind of store raises its own errors when it is down
            raise no_answer(tracking_uri, error) from error
        return pin(model_version)


# Tags of a version. Versions that were registered earlier do not have these two.
OTHER_FILES_TAG = "other_files_sha256"
FILE_TAG = "sha256."
"""The tag of a file that was logged with a version: this prefix and the name of the file."""


class DamagedVersionError(DamagedModelError):
    """Reports a version whose files are damaged; `version` has what the registry itself recorded about it."""

    def __init__(self, message: str, version: RegisteredModel) -> None:
        """Sets the message and the version. Its path does not exist."""
        super().__init__(message)
        self.version = version


def pin(model_version: "ModelVersion") -> RegisteredModel:
    """Finds the plain files of a version and checks all its files against the registered hashes.

    Raises:
        DamagedVersionError: the files are missing or damaged.
    """
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    label, tags = f"'{model_version.name}' version {model_version.version}", model_version.tags
    expected = RegisteredModel(
        model_version.name,
        int(model_version.version),
        tags["sha256"],
        Path(),
        tags.get("corpus_fingerprint", ""),
        str(model_version.source),
    )
    advice = "restore them, or promote another version with `reviewgen models promote`"
    try:
        local = Path(mlflow.artifacts.download_artifacts(artifact_uri=model_version.source))
        inside = path_inside(local)
        path = local / inside
        sha256 = folder_sha256(path)
        if sha256 != tags["sha256"]:
            raise DamagedVersionError(
                f"{label}: its files in {path} are not those that were registered (sha256 {sha256[:12]}, expected "
                f"{tags['sha256'][:12]}); {advice}",
                expected,
            )
        settings = read_settings(path)
        others = other_files(local, [f"{inside}/{name}" for name in MODEL_FILES])
        if tags.get(OTHER_FILES_TAG, "") not in ("", files_sha256(local, others)):
            raise DamagedVersionError(
                f"{label}: the files beside the model in {local}, such as pyfunc.py, are not those that were "
                f"registered; {advice}",
                expected,
            )
    except DamagedVersionError:
        raise
    except (OSError, MlflowException, ModelNotFoundError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise DamagedVersionError(
            f"{label}: its files at {model_version.source} cannot be read ({type(error).__name__}); {advice}", expected
        ) from error
    uri = f"{str(model_version.source).rstrip('/')}/{inside}"
    return RegisteredModel(
        model_version.name, int(model_version.version), sha256, path, settings.corpus_fingerprint, uri
    )


def download_file(model: RegisteredModel, file: str, folder: Path, tracking_uri: str) -> Path:
    """Copies a file that was logged beside a version into a folder; returns the copy.

    Raises:
        ModelNotFoundError: its run has no such file, or it cannot be read.
    """
    from mlflow.exceptions import MlflowException

    with open_client(tracking_uri) as client:
        run_id = client.get_model_version(model.name, str(model.version)).run_id or ""
        try:
            return Path(client.download_artifacts(run_id, file, str(folder)))
        except (OSError, MlflowException) as error:
            raise ModelNotFoundError(_missing_file(model, file, f" ({type(error).__name__})")) from error


def recorded_hashes(model: RegisteredModel, files: Sequence[str], tracking_uri: str) -> dict[str, str]:
    """Returns the sha256 that the registry recorded for files beside a version; earlier versions have none."""
    if not files:
        return {}
    with open_client(tracking_uri) as client:
        tags = client.get_model_version(model.name, str(model.version)).tags
    return {file: tags[FILE_TAG + file] for file in files if FILE_TAG + file in tags}


def require_files(model: RegisteredModel, files: Sequence[str], tracking_uri: str) -> None:
    """Checks that files were logged beside a version; copies nothing.

    Raises:
        ModelNotFoundError: the run of the version lacks one.
    """
    if not files:
        return
    with open_client(tracking_uri) as client:
        run_id = client.get_model_version(model.name, str(model.version)).run_id or ""
        logged = {artifact.path for artifact in client.list_artifacts(run_id)} if run_id else set()
    for file in files:
        if file not in logged:
            raise ModelNotFoundError(_missing_file(model, file))


def _missing_file(model: RegisteredModel, file: str, cause: str = "") -> str:
    return (
        f"'{model.name}' version {model.version}: its run has no {file} that can be read{cause}; "
        "`reviewgen run compress` registers one (compress.onnx, compress.cascade)"
    )


def read_file(name: str, alias: str, file: str, tracking_uri: str) -> str:
    """Returns the content of a text file that was logged with a version; its weights are not checked.

    Args:
        name: the registered name.
        alias: an alias, or a version's number.
        file: its name, as in the `files` of `register`.
        tracking_uri: the MLflow store.

    Raises:
        ModelNotFoundError: there is no such version, or its run has no such file.
    """
    from mlflow.exceptions import MlflowException

    with open_client(tracking_uri) as client:
        model_version = _find(client, name, alias, tracking_uri)
        label, run_id = f"'{name}' version {model_version.version}", model_version.run_id or ""
        if not run_id or file not in {artifact.path for artifact in client.list_artifacts(run_id)}:
            raise ModelNotFoundError(
                f"{label}: its run has no {file}; it was registered before this file existed, or its files were "
                "removed. `reviewgen run train` registers the model again, with this file"
            )
        with tempfile.TemporaryDirectory() as folder:
            try:
                return Path(client.download_artifacts(run_id, file, folder)).read_text(encoding="utf-8")
            except (OSError, MlflowException) as error:
                raise ModelNotFoundError(
                    f"{label}: {file} of its run {run_id} cannot be read ({type(error).__name__}); restore it"
                ) from error


def list_models(tracking_uri: str, name: str | None = None) -> list[ModelEntry]:
    """Returns all versions, newest first, of one name or of all."""
    with open_client(tracking_uri) as client:
        entries: list[ModelEntry] = []
        for registered in client.search_registered_models():
            if name in (None, registered.name):
                aliases = client.get_registered_model(registered.name).aliases
                versions = client.search_model_versions(f"name='{registered.name}'")
                entries.extend(_entry(model_version, aliases) for model_version in versions)
        return sorted(entries, key=lambda entry: (entry.name, -entry.version))


def store_identity(tracking_uri: str, name: str) -> str:
    """Returns the time when a name was first registered. It differs between a store and its replacement.

    A missing name is registered here, so the value is the same before and after the first version.
    """
    with open_client(tracking_uri, creates=True) as client:
        return str(registered_model(client, name).creation_timestamp)


def _entry(model_version: "ModelVersion", aliases: Mapping[str, str]) -> ModelEntry:
    return ModelEntry(
        name=model_version.name,
        version=int(model_version.version),
        aliases=tuple(sorted(alias for alias, number in aliases.items() if str(number) == str(model_version.version))),
        base=model_version.tags.get("base", ""),
        test_f1=float(model_version.tags["test_f1"]) if "test_f1" in model_version.tags else None,
        corpus_fingerprint=model_version.tags.get("corpus_fingerprint", ""),
        sha256=model_version.tags.get("sha256", ""),
        created_ms=int(model_version.creation_timestamp),
        teacher=f"{model_version.tags['teacher_name']} version {model_version.tags['teacher_version']}"
        if "teacher_version" in model_version.tags
        else "",
    )


def _find(client: "MlflowClient", name: str, alias: str, tracking_uri: str) -> "ModelVersion":
    model_version = by_reference(client, name, alias)
    if model_version is None:
        raise ModelNotFoundError(
            f"models.name: no version of '{name}' has the alias '{alias}', or that number, in {tracking_uri}; "
            "train and register one with `reviewgen run train`, or promote one with `reviewgen models promote`"
        )
    return model_version
