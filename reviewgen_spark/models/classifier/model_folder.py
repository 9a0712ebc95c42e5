"""Reads model folders: plain `save_pretrained` files, and `reviewgen.json` with the settings for prediction.

    config.json  model.safetensors  tokenizer.json  reviewgen.json      determine the predictions
    tokenizer_config.json  training_curve.json                          for transformers, and for people

torch is not imported, because the driver of a label job only hashes a folder and sends it. The executors load it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.models.classifier.heads import Head

SETTINGS_FILE = "reviewgen.json"
CURVE_FILE = "training_curve.json"
# Stored with a compressed version, but not in its model folder.
ONNX_FILE = "model.onnx"
NGRAM_FILE = "ngram_classifier.safetensors"
# Only files that change predictions are hashed: the seconds in the curve differ between equal models.
MODEL_FILES = ("config.json", "model.safetensors", "reviewgen.json", "tokenizer.json")


@dataclass(frozen=True)
class AdapterSettings:
    """Describes layers that are not in `config.json`: `bottleneck` of `classifier.adapters`."""

    kind: str
    size: int


@dataclass(frozen=True)
class ModelSettings:
    """Holds the content of `reviewgen.json`. It has no time and no path, so that equal training gives an equal file.

    The first head is the one for sentiment. `labels`, `temperature` and `task` are those of the first head.
    """

    heads: tuple[Head, ...]
    max_tokens: int
    base: str
    corpus_fingerprint: str
    threshold: float = 0.5
    adapter: AdapterSettings | None = None  # None: plain weights, which transformers reads by itself
    training: dict[str, Any] = field(default_factory=dict)
    format: int = 2

    @property
    def labels(self) -> tuple[str, ...]:
        """Returns the labels of the first head."""
        return self.heads[0].labels

    @property
    def temperature(self) -> float:
        """Returns the temperature of the first head."""
        return self.heads[0].temperature

    @property
    def task(self) -> str:
        """Returns the task of the first head."""
        return self.heads[0].task

    def write(self, folder: Path) -> None:
        """Writes `reviewgen.json` into the folder."""
        content = json.dumps(asdict(self), ensure_ascii=False, indent=2, sort_keys=True)
        (folder / SETTINGS_FILE).write_text(content + "\n", encoding="utf-8")


def read_settings_file(
    folder: Path, file: str, names: Sequence[str], expected: int, kind: str, pipeline: str
) -> dict[str, Any]:
    """Reads the settings file of a folder, after it checks that the folder is complete and its format is supported.

    Args:
        folder: the folder of a model or a generator.
        file: the settings file.
        names: all files that the folder must have.
        expected: the supported format.
        kind: the kind of folder, for the message.
        pipeline: the pipeline that makes such a folder, for the message.

    Raises:
        ModelNotFoundError: the folder lacks a file, the settings are damaged, or have another format.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelNotFoundError(
            f"{folder}: is not a {kind}, because it lacks {', '.join(missing)}; train one with "
            f"`reviewgen run {pipeline}`"
        )
    try:
        content = json.loads((folder / file).read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise damaged_settings(folder / file, pipeline)
    if content.get("format") != expected:
        raise ModelNotFoundError(
            f"{folder / file}: format {content.get('format')!r}, this version reads {expected}; use the version that "
            "trained it, or train it again"
        )
    return content


def damaged_settings(file: Path, pipeline: str) -> ModelNotFoundError:
    """Returns the error for a settings file whose content is damaged; `pipeline` makes it again."""
    return ModelNotFoundError(
        f"{file}: is damaged; restore it from a backup, or remove its folder and run `reviewgen run {pipeline}`"
    )


def read_settings(folder: Path) -> ModelSettings:
    """Reads the settings of a model folder.

    Raises:
        ModelNotFoundError: the folder lacks a file, the settings are damaged, or have another format.
    """
    content = read_settings_file(folder, SETTINGS_FILE, MODEL_FILES, ModelSettings.format, "model folder", "train")
    try:
        heads = tuple(Head(**{**head, "labels": tuple(head["labels"])}) for head in content["heads"])
        adapter = AdapterSettings(**content["adapter"]) if content.get("adapter") else None
        return ModelSettings(**{**content, "heads": heads, "adapter": adapter})
    except (KeyError, TypeError):  # JSON, but with another name or type
        raise damaged_settings(folder / SETTINGS_FILE, "train") from None


def has_adapter(folder: Path) -> bool:
    """Returns whether a folder is a model with adapters that are not in `config.json`; any folder may be passed."""
    settings = folder / SETTINGS_FILE
    try:
        return settings.is_file() and bool(json.loads(settings.read_text(encoding="utf-8")).get("adapter"))
    except (AttributeError, ValueError):
        raise damaged_settings(settings, "train") from None


def require_sentiment(settings: ModelSettings, reader: str) -> None:
    """Checks that a model predicts the sentiment of a text without an aspect.

    Args:
        settings: the settings of the model.
        reader: the action of the caller, for the message.

    Raises:
        ConfigError: the first task of the model is not `sentiment`.
    """
    if settings.task != "sentiment":
        raise ConfigError(
            f"{reader}: expected a model whose first task is 'sentiment', got one of '{settings.task}', which needs a "
            "text and an aspect; use `reviewgen run train --until evaluate` or Predictor.score_pairs"
        )


def folder_sha256(folder: Path) -> str:
    """Computes the sha256 of a model over the names and hashes of the files that determine its predictions."""
    return files_sha256(folder, MODEL_FILES)


def other_files(folder: Path, names: Sequence[str]) -> list[str]:
    """Returns the paths of all files below a folder except `names`, sorted, for `files_sha256`."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(set(paths) - set(names))


def files_sha256(folder: Path, names: Sequence[str]) -> str:
    """Computes the sha256 over the names and hashes of some files of a folder."""
    total = hashlib.sha256()
    for name in names:
        with (folder / name).open("rb") as file:
            total.update(f"{name}:{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def file_sha256(file: Path) -> str:
    """Returns the sha256 of the bytes of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def is_whole(folder: Path, names: Sequence[str], sha256: str, beside: Mapping[str, str]) -> bool:
    """Checks that a folder has all files of a model, undamaged.

    Args:
        folder: the folder to check; it may be missing.
        names: the files of the model.
        sha256: the expected `files_sha256` of these files.
        beside: the expected sha256 of each further file, by name.
    """
    if not all((folder / name).is_file() for name in (*names, *beside)):
        return False
    return files_sha256(folder, names) == sha256 and all(
        file_sha256(folder / name) == expected for name, expected in beside.items()
    )
