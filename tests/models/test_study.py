"""Tests the hyperparameter search on a cheap objective, and once on a real training."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reviewgen_spark.config import FinetuneSection, TuneSection
from reviewgen_spark.errors import StageError
from reviewgen_spark.models.registry.trial_log import TrialLog
from reviewgen_spark.models.training.finetuning import finetune
from reviewgen_spark.models.training.study import TuneResult, tune
from tests.terminal import open_terminal

from .conftest import QUICK


def objective_value(section: FinetuneSection, report: Callable[[int, float], None]) -> float:
    """Returns a value that is best at a rate of 1e-3, and reports a part of it after each epoch."""
    value = 1 - abs(math.log10(section.learning_rate) + 3) / 3
    for epoch in range(1, 5):
        report(epoch, value * epoch / 4)
    return value


def search(folder: Path, trials: int, objective: Any = objective_value, log: Any = lambda *trial: None) -> TuneResult:
    space = TuneSection(trials=trials, unpruned_trials=4, learning_rate=(1e-5, 1e-2))
    return tune(objective, QUICK, space, folder / "study.db", "s", log, lambda line: None)


def test_the_search_finds_the_best_rate_and_prunes_trials(tmp_path: Path) -> None:
    trials: list[tuple[Any, str, float | None]] = []
    result = search(tmp_path, 30, log=lambda *trial: trials.append(trial))
    assert result.value > 0.9 and 3e-4 < result.best["learning_rate"] < 3e-3
    assert result.pruned > 0 and result.finished + result.pruned == 30 == len(trials)
    assert {state for _, state, _ in trials} == {"complete", "pruned"}


def test_a_terminal_shows_the_trials(tmp_path: Path) -> None:
    search(tmp_path, 2)
    with open_terminal() as screen:
        search(tmp_path, 5)
    assert re.search(r"trials .* 2/5 ", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.text()))


class PowerCutError(BaseException):
    pass


def test_an_interrupted_study_is_resumed(tmp_path: Path) -> None:
    calls = 0

    def fail(section: FinetuneSection, report: Callable[[int, float], None]) -> float:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise PowerCutError
        return objective_value(section, report)

    with pytest.raises(PowerCutError):
        search(tmp_path, 12, fail)
    result = search(tmp_path, 12, fail)
    assert (result.finished + result.pruned, result.failed, calls) == (12, 1, 13)
    assert search(tmp_path, 12, fail).finished == result.finished and calls == 13  # no trial is left


def test_a_trial_that_diverges_does_not_end_the_study(tmp_path: Path) -> None:
    def fail(section: FinetuneSection, report: Callable[[int, float], None]) -> float:
        if section.learning_rate > 1e-3:
            raise StageError("the loss became nan")
        return objective_value(section, report)

    result = search(tmp_path, 8, fail)
    assert result.finished > 0 and result.best["learning_rate"] <= 1e-3


def test_trials_are_nested_runs_of_real_trainings(corpus: Path, tmp_path: Path) -> None:
    import mlflow

    uri = f"sqlite:///{tmp_path}/mlflow.db"

    def objective(section: FinetuneSection, report: Callable[[int, float], None]) -> float:
        return finetune(
            corpus, "scratch:tiny", section, tmp_path / "m", lambda line: None, on_epoch=report
        ).validation_f1

    with TrialLog(uri, "tuning", tmp_path / "artifacts", "study") as log:
        space = TuneSection(trials=2, epochs=(1, 2), learning_rate=(1e-3, 3e-3))
        result = tune(objective, QUICK, space, tmp_path / "s.db", "s", log.trial, lambda line: None)
    assert result.finished == 2
    client = mlflow.MlflowClient(uri, uri)
    runs = client.search_runs([client.get_experiment_by_name("tuning").experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    assert (len(parents), len(nested)) == (1, 2) and parents[0].info.status == "FINISHED"
    assert all("learning_rate" in run.data.params and run.data.metrics["validation_f1"] >= 0 for run in nested)
