"""Searches settings of fine-tuning with Optuna: TPE, median pruning, a study in sqlite, a nested run for each trial.

Trials are compared by validation F1; the test split is not opened. An interrupted study resumes from its file. An
interrupted trial counts as failed, and a new one is drawn in its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config import FinetuneSection, TuneSection
from reviewgen_spark.config.progress import add_bar, progress_bars
from reviewgen_spark.errors import MissingExtraError, ReviewgenError

if TYPE_CHECKING:
    from optuna import Study, Trial

Objective = Callable[[FinetuneSection, Callable[[int, float], None]], float]
"""Maps settings and a callback to the final figure; more is better. The callback gets each epoch and its figure."""


@dataclass(frozen=True)
class TuneResult:
    """Holds the best settings, their validation F1, and the number of trials by final state."""

    best: Mapping[str, Any]
    value: float  # the validation F1
    finished: int
    pruned: int
    failed: int


@progress_bars()
def tune(
    objective: Objective,
    section: FinetuneSection,
    space: TuneSection,
    storage: Path,
    study: str,
    log: Callable[[Mapping[str, Any], str, float | None], None],
    progress: Callable[[str], None],
) -> TuneResult:
    """Runs trials until the study has `space.trials`, those of earlier calls included.

    Args:
        objective: trains with some settings and returns their figure.
        section: the settings that are not searched.
        space: the ranges of the search, and its limits.
        storage: sqlite file of the study.
        study: name of the study. It should contain the corpus and the base, because trials of others cannot
            be compared.
        log: called for each ended trial with its settings, its state (`complete`, `pruned`, `failed`) and its figure.
        progress: called with one line per trial.

    Raises:
        MissingExtraError: optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("tune: optuna is not installed; install reviewgen-spark[train]") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    optuna_study = optuna.create_study(
        study_name=study,
        storage=f"sqlite:///{storage}",
        load_if_exists=True,
        direction="maximize",
        # The seed depends on the number of trials, because a resumed sampler must not draw its first trials again.
        sampler=optuna.samplers.TPESampler(seed=space.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=space.unpruned_trials, n_warmup_steps=1),
    )
    _fail_stale(optuna_study)
    ended_before = len(_ended(optuna_study))
    optuna_study.sampler = optuna.samplers.TPESampler(seed=space.seed + ended_before)

    advance = add_bar("trials", space.trials, ended_before)

    def run(trial: "Trial") -> float:
        drawn = draw(trial, space)
        state, value = "failed", None

        def report_epoch(epoch: int, figure: float) -> None:
            trial.report(figure, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            value = objective(section.model_copy(update=drawn), report_epoch)
            state = "complete"
            return value
        except optuna.TrialPruned:
            state = "pruned"
            raise
        finally:
            log(drawn, state, value)
            advance(1)
            progress(f"trial {trial.number + 1}: {state}" + (f", {value:.4f}" if value is not None else ""))

    optuna_study.optimize(run, n_trials=max(0, space.trials - ended_before), catch=(ReviewgenError,))
    states = [trial.state.name for trial in optuna_study.trials]
    best = optuna_study.best_trial
    return TuneResult(
        best=dict(best.params),
        value=float(best.value or 0.0),
        finished=states.count("COMPLETE"),
        pruned=states.count("PRUNED"),
        failed=states.count("FAIL"),
    )


def draw(trial: "Trial", space: TuneSection) -> dict[str, Any]:
    """Draws one point of the space. The scale of learning rates is logarithmic, because their magnitude matters."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", *space.learning_rate, log=True),
        "batch_size": trial.suggest_categorical("batch_size", list(space.batch_size)),
        "epochs": trial.suggest_int("epochs", *space.epochs),
        "dropout": trial.suggest_float("dropout", *space.dropout),
        "weight_decay": trial.suggest_float("weight_decay", *space.weight_decay),
        "warmup_pct": trial.suggest_float("warmup_pct", *space.warmup_pct),
        "label_smoothing": trial.suggest_float("label_smoothing", *space.label_smoothing),
    }


def _ended(study: "Study") -> list[Any]:
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _fail_stale(study: "Study") -> None:
    """Marks a trial as failed if a killed process left it in the state running."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
