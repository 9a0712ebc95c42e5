"""Opens the MLflow store, and reads and writes its runs and versions, for classifiers and generators."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from reviewgen_spark.errors import ConfigError, MissingExtraError, ModelNotFoundError, RegistryError, ReviewgenError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

REQUIREMENTS = ("torch", "transformers", "tokenizers", "safetensors", "pandas", "mlflow")
ENVIRONMENT = (*REQUIREMENTS, "numpy", "scikit-learn", "pyarrow", "reviewgen-spark")


def registered_model(client: "MlflowClient", name: str) -> "RegisteredModel":
    """Returns the registered model of a name; creates it if it is missing."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return client.create_registered_model(name)


@contextmanager
def open_run(client: "MlflowClient", experiment_id: str, name: str) -> Iterator[str]:
    """Creates a run and yields its id; the run ends as FINISHED, or as FAILED after any exception."""
    run_id = client.create_run(experiment_id, run_name=name).info.run_id
    try:
        yield run_id
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


def add_version(client: "MlflowClient", name: str, run_id: str, artifact: str, tags: dict[str, str]) -> "ModelVersion":
    """Makes an artifact of a run a version of a registered model."""
    registered_model(client, name)
    source = f"{client.get_run(run_id).info.artifact_uri}/{artifact}"
    return client.create_model_version(name, source, run_id, tags=tags)


def locate(uri: str) -> Path:
    """Returns the local path of a folder of an artifact store; a remote one is downloaded.

    Raises:
        OSError: it cannot be read.
    """
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    try:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
    except MlflowException as error:
        raise OSError(f"{type(error).__name__} of the artifact store") from error


def download(uri: str, folder: Path) -> Path:
    """Copies a folder of any artifact store of MLflow (s3, hdfs, a tracking server) into a folder; returns the copy."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        import mlflow.artifacts
    except ImportError as error:
        raise MissingExtraError("mlflow is not installed; install reviewgen-spark[serve] on the executors") from error
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))


def by_fingerprint(client: "MlflowClient", name: str, fingerprint: str) -> "ModelVersion | None":
    """Returns the version with the fingerprint of a registration, if any."""
    versions = client.search_model_versions(f"name='{name}'")
    return next((entry for entry in versions if entry.tags.get("fingerprint") == fingerprint), None)


def by_alias(client: "MlflowClient", name: str, alias: str) -> "ModelVersion | None":
    """Returns the version that has an alias, if any."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        # INVALID_PARAMETER_VALUE is the store's error for an alias that a registered model does not have.
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def by_number(client: "MlflowClient", name: str, number: str) -> "ModelVersion | None":
    """Returns the version with a number, if any."""
    versions = client.search_model_versions(f"name='{name}'")
    return next((entry for entry in versions if str(entry.version) == number), None)


def by_reference(client: "MlflowClient", name: str, reference: str) -> "ModelVersion | None":
    """Returns the version that has an alias or a number, if any."""
    return by_number(client, name, reference) if reference.isdecimal() else by_alias(client, name, reference)


def find_experiment(client: "MlflowClient", name: str, artifact_root: Path) -> str:
    """Returns the id of an experiment; creates a missing one with its artifacts below a folder."""
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    artifact_root.mkdir(parents=True, exist_ok=True)
    return str(client.create_experiment(name, artifact_location=artifact_root.resolve().as_uri()))


def describe_environment() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that a model depends on."""
    return {"python": python_version(), **{name: installed_version(name) for name in ENVIRONMENT}}


def installed_version(name: str) -> str:
    """Returns the version of a library, or `not installed`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@contextmanager
def open_client(tracking_uri: str, creates: bool = False) -> "Iterator[MlflowClient]":
    """Opens the store without telemetry, progress bars or log lines about migrations of a new sqlite file.

    Args:
        tracking_uri: the MLflow store.
        creates: whether to create a missing local store; only for callers that write to it.

    Raises:
        ConfigError: the address is of no kind that MLflow can open, or the store cannot be created there.
        ModelNotFoundError: the store is a local file or folder that does not exist.
        RegistryError: the store does not answer.
    """
    _require_store(tracking_uri, creates)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    # By default MLflow retries seven times, for minutes, when a server is down; three retries take about 12 s.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise MissingExtraError("mlflow is not installed; install reviewgen-spark[train] or [serve]") from error
    noisy = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in noisy]
    for logger in noisy:
        logger.setLevel(logging.ERROR)
    try:
        yield MlflowClient(tracking_uri, tracking_uri)
    except ReviewgenError:
        raise
    except Exception as error:
        if _is_failure_of_store(error):
            raise no_answer(tracking_uri, error) from error
        raise
    finally:
        for logger, level in zip(noisy, levels, strict=True):
            logger.setLevel(level)


def local_store(tracking_uri: str) -> Path | None:
    """Returns the file or folder of a local store; None for a server or a database elsewhere.

    >>> local_store("sqlite:////data/mlflow.db"), local_store("https://mlflow.example:5000")
    (PosixPath('/data/mlflow.db'), None)
    """
    if tracking_uri.startswith("sqlite:///"):
        return Path(tracking_uri.removeprefix("sqlite:///").partition("?")[0])
    if tracking_uri.startswith("file:"):
        return Path(unquote(urlsplit(tracking_uri).path))
    return None if ":" in tracking_uri.partition("/")[0] or tracking_uri == "databricks" else Path(tracking_uri)


def has_store(tracking_uri: str) -> bool:
    """Returns whether a local store exists; a remote one is not called."""
    path = local_store(tracking_uri)
    return path is None or path.exists()


def _require_store(tracking_uri: str, creates: bool) -> None:
    """Checks that a local store exists, or creates its folder."""
    path = local_store(tracking_uri)
    if path is None:
        return
    is_folder = not tracking_uri.startswith("sqlite:///")
    if is_folder and os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() != "true":
        raise ConfigError(
            f"paths.mlflow_uri: {without_password(tracking_uri)} is a folder, which MLflow does not open any more; "
            f"give a database, such as sqlite:///{path.absolute()}/mlflow.db, or the address of a server"
        )
    if creates:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"paths.mlflow_uri: {path.parent} cannot be created ({error.strerror}); give this user the right to "
                "write there, or set another address"
            ) from None
    elif not path.exists():
        raise ModelNotFoundError(
            f"paths.mlflow_uri: there is no registry at {tracking_uri}, because {path} does not exist; correct the "
            "address, or register a model first with `reviewgen run train` (to label) or `train_generator` (to write)"
        )


def no_answer(tracking_uri: str, error: Exception) -> RegistryError:
    """Returns the error that reports a store that does not answer."""
    return RegistryError(
        f"the registry at {without_password(tracking_uri)} does not answer ({type(error).__name__}); start it, or set "
        "paths.mlflow_uri"
    )


def _is_failure_of_store(error: Exception) -> bool:
    """Returns whether the store did not answer. Other errors concern the request itself."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.error_code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")
    return type(error).__module__.partition(".")[0] in ("sqlalchemy", "sqlite3", "requests", "urllib3")


def without_password(uri: str) -> str:
    """Removes user and password from the address of a store.

    >>> without_password("postgresql://me:secret@db/mlflow")
    'postgresql://db/mlflow'
    """
    return re.sub(r"//[^/@]*@", "//", uri)
