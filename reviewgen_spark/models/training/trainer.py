"""Trains a model: the loop that fine-tuning, pre-training and distillation share.

A checkpoint holds everything that the next step depends on. So a resumed training gives the same weights to the bit, on
the same device, precision and number of threads. Under `torch.distributed` each process takes its share of every batch,
and the gradients add up to those of the whole batch.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed

from reviewgen_spark.config.progress import REPORT_EVERY_S, Advance, add_bar, progress_bars
from reviewgen_spark.errors import StageError
from reviewgen_spark.models.bases.quiet_transformers import quiet_transformers
from reviewgen_spark.models.classifier.model_folder import CURVE_FILE
from reviewgen_spark.models.training.checkpoint import Point, Progress, read_checkpoint, write_checkpoint
from reviewgen_spark.models.training.dropout import replace_dropout
from reviewgen_spark.models.training.optimizer import LoopSettings, make_optimizer, rate

CHECKPOINT_EVERY_S = 300.0
PLATEAU_FACTOR = 0.5

Rows = npt.NDArray[np.int64]


class TrainingTask(Protocol):
    """What `train` needs to know of a task: its batches, its loss and its validation."""

    @property
    def selects(self) -> str:
        """Returns the name of the validation figure that chooses the epoch; higher is better."""
        ...

    def batches(self, epoch: int, rng: np.random.Generator) -> Sequence[Rows]:
        """Returns the rows of each batch of an epoch, in order; equal generators give equal batches."""
        ...

    def loss(self, model: Any, rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        """Returns the mean loss of some rows, a scalar.

        Each call gets a new generator, so that draws for a batch do not depend on earlier draws.
        """
        ...

    def validate(self, model: Any) -> Mapping[str, float]:
        """Returns the figures of the model after an epoch, by name."""
        ...


@dataclass(frozen=True)
class TrainResult:
    """Holds the training curve, and the weights of the best epoch by validation."""

    curve: tuple[Point, ...]
    best_epoch: int
    best_state: dict[str, torch.Tensor]


@progress_bars()
def train(
    model: Any,
    task: TrainingTask,
    settings: LoopSettings,
    progress: Callable[[str], None],
    checkpoint: Path | None = None,
    after_step: Callable[[int], None] | None = None,
) -> TrainResult:
    """Trains a model in place.

    Args:
        model: on `settings.device`; its parameters that require a gradient are trained.
        task: what is trained.
        settings: the settings of the loop.
        progress: called with a line every few seconds and after each epoch; the lines hold no text.
        checkpoint: file to resume from and to write to. The caller names it by the training, and removes it.
        after_step: called with the number of each step of the optimiser, for methods that change with it.

    Raises:
        StageError: the loss became NaN or infinite.
    """
    optimizer = make_optimizer(model, settings)
    state, best = Progress(), dict[str, torch.Tensor]()
    if checkpoint is not None and checkpoint.is_file():
        state, best = read_checkpoint(checkpoint, model, optimizer, settings)
        progress(f"resumes from epoch {state.epoch}, batch {state.batch:,}")
    rank, world = rank_and_world_size()
    trained: Any = model if world == 1 else torch.nn.parallel.DistributedDataParallel(model)
    trained = torch.compile(trained) if settings.compile else trained
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    advance: Advance | None = None
    selects = task.selects.replace("_", " ")

    while state.epoch <= settings.epochs:
        order = task.batches(state.epoch, np.random.default_rng([settings.seed, state.epoch]))
        steps = len(order) * settings.epochs
        warmup = max(1, round(steps * settings.warmup_pct / 100))
        started = reported = saved = time.monotonic()
        seconds_before = state.seconds
        model.train()
        advance = advance or add_bar(f"{settings.stage}: steps", steps if rank == 0 else 0, state.step)
        for batch in range(state.batch, len(order)):
            scale = rate(settings.schedule, state.step, warmup, steps) * state.plateau
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * scale
            batch_loss = 0.0
            rows = order[batch][rank::world]
            parts = [part for part in np.array_split(rows, settings.accumulate) if len(part)]
            # A process without rows runs one row with weight 0: all must take part in the gradient exchange.
            for number, part in enumerate(parts or [order[batch][:1]]):
                rng = np.random.default_rng([settings.seed, state.epoch, batch, rank, number])
                with autocast(settings.device, settings.precision):
                    part_loss = task.loss(trained, part, rng)
                # Gradients are averaged over processes, so each counts as many times as there are processes.
                share = len(part) * world / len(order[batch]) if parts else 0.0
                (part_loss * share).backward()  # type: ignore[no-untyped-call]
                batch_loss += float(part_loss.detach()) * len(part) if parts else 0.0
            if not math.isfinite(batch_loss):
                raise StageError(
                    f"{settings.stage}: the loss became {batch_loss} in epoch {state.epoch}; lower "
                    f"{settings.stage}.learning_rate (now {settings.learning_rate}) or set {settings.stage}.precision "
                    f"to float32 (now {settings.precision})"
                )
            torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
            optimizer.step()
            state.step += 1
            if after_step:
                after_step(state.step)
            optimizer.zero_grad(set_to_none=True)
            state.batch, state.rows = batch + 1, state.rows + len(rows)
            state.total_loss += batch_loss
            advance(1)
            now = time.monotonic()
            state.seconds = seconds_before + now - started
            if now - reported > REPORT_EVERY_S and rank == 0:
                reported = now
                progress(
                    f"epoch {state.epoch}: batch {state.batch:,} of {len(order):,}, "
                    f"loss {state.total_loss / max(1, state.rows):.3f}, {world * state.rows / state.seconds:.0f} rows/s"
                )
            if checkpoint is not None and rank == 0 and now - saved > CHECKPOINT_EVERY_S:
                saved = now
                write_checkpoint(checkpoint, model, optimizer, settings, state, best)

        model.eval()
        point: Point = {
            "epoch": state.epoch,
            "train_loss": state.total_loss / max(1, state.rows),
            "learning_rate": float(optimizer.param_groups[0]["lr"]),
            "seconds": state.seconds,
            "rows_per_second": world * state.rows / max(state.seconds, 1e-9),
            **task.validate(model),
        }
        state.curve.append(point)
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in point.items() if "loss" in name)
        progress(
            f"epoch {state.epoch}: {figures}, {selects} {point[task.selects]:.4f}, "
            f"{point['seconds']:.0f} s, {point['rows_per_second']:.0f} rows/s"
        )
        if point[task.selects] > state.best_value:
            state.best_epoch, state.best_value = state.epoch, point[task.selects]
            best = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        else:
            state.plateau *= PLATEAU_FACTOR if settings.schedule == "plateau" else 1.0
            if state.epoch - state.best_epoch >= settings.patience:
                progress(f"stopped: {selects} is no better since epoch {state.best_epoch}")
                break
        state = Progress(
            epoch=state.epoch + 1,
            step=state.step,
            plateau=state.plateau,
            best_epoch=state.best_epoch,
            best_value=state.best_value,
            curve=state.curve,
        )
        if checkpoint is not None and rank == 0:
            write_checkpoint(checkpoint, model, optimizer, settings, state, best)
    return TrainResult(tuple(state.curve), state.best_epoch, best)


def rank_and_world_size() -> tuple[int, int]:
    """Returns the rank of this process and the number of processes; (0, 1) for a single process."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


@contextmanager
def seeded(seed: int, threads: int | None) -> Iterator[None]:
    """Seeds torch and sets its threads, and restores both. A sum over threads depends on their number."""
    before = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if threads:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def fit_to_device(model: Any, device: str) -> Any:
    """Moves a model to a device, with the attention and the dropout that train fastest there.

    On CPU the backward pass of torch's flash attention takes as long as all matrix products together (12 layers of 384,
    32 rows of 48 tokens: 244 ms of 615), plain products take a tenth of that. GPUs keep the fused kernels.
    """
    if device == "cpu":
        model.set_attn_implementation("eager")
        replace_dropout(model)
    return model.to(device)


def autocast(device: str, precision: str) -> torch.autocast:
    """Multiplies in bfloat16, keeps weights and sums in float32. The range of bfloat16 needs no gradient scaling."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def write_curve(out: Path, curve: Sequence[Point]) -> None:
    """Writes the training curve into a model's folder."""
    (out / CURVE_FILE).write_text(json.dumps(curve, indent=2) + "\n", encoding="utf-8")


def save_weights(model: Any, out: Path, stage: str) -> None:
    """Writes config.json and model.safetensors.

    Raises:
        StageError: the disk is full, or the folder cannot be written.
    """
    try:
        with quiet_transformers():
            model.save_pretrained(out, max_shard_size="100GB")
    except OSError as error:
        raise StageError(
            f"{stage}: the model could not be written to {out} ({os.strerror(error.errno or 0)}); free some space"
        ) from error
