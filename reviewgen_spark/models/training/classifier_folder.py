"""Writes the folder of a trained classifier: the tokenizer before the training, weights and settings after it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reviewgen_spark.models.classifier.model_folder import SETTINGS_FILE, ModelSettings
from reviewgen_spark.models.classifier.tokenizer import Tokenizer
from reviewgen_spark.models.training.checkpoint import Point
from reviewgen_spark.models.training.trainer import save_weights, write_curve


def write_tokenizer(tokenizer: Any, out: Path) -> None:
    """Writes the tokenizer, and removes the settings of an earlier training.

    The settings are written last, so that files of two trainings are never read as one model.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / SETTINGS_FILE).unlink(missing_ok=True)
    tokenizer.save_pretrained(out)


def read_tokenizer(out: Path, max_tokens: int) -> Tokenizer:
    """Reads the tokenizer that `write_tokenizer` wrote, as prediction reads it."""
    return Tokenizer(out / "tokenizer.json", max_tokens)


def write_classifier(model: Any, out: Path, stage: str, curve: Sequence[Point], settings: ModelSettings) -> None:
    """Writes the weights, the curve and last the settings, which make the folder a model.

    Raises:
        StageError: the disk is full, or the folder cannot be written.
    """
    save_weights(model.cpu(), out, stage)
    write_curve(out, curve)
    settings.write(out)
