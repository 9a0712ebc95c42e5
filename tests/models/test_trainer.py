"""Tests the training loop with a model of two layers and synthetic rows."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reviewgen_spark.errors import StageError
from reviewgen_spark.models.training import trainer
from reviewgen_spark.models.training.optimizer import LoopSettings, rate
from reviewgen_spark.models.training.trainer import TrainResult, seeded, train
from tests.terminal import open_terminal

SETTINGS = LoopSettings(stage="finetune", epochs=4, learning_rate=0.05, patience=9)
ROWS = 50
IDS = torch.randint(0, 20, (ROWS, 6), generator=torch.Generator().manual_seed(1))
LABELS = (IDS.sum(dim=1) % 2).float()


class Model(torch.nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(20, 8)
        self.norm = torch.nn.LayerNorm(8)
        self.dropout = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(8, 1)

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.words

    def forward(self, ids: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.head(self.dropout(self.norm(self.words(ids).mean(dim=1))))[:, 0])


class Parity:
    """Defines a task: is the sum of the ids of a row odd?"""

    selects = "validation_gain"

    def batches(self, epoch: int, rng: np.random.Generator) -> list[np.ndarray[Any, Any]]:
        order = rng.permutation(ROWS)
        return [order[start : start + 10] for start in range(0, ROWS, 10)]

    def loss(self, model: Any, rows: np.ndarray[Any, Any], rng: np.random.Generator) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(model(IDS[rows]).logits, LABELS[rows])

    def validate(self, model: Any) -> dict[str, float]:
        with torch.no_grad():
            loss = F.binary_cross_entropy_with_logits(model(IDS).logits, LABELS)
        return {"validation_loss": float(loss), "validation_gain": -float(loss)}


def run(
    settings: LoopSettings = SETTINGS,
    dropout: float = 0.2,
    checkpoint: Path | None = None,
    after_step: Callable[[int], None] | None = None,
) -> tuple[Model, TrainResult, list[str]]:
    lines: list[str] = []
    with seeded(settings.seed, 1):
        model = Model(dropout)
        result = train(model, Parity(), settings, lines.append, checkpoint, after_step)
    return model, result, lines


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize("cut", [1, 7, 10, 13, 19])
def test_a_resumed_training_ends_with_the_same_weights(
    cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY_S", -1.0)  # after each step
    whole, uninterrupted, _ = run()

    def fail(step: int) -> None:
        if step == cut:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        run(checkpoint=tmp_path / "c.pt", after_step=fail)
    resumed, result, lines = run(checkpoint=tmp_path / "c.pt")
    assert (cut == 1) != any("resumes from" in line for line in lines)  # there is no checkpoint of the failed step
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
        assert torch.equal(uninterrupted.best_state[name], result.best_state[name]), name
    for name in ("train_loss", "validation_loss"):
        assert [point[name] for point in uninterrupted.curve] == [point[name] for point in result.curve]


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(checkpoint=tmp_path / "c.pt")
    with pytest.raises(StageError, match=r"other settings \(learning_rate\); remove it"):
        run(replace(SETTINGS, learning_rate=0.1), checkpoint=tmp_path / "c.pt")


def test_a_checkpoint_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StageError, match=r"the checkpoint could not be written to .*: training resumes from the last"):
        run(checkpoint=tmp_path / "file" / "c.pt")


def test_accumulated_gradients_equal_those_of_the_batch() -> None:
    whole, _, _ = run(dropout=0.0)
    parts, _, _ = run(replace(SETTINGS, accumulate=3), dropout=0.0)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], tensor, atol=1e-4, rtol=1e-3)


def test_schedules_give_their_learning_rates() -> None:
    assert [rate("linear", step, 2, 6) for step in range(7)] == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    assert [rate("constant", step, 2, 6) for step in range(7)] == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_a_plateau_halves_the_learning_rate() -> None:
    curve = run(replace(SETTINGS, schedule="plateau", learning_rate=2.0, warmup_pct=0, epochs=6))[1].curve
    losses = [point["validation_loss"] for point in curve]
    halvings = sum(loss >= min(losses[:index]) for index, loss in enumerate(losses[:-1]) if index)
    assert halvings > 0
    assert curve[-1]["learning_rate"] == 2.0 * 0.5**halvings


def test_a_terminal_shows_the_steps_of_all_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY_S", -1.0)

    def stop(step: int) -> None:
        if step == 7:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        run(checkpoint=tmp_path / "c.pt", after_step=stop)
    with open_terminal() as screen:
        run(checkpoint=tmp_path / "c.pt")
    sent = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.text())
    counts = re.findall(r"finetune: steps \S+ +\d+% +(\d+)/20 .* left", sent)
    assert counts[0] == "6", "steps before the checkpoint are counted as done"
