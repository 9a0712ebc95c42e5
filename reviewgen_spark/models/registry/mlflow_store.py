"""Opens the MLflow store, and reads and writes its runs and versions, for classifiers and generators."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING

from reviewgen_spark.errors import MissingExtraError

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
def open_client(tracking_uri: str) -> "Iterator[MlflowClient]":
    """Opens the store without telemetry, progress bars or log lines about migrations of a new sqlite file."""
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
        if tracking_uri.startswith("sqlite:///"):
            Path(tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        yield MlflowClient(tracking_uri, tracking_uri)
    finally:
        for logger, level in zip(noisy, levels, strict=True):
            logger.setLevel(level)
