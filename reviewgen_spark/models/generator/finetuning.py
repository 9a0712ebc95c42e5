"""Fine-tunes a generator on requests in control codes and their texts, for all purposes.

The loss is on the text only, because the request is always given. The same seed, examples, base and
number of threads give the same weights.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from reviewgen_spark.config import FinetuneGeneratorSection
from reviewgen_spark.errors import ConfigError, DataQualityError, RequestError
from reviewgen_spark.models.bases.decoder import Kind, apply_lora, load_decoder
from reviewgen_spark.models.classifier.loading import choose_device
from reviewgen_spark.models.classifier.model_folder import CURVE_FILE
from reviewgen_spark.models.data.batches import cut_by_token_budget, pad, shuffle_into_batches
from reviewgen_spark.models.generator.control_codes import CODES, PromptTokenizer, add_control_codes
from reviewgen_spark.models.generator.examples import Example
from reviewgen_spark.models.generator.generator_folder import SETTINGS_FILE, save_generator
from reviewgen_spark.models.training.checkpoint import Point
from reviewgen_spark.models.training.objectives import IGNORED
from reviewgen_spark.models.training.optimizer import LoopSettings, loop_settings
from reviewgen_spark.models.training.trainer import autocast, fit_to_device, seeded, train
from reviewgen_spark.text.words.languages import LangCode

EVALUATION_TOKENS = 8192


@dataclass(frozen=True)
class Row:
    """The tokens of one example; `characters` is the length of the text."""

    prompt: list[int]
    text: list[int]
    characters: int

    @property
    def length(self) -> int:
        """Returns the number of its tokens."""
        return len(self.prompt) + len(self.text)


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
        positions = getattr(model.config, "max_position_embeddings", None)
        if positions is not None and positions < section.max_tokens:
            raise ConfigError(
                f"finetune_generator.max_tokens: {section.max_tokens}, but this base has {positions} positions; lower "
                "it, or raise pretrain_generator.max_tokens for a base that is made here"
            )
        kind: Kind = "seq2seq" if model.config.is_encoder_decoder else "causal"
        new_ids = add_control_codes(tokenizer, model)
        taught = sorted({example.request.purpose for example in examples}, key=CODES["purpose"].index)
        sizes = {"max_tokens": section.max_tokens, "text_tokens": section.text_tokens}
        prompts = PromptTokenizer.of(tokenizer, **sizes, is_seq2seq=kind == "seq2seq", purposes=taught)
        rows, validation_rows = (encode_examples(prompts, part) for part in (examples, validation))
        for name, part in (("train", rows), ("validation", validation_rows)):
            if not part:
                raise DataQualityError(
                    f"finetune_generator: no example of {name} fits into {section.max_tokens} tokens, "
                    f"{section.text_tokens} of them for the text; ingest more reviews, or raise both"
                )
        out.mkdir(parents=True, exist_ok=True)
        (out / SETTINGS_FILE).unlink(missing_ok=True)  # until it is written again the folder is not a generator
        model = fit_to_device(model, device)
        if section.method == "lora":
            model = apply_lora(model, kind, section.rank, new_ids).to(device)

        def batches(epoch: int, rng: np.random.Generator) -> Sequence[npt.NDArray[np.int64]]:
            return shuffle_into_batches([row.length for row in rows], section.batch_size, rng)

        def loss(trained: Any, chosen: npt.NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
            total, tokens = text_loss(trained, [rows[row] for row in chosen], kind, prompts.pad_id, device)
            return total / max(1, tokens)

        def validate(trained: Any) -> dict[str, float]:
            return score_texts(trained, validation_rows, kind, prompts.pad_id, settings)

        count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        progress(
            f"{base_name or base}: {len(rows):,} of {len(examples):,} examples fit, {', '.join(taught)}; "
            f"{count / 1e6:.1f} M parameters trained, {settings.precision} on {device}"
        )
        result = train(model, batches, loss, settings, validate, "validation_gain", progress, checkpoint)
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
        purposes=tuple(taught),
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
    found: dict[LangCode, list[str]] = {}
    for example in examples:
        found.setdefault(example.request.lang_code, []).append(example.text)
    return found


def encode_examples(prompts: PromptTokenizer, examples: Sequence[Example]) -> list[Row]:
    """Returns examples as tokens, without those whose prompt or text does not fit."""
    rows: list[Row] = []
    for example in examples:
        text = prompts.encode_text(example.text)
        if text is None:
            continue
        try:
            rows.append(Row(prompts.encode_prompt(example.request), text, len(example.text)))
        except RequestError:
            continue
    return rows


def said_and_asked(
    model: Any, rows: Sequence[Row], kind: str, pad_id: int, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns logits (B, T, V) and target tokens (B, T), IGNORED outside of the text."""
    if kind == "seq2seq":
        ids, mask = pad([row.prompt for row in rows], pad_id, device)  # (B, S), (B, S)
        labels, _ = pad([row.text for row in rows], IGNORED, device)  # (B, T)
        logits: torch.Tensor = model(input_ids=ids, attention_mask=mask, labels=labels).logits
        return logits, labels
    ids, mask = pad([row.prompt + row.text for row in rows], pad_id, device)  # (B, T + 1), (B, T + 1)
    labels, _ = pad([[IGNORED] * len(row.prompt) + row.text for row in rows], IGNORED, device)
    logits = model(input_ids=ids, attention_mask=mask).logits
    return logits[:, :-1], labels[:, 1:]  # each token is predicted from those before it


def text_loss(model: Any, rows: Sequence[Row], kind: str, pad_id: int, device: str) -> tuple[torch.Tensor, int]:
    """Returns the summed loss of the text tokens, given request and preceding text, and their number."""
    logits, labels = said_and_asked(model, rows, kind, pad_id, device)
    asked = labels != IGNORED
    return F.cross_entropy(logits[asked].float(), labels[asked], reduction="sum"), int(asked.sum())


def text_bits(
    model: Any, rows: Sequence[Row], kind: str, device: str, pad_id: int = 0, tokens_per_batch: int = EVALUATION_TOKENS
) -> npt.NDArray[np.float64]:
    """Returns (N,) the bits of each text with its end token, given its request."""
    bits = np.zeros(len(rows))
    keys = [str(place) for place in range(len(rows))]
    with torch.inference_mode():
        for part in cut_by_token_budget([row.length for row in rows], keys, tokens_per_batch):
            logits, labels = said_and_asked(model, [rows[row] for row in part], kind, pad_id, device)
            losses = F.cross_entropy(logits.transpose(1, 2).float(), labels, ignore_index=IGNORED, reduction="none")
            bits[part] = losses.sum(1).double().cpu().numpy() / math.log(2)
    return bits


def score_texts(model: Any, rows: Sequence[Row], kind: str, pad_id: int, settings: LoopSettings) -> dict[str, float]:
    """Returns loss per token and bits per character of texts with their end tokens, given their requests."""
    total, tokens = 0.0, 0
    keys = [str(place) for place in range(len(rows))]
    with torch.inference_mode(), autocast(settings.device, settings.precision):
        for part in cut_by_token_budget([row.length for row in rows], keys, EVALUATION_TOKENS):
            found, count = text_loss(model, [rows[row] for row in part], kind, pad_id, settings.device)
            total, tokens = total + float(found), tokens + count
    loss = total / max(1, tokens)
    bits = total / math.log(2) / max(1, sum(row.characters for row in rows))
    return {"validation_loss": loss, "validation_gain": -loss, "validation_bits_per_character": bits}
