"""Fine-tunes a generator on requests in control codes and their texts, for all purposes.

The loss is on the text only, because the request is always given. The same seed, examples, base and
number of threads give the same weights.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reviewgen_spark.config import FinetuneGeneratorSection
from reviewgen_spark.errors import ConfigError, DataQualityError
from reviewgen_spark.models.bases.decoder import Kind, apply_lora, load_decoder
from reviewgen_spark.models.classifier.loading import choose_device
from reviewgen_spark.models.classifier.model_folder import CURVE_FILE
from reviewgen_spark.models.generator.control_codes import CODES, PromptTokenizer, add_control_codes
from reviewgen_spark.models.generator.examples import Example
from reviewgen_spark.models.generator.generator_folder import SETTINGS_FILE, save_generator
from reviewgen_spark.models.generator.text_task import ExampleRow, TextTask, encode_examples
from reviewgen_spark.models.training.checkpoint import Point
from reviewgen_spark.models.training.optimizer import loop_settings
from reviewgen_spark.models.training.trainer import fit_to_device, seeded, train
from reviewgen_spark.text.words.languages import LangCode


@dataclass(frozen=True)
class GeneratorResult:
    """The folder of the generator and the figures of its training; `left_out` examples were too long."""

    folder: Path
    best_epoch: int
    bits_per_character: float  # of validation's texts, given their requests
    curve: tuple[Point, ...]
    train_rows: int
    left_out: int
    seconds: float


def finetune_generator(
    examples: Sequence[Example],
    validation: Sequence[Example],
    base: str,
    section: FinetuneGeneratorSection,
    out: Path,
    progress: Callable[[str], None],
    corpus_fingerprint: str,
    checkpoint: Path | None = None,
    base_name: str | None = None,
) -> GeneratorResult:
    """Trains a generator and writes its folder.

    Args:
        examples: of the train split.
        validation: of the validation split; chooses the epoch.
        base: value of `finetune_generator.base`, or the folder of that base.
        section: the `finetune_generator` section.
        out: folder to write; files of an earlier training there are replaced.
        progress: called with a line every few seconds and after each epoch; the lines have no review text.
        corpus_fingerprint: of the corpus that the examples come from.
        checkpoint: file that an interrupted training resumes from.
        base_name: name of the base in the generator's settings, where `base` is a local folder.

    Raises:
        ConfigError: the base has fewer positions than `max_tokens`.
        DataQualityError: a split has no example that fits.
        ModelNotFoundError: there is no such base.
        StageError: the loss became NaN or infinite, or the disk is full.
    """
    started = time.monotonic()
    device = choose_device(section.device)
    settings = loop_settings("finetune_generator", section, device)
    with seeded(section.seed, section.threads):
        texts = [example.text for example in examples]
        tokenizer, model = load_decoder(base, texts, section.max_tokens, section.vocabulary_size, section.dropout)
        require_positions(model, section)
        kind: Kind = "seq2seq" if model.config.is_encoder_decoder else "causal"
        new_ids = add_control_codes(tokenizer, model)
        purposes = sorted({example.request.purpose for example in examples}, key=CODES["purpose"].index)
        sizes = {"max_tokens": section.max_tokens, "text_tokens": section.text_tokens}
        prompts = PromptTokenizer.of(tokenizer, **sizes, is_seq2seq=kind == "seq2seq", purposes=purposes)
        rows, validation_rows = (encode_examples(prompts, part) for part in (examples, validation))
        require_rows(rows, validation_rows, section)
        out.mkdir(parents=True, exist_ok=True)
        (out / SETTINGS_FILE).unlink(missing_ok=True)  # until it is written again the folder is not a generator
        model = fit_to_device(model, device)
        if section.method == "lora":
            model = apply_lora(model, kind, section.rank, new_ids).to(device)

        task = TextTask(rows, validation_rows, kind, prompts.pad_id, section, settings)
        count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        progress(
            f"{base_name or base}: {len(rows):,} of {len(examples):,} examples fit, {', '.join(purposes)}; "
            f"{count / 1e6:.1f} M parameters trained, {settings.precision} on {device}"
        )
        result = train(model, task, settings, progress, checkpoint)
        model.load_state_dict(result.best_state)
        if section.method == "lora":
            model = model.merge_and_unload()
    save_generator(
        out,
        tokenizer,
        model.cpu(),
        "finetune_generator",
        taught=texts_by_language(examples),
        kind=kind,
        base=base_name or base,
        purposes=tuple(purposes),
        **sizes,
        corpus_fingerprint=corpus_fingerprint,
        training=section.result_part(),
    )
    (out / CURVE_FILE).write_text(json.dumps(result.curve, indent=2) + "\n", encoding="utf-8")
    return GeneratorResult(
        folder=out,
        best_epoch=result.best_epoch,
        bits_per_character=result.curve[result.best_epoch - 1]["validation_bits_per_character"],
        curve=result.curve,
        train_rows=len(rows),
        left_out=len(examples) - len(rows),
        seconds=time.monotonic() - started,
    )


def texts_by_language(examples: Sequence[Example]) -> dict[LangCode, list[str]]:
    """Returns the texts of examples by the language of their request."""
    texts: dict[LangCode, list[str]] = {}
    for example in examples:
        texts.setdefault(example.request.lang_code, []).append(example.text)
    return texts


def require_positions(model: Any, section: FinetuneGeneratorSection) -> None:
    """Refuses a base with fewer positions than `max_tokens`.

    Raises:
        ConfigError: it has fewer.
    """
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is not None and positions < section.max_tokens:
        raise ConfigError(
            f"finetune_generator.max_tokens: {section.max_tokens}, but this base has {positions} positions; lower "
            "it, or raise pretrain_generator.max_tokens for a base that is made here"
        )


def require_rows(
    rows: Sequence[ExampleRow], validation: Sequence[ExampleRow], section: FinetuneGeneratorSection
) -> None:
    """Refuses splits without an example that fits.

    Raises:
        DataQualityError: a split has none.
    """
    for name, part in (("train", rows), ("validation", validation)):
        if not part:
            raise DataQualityError(
                f"finetune_generator: no example of {name} fits into {section.max_tokens} tokens, "
                f"{section.text_tokens} of them for the text; ingest more reviews, or raise both"
            )
