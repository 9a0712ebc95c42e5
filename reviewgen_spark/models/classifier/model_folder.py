"""A model folder: plain `save_pretrained` files, and `reviewgen.json` that says how they are to be used.

    config.json  model.safetensors  tokenizer.json  reviewgen.json      what a prediction depends on
    tokenizer_config.json  training_curve.json                          for transformers, and for people

No torch here: the driver of a label job hashes and ships a folder that only the executors load.
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
# Beside a compressed version, not part of its folder.
ONNX_FILE = "model.onnx"
NGRAM_FILE = "ngram_classifier.safetensors"
# Training seconds, in the curve, differ between two equal models: only what shapes a prediction is hashed.
MODEL_FILES = ("config.json", "model.safetensors", "reviewgen.json", "tokenizer.json")


@dataclass(frozen=True)
class AdapterSettings:
    """What stands in the model beside the layers that `config.json` describes: `bottleneck` of `models.adapters`."""

    kind: str
    size: int


@dataclass(frozen=True)
class ModelSettings:
    """What `reviewgen.json` holds; no clock and no path, so that equal training gives an equal file.

    The first head is the one that names a review's sentiment; `labels`, `temperature` and `task` are its own.
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
        """Of the first head."""
        return self.heads[0].labels

    @property
    def temperature(self) -> float:
        """Of the first head."""
        return self.heads[0].temperature

    @property
    def task(self) -> str:
        """Of the first head."""
        return self.heads[0].task

    def write(self, folder: Path) -> None:
        """Write `reviewgen.json` into the folder."""
        content = json.dumps(asdict(self), ensure_ascii=False, indent=2, sort_keys=True)
        (folder / SETTINGS_FILE).write_text(content + "\n", encoding="utf-8")


def read_settings_file(
    folder: Path, file: str, names: Sequence[str], expected: int, kind: str, pipeline: str
) -> dict[str, Any]:
    """The content of a folder's settings file, once the folder is known to be whole and of a format that is read here.

    Args:
        folder: of a model or a generator.
        file: the settings file.
        names: every file that such a folder has.
        expected: the format.
        kind: what the folder should be, for the message.
        pipeline: that makes one, for the message.

    Raises:
        ModelNotFoundError: the folder lacks a file, or was written by a later format.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelNotFoundError(
            f"{folder}: is no {kind}, it lacks {', '.join(missing)}; train one with `reviewgen run {pipeline}`"
        )
    content: dict[str, Any] = json.loads((folder / file).read_text(encoding="utf-8"))
    if content.get("format") != expected:
        raise ModelNotFoundError(
            f"{folder / file}: format {content.get('format')!r}, this version reads {expected}; use the version that "
            "trained it, or train it again"
        )
    return content


def read_settings(folder: Path) -> ModelSettings:
    """Read the settings of a model folder.

    Raises:
        ModelNotFoundError: the folder lacks a file, or was written by a later format.
    """
    content = read_settings_file(folder, SETTINGS_FILE, MODEL_FILES, ModelSettings.format, "model folder", "train")
    heads = tuple(Head(**{**head, "labels": tuple(head["labels"])}) for head in content["heads"])
    adapter = AdapterSettings(**content["adapter"]) if content.get("adapter") else None
    return ModelSettings(**{**content, "heads": heads, "adapter": adapter})


def has_adapter(folder: Path) -> bool:
    """Whether a folder, of ours or not, is a model with adapters that `config.json` does not tell of."""
    settings = folder / SETTINGS_FILE
    return settings.is_file() and bool(json.loads(settings.read_text(encoding="utf-8")).get("adapter"))


def require_sentiment(settings: ModelSettings, reader: str) -> None:
    """Refuse a model that does not say what a text alone feels.

    Args:
        settings: of the model.
        reader: who asks, for the message.

    Raises:
        ConfigError: it is such a model.
    """
    if settings.task != "sentiment":
        raise ConfigError(
            f"{reader}: expected a model whose first task is 'sentiment', got one of '{settings.task}', which reads a "
            "text and an aspect: `reviewgen run train --until evaluate` scores it, Predictor.score_pairs asks it"
        )


def folder_sha256(folder: Path) -> str:
    """The sha256 of a model: over the names and hashes of the files that shape its predictions."""
    return files_sha256(folder, MODEL_FILES)


def files_sha256(folder: Path, names: Sequence[str]) -> str:
    """The sha256 over the names and hashes of some files of a folder."""
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
        folder: need not exist.
        names: the files of the model.
        sha256: what `files_sha256` of them must be.
        beside: sha256 by name of the files that are needed besides.
    """
    if not all((folder / name).is_file() for name in (*names, *beside)):
        return False
    return files_sha256(folder, names) == sha256 and all(
        file_sha256(folder / name) == expected for name, expected in beside.items()
    )
