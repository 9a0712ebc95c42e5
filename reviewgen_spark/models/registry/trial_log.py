"""Logs the trials of a hyperparameter search in MLflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reviewgen_spark.models.registry.mlflow_store import find_experiment, open_client


class TrialLog:
    """Logs a search as a run, and each trial as a nested run."""

    def __init__(self, tracking_uri: str, experiment: str, artifact_root: Path, name: str) -> None:
        """Sets the store, the experiment and the name of the search."""
        self._uri, self._experiment, self._root, self._name = tracking_uri, experiment, artifact_root, name

    def __enter__(self) -> "TrialLog":
        """Creates the run of the search."""
        with open_client(self._uri, creates=True) as client:
            self._id = find_experiment(client, self._experiment, self._root)
            self._run = client.create_run(self._id, run_name=self._name).info.run_id
        return self

    def __exit__(self, kind: type[BaseException] | None, *ignored: object) -> None:
        """Ends the run: FAILED after an exception."""
        with open_client(self._uri) as client:
            client.set_terminated(self._run, "FAILED" if kind else "FINISHED")

    def trial(self, params: Mapping[str, Any], state: str, value: float | None) -> None:
        """Logs a finished trial; its state is `complete`, `pruned` or `failed`."""
        with open_client(self._uri) as client:
            run = client.create_run(self._id, tags={"mlflow.parentRunId": self._run, "reviewgen.state": state})
            for name, param in params.items():
                client.log_param(run.info.run_id, name, param)
            if value is not None:
                client.log_metric(run.info.run_id, "validation_f1", value)
            client.set_terminated(run.info.run_id, "FAILED" if state == "failed" else "FINISHED")
