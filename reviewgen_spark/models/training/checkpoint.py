"""Writes and reads checkpoints. A resumed training gives exactly the same weights as an uninterrupted one."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from reviewgen_spark.errors import StageError
from reviewgen_spark.models.training.optimizer import LoopSettings

Point = dict[str, float]
"""One epoch of the training curve, by name; `epoch` counts from 1."""


@dataclass
class Progress:
    """Holds the progress of a training; all of it is written to a checkpoint."""

    epoch: int = 1
    batch: int = 0  # batches of this epoch that are done
    step: int = 0  # steps of the optimiser, over all epochs
    total_loss: float = 0.0
    rows: int = 0
    seconds: float = 0.0
    plateau: float = 1.0  # the factor that the schedule `plateau` applies to the rate
    best_epoch: int = 0
    best_value: float = -math.inf
    curve: list[Point] = field(default_factory=list)


def write_checkpoint(
    path: Path,
    model: Any,
    optimizer: torch.optim.Optimizer,
    settings: LoopSettings,
    state: Progress,
    best: Mapping[str, torch.Tensor],
) -> None:
    """Writes a checkpoint to a temporary file and renames it, so that a kill leaves the previous one.

    Raises:
        StageError: the disk is full, or the folder cannot be written.
    """
    content = {
        "settings": asdict(settings),
        "state": asdict(state),
        "model": model.state_dict(),
        "best": dict(best),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state() if settings.device == "cuda" else None,
    }
    staged = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, staged)
        staged.replace(path)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError if the disk is full
        with suppress(OSError):
            staged.unlink()
        raise StageError(
            f"{settings.stage}: the checkpoint could not be written to {path.parent} ({type(error).__name__}); free "
            "some space there and run again: training resumes from the last checkpoint"
        ) from error


def read_checkpoint(
    path: Path, model: Any, optimizer: torch.optim.Optimizer, settings: LoopSettings
) -> tuple[Progress, dict[str, torch.Tensor]]:
    """Restores model, optimiser and random state. It reads only tensors and plain values, never code.

    Raises:
        StageError: the checkpoint has the settings of another training.
    """
    content = torch.load(path, map_location=settings.device, weights_only=True)
    if content["settings"] != asdict(settings):
        changed = sorted(name for name, value in asdict(settings).items() if content["settings"].get(name) != value)
        raise StageError(
            f"{settings.stage}: {path} is of a training with other settings ({', '.join(changed)}); remove it to "
            "start again"
        )
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random"].cpu())
    if content["random_cuda"] is not None:
        torch.cuda.set_rng_state(content["random_cuda"].cpu())
    return Progress(**content["state"]), content["best"]
