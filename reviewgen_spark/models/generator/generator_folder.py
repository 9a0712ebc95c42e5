"""Reads and writes a generator folder: plain `save_pretrained` files, and `generator.json` with the settings.

    config.json  model.safetensors  tokenizer.json  generator.json      all that the generated texts depend on
    copies.safetensors                                                  the training texts, as hashes of n-grams
    tokenizer_config.json  training_curve.json                          for transformers, and for people

Torch is imported only to load a model, because the driver of a job only hashes and ships the folder.
"""

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.models.classifier.model_folder import damaged_settings, files_sha256, read_settings_file
from reviewgen_spark.models.generator.control_codes import PromptTokenizer, read_tokenizer
from reviewgen_spark.text.similarity.copied_runs import CopyIndex
from reviewgen_spark.text.words.languages import LANG_CODES, LangCode

SETTINGS_FILE = "generator.json"
COPIES_FILE = "copies.safetensors"
GENERATOR_FILES = ("config.json", "copies.safetensors", "generator.json", "model.safetensors", "tokenizer.json")


@dataclass(frozen=True)
class GeneratorSettings:
    """Holds the content of `generator.json`.

    It has no time and no path, because equal training must give an equal file.
    """

    kind: str  # causal or seq2seq
    base: str
    purposes: tuple[str, ...]  # the purposes that it was trained for
    max_tokens: int  # of prompt and text together; in a seq2seq model, of each of them
    text_tokens: int
    start_id: int | None
    end_id: int
    pad_id: int
    corpus_fingerprint: str
    training: dict[str, Any] = field(default_factory=dict)
    format: int = 1

    def write(self, folder: Path) -> None:
        """Writes `generator.json` into the folder."""
        content = json.dumps(asdict(self), ensure_ascii=False, indent=2, sort_keys=True)
        (folder / SETTINGS_FILE).write_text(content + "\n", encoding="utf-8")


class Generator(NamedTuple):
    """Holds a loaded generator; `model` is a causal or seq2seq model of transformers in evaluation mode."""

    tokenizer: PromptTokenizer
    model: Any
    settings: GeneratorSettings
    copies: Mapping[LangCode, CopyIndex]


def read_generator(folder: Path) -> GeneratorSettings:
    """Reads the settings of a generator folder.

    Raises:
        ModelNotFoundError: the folder lacks a file, is damaged, or was written by a later format.
    """
    content = read_settings_file(
        folder, SETTINGS_FILE, GENERATOR_FILES, GeneratorSettings.format, "generator", "train_generator"
    )
    try:
        return GeneratorSettings(**{**content, "purposes": tuple(content["purposes"])})
    except (KeyError, TypeError):  # JSON, but with another name or type
        raise damaged_settings(folder / SETTINGS_FILE, "train_generator") from None


def generator_sha256(folder: Path) -> str:
    """Returns the sha256 of a generator: over the names and hashes of `GENERATOR_FILES`."""
    return files_sha256(folder, GENERATOR_FILES)


def save_generator(
    folder: Path,
    tokenizer: Any,
    model: Any,
    stage: str,
    taught: Mapping[LangCode, Sequence[str]] | None = None,
    **settings: Any,
) -> GeneratorSettings:
    """Writes a generator folder, its settings last, because a folder without settings is not a generator.

    Args:
        folder: the folder to write; files of another generator in it are replaced.
        tokenizer: a fast tokenizer of transformers that has the control codes.
        model: a model of transformers.
        stage: the stage that writes it, for messages.
        taught: the training texts, by language; their hashes are kept to detect copies of them.
        settings: fields of GeneratorSettings; the ids of start, end and padding are the tokenizer's.

    Raises:
        StageError: the disk is full, or the folder cannot be written.
    """
    from reviewgen_spark.models.training.trainer import save_weights

    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS_FILE).unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)
    save_weights(model, folder, stage)
    save_copies(folder, taught or {})
    prompts = PromptTokenizer.of(tokenizer, max_tokens=0, text_tokens=0)
    written = GeneratorSettings(
        **{"start_id": prompts.start_id, "end_id": prompts.end_id, "pad_id": prompts.pad_id, **settings}
    )
    written.write(folder)
    return written


def save_copies(folder: Path, taught: Mapping[LangCode, Sequence[str]]) -> None:
    """Writes the n-grams of texts, by language, as sorted hashes: no text can be read from them."""
    import numpy as np
    from safetensors.numpy import save_file

    indexes = {language: CopyIndex.build(texts, language) for language, texts in taught.items()}
    save_file(
        {language: np.asarray(index.hashes, dtype=np.uint64) for language, index in indexes.items()},
        folder / COPIES_FILE,
    )


def load_copies(folder: Path) -> dict[LangCode, CopyIndex]:
    """Reads the output of `save_copies`."""
    from safetensors.numpy import load_file

    hashes = load_file(folder / COPIES_FILE)
    # An array of 8 bytes per hash, because a list of numbers takes more memory.
    return {
        language: CopyIndex(language, array("Q", hashes[language].tobytes()))
        for language in LANG_CODES
        if language in hashes
    }


def load_tokenizer(folder: Path) -> PromptTokenizer:
    """Reads only the tokenizer, because that is enough to check whether a prompt fits.

    Raises:
        ModelNotFoundError: the folder is not a generator folder.
    """
    settings = read_generator(folder)
    return PromptTokenizer(
        read_tokenizer(folder / "tokenizer.json"),
        settings.start_id,
        settings.end_id,
        settings.pad_id,
        max_tokens=settings.max_tokens,
        text_tokens=settings.text_tokens,
        is_seq2seq=settings.kind == "seq2seq",
        purposes=settings.purposes,
    )


def load_generator(folder: Path, device: str = "cpu", precision: str = "float32") -> Generator:
    """Loads a generator. Only safetensors and JSON are read: nothing is unpickled.

    Args:
        folder: a generator folder.
        device: `cpu` or `cuda`, as `loading.choose_device` resolves it.
        precision: precision of weights and activations: float32, bfloat16, or on a CPU int8.

    Raises:
        ModelNotFoundError: the folder is not a generator folder, or its weights do not fit its configuration.
        ConfigError: int8 on a GPU.
    """
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    from reviewgen_spark.models.classifier.loading import parameters_on_meta
    from reviewgen_spark.models.classifier.runtime import prepare
    from reviewgen_spark.models.decoding import attention

    settings = read_generator(folder)
    kind = AutoModelForSeq2SeqLM if settings.kind == "seq2seq" else AutoModelForCausalLM
    with parameters_on_meta():
        model = kind.from_config(AutoConfig.from_pretrained(folder))
    # Memory-mapped, as in load_classifier; tied weights are in the file once.
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False, assign=True)
    model.tie_weights()
    missing = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    if missing:
        raise ModelNotFoundError(
            f"{folder}: model.safetensors lacks {', '.join(missing[:3])}; train the generator again"
        )
    model.requires_grad_(False)
    ready = prepare(model, device, precision)  # type: ignore[arg-type]
    if device == "cpu":
        ready.set_attn_implementation(attention.NAME)
    return Generator(load_tokenizer(folder), ready, settings, load_copies(folder))
