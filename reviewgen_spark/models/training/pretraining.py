"""Pre-trains a language model on unlabelled reviews, from scratch or from a base. Fine-tuning starts from its folder.

Rows are batched by length, which leaves some 4 % of padding. Reviews are not packed into one row, because a model would
read across their boundaries. This is true of encoders and of causal models.
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

from reviewgen_spark.config import PretrainSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.bases.decoder import load_decoder
from reviewgen_spark.models.bases.loading import load_base, load_checkpoint
from reviewgen_spark.models.classifier.loading import choose_device
from reviewgen_spark.models.data.batches import cut_by_token_budget, shuffle_into_batches
from reviewgen_spark.models.training.checkpoint import Point
from reviewgen_spark.models.training.language_model_data import Row, encode, make_batch, read_texts
from reviewgen_spark.models.training.objectives import IGNORED
from reviewgen_spark.models.training.optimizer import LoopSettings, loop_settings
from reviewgen_spark.models.training.trainer import autocast, fit_to_device, save_weights, seeded, train

FACTS_FILE = "pretraining.json"
EVALUATION_TOKENS = 8192


@dataclass(frozen=True)
class PretrainResult:
    """Holds the model's folder and the figures of its training; `validation_loss` is in nats a predicted token."""

    folder: Path
    best_epoch: int
    validation_loss: float
    curve: tuple[Point, ...]
    train_rows: int
    seconds: float


def pretrain(
    corpus: Path,
    base: str,
    section: PretrainSection,
    out: Path,
    progress: Callable[[str], None],
    checkpoint: Path | None = None,
) -> PretrainResult:
    """Trains a language model and writes its folder: `save_pretrained` files, tokenizer and `pretraining.json`.

    Args:
        corpus: folder of the stage `pretraining_corpus`.
        base: as `models.base`; for the objective `clm`, see `models.decoder`.
        section: the `pretrain` section.
        out: folder to write.
        progress: called with a line every few seconds and after each epoch; the lines hold no text.
        checkpoint: file that an interrupted training resumes from.

    Raises:
        SchemaError: the folder is no such corpus.
        DataQualityError: a split holds no text.
        ConfigError: the base has no head for the objective.
        ModelNotFoundError: there is no such base.
        StageError: the loss became NaN or infinite, or the disk is full.
    """
    started = time.monotonic()
    texts = {split: read_texts(corpus, split) for split in ("train", "validation")}
    device = choose_device(section.device)
    settings = loop_settings("pretrain", section, device)
    with seeded(section.seed, section.threads):
        tokenizer, model = load_language_model(base, texts["train"], section)
        out.mkdir(parents=True, exist_ok=True)
        (out / FACTS_FILE).unlink(missing_ok=True)  # without this file the folder is no finished model
        tokenizer.save_pretrained(out)
        rows = {split: encode(tokenizer, part, section) for split, part in texts.items()}
        model = fit_to_device(model, device)
        pad_id, mask_id = int(tokenizer.pad_token_id), tokenizer.mask_token_id
        vocabulary = len(tokenizer)

        def prepare(part: Sequence[Row], rng: np.random.Generator) -> dict[str, torch.Tensor]:
            return make_batch(part, section, rng, pad_id, mask_id, vocabulary, device)

        def batches(epoch: int, rng: np.random.Generator) -> Sequence[npt.NDArray[np.int64]]:
            return shuffle_into_batches([len(row.ids) for row in rows["train"]], section.batch_size, rng)

        def loss(trained: Any, chosen: npt.NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
            batch = prepare([rows["train"][row] for row in chosen], rng)
            token_loss, tokens, order_loss = losses(trained, batch)
            return token_loss / max(1, tokens) + order_loss / len(chosen)

        def validate(trained: Any) -> dict[str, float]:
            return score(trained, rows["validation"], prepare, settings)

        count = sum(parameter.numel() for parameter in model.parameters())
        progress(
            f"{base}, {section.objective}: {len(rows['train']):,} reviews, {count / 1e6:.1f} M parameters, "
            f"{settings.precision} on {device}, {torch.get_num_threads()} threads"
        )
        before = validate(model.eval())
        progress(f"before: validation loss {before['validation_loss']:.4f}")
        result = train(model, batches, loss, settings, validate, "validation_gain", progress, checkpoint)
        model.load_state_dict(result.best_state)
    save_weights(model.cpu(), out, "pretrain")
    best = result.curve[result.best_epoch - 1]
    facts = {
        "objective": section.objective,
        "base": base,
        "corpus": json.loads((corpus / "manifest.json").read_text(encoding="utf-8")).get("fingerprint"),
        "before": before,
        "curve": result.curve,
        "training": section.result_part(),
    }
    (out / FACTS_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return PretrainResult(
        out, result.best_epoch, best["validation_loss"], result.curve, len(rows["train"]), time.monotonic() - started
    )


def load_language_model(base: str, texts: Sequence[str], section: PretrainSection) -> tuple[Any, Any]:
    """Loads tokenizer and model with the head of the objective, on the weights of the base.

    Raises:
        ConfigError: that kind of model has no such head.
        ModelNotFoundError: there is no such base.
    """
    from transformers import AutoModelForMaskedLM, AutoModelForPreTraining

    if section.objective == "clm":
        tokenizer, decoder = load_decoder(base, texts, section.max_tokens, section.vocabulary_size, section.dropout)
        if decoder.config.is_encoder_decoder:
            raise ConfigError(f"pretrain.base: '{base}' has an encoder, which clm does not train; choose a causal base")
        return tokenizer, decoder
    kind = AutoModelForPreTraining if section.objective == "mlm+sop" else AutoModelForMaskedLM
    is_made_here = base.partition(":")[0] in ("scratch", "embedded")
    if is_made_here:  # an encoder without a language model's head
        encoder = load_base(base, texts, ("0", "1"), section.max_tokens, section.vocabulary_size, section.dropout)
    else:
        encoder = load_checkpoint(base, {}, section.dropout, kind)
    if encoder.tokenizer.mask_token_id is None:
        raise ConfigError(f"pretrain.base: '{base}' has no mask token, which the objective {section.objective} needs")
    try:
        model = kind.from_config(encoder.model.config) if is_made_here else encoder.model
    except ValueError as error:
        raise ConfigError(
            f"pretrain.base: '{base}' has no head for {section.objective}; choose another base"
        ) from error
    if section.objective == "mlm+sop" and not hasattr(getattr(model, "cls", None), "seq_relationship"):
        raise ConfigError(
            f"pretrain.base: '{base}' has no head for the order of sentences; set pretrain.objective to mlm"
        )
    if is_made_here:
        model.base_model.load_state_dict(encoder.model.base_model.state_dict(), strict=False)
    return encoder.tokenizer, model


def losses(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, int, torch.Tensor]:
    """Returns the summed loss of the predicted tokens, their number, and the summed loss of sentence order."""
    read = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
    said = model(**read)
    logits = said.prediction_logits if "order" in batch else said.logits  # (B, T, V)
    labels = batch["labels"]
    if not hasattr(said, "prediction_logits") and is_causal(model):
        logits, labels = logits[:, :-1], labels[:, 1:]  # each token is predicted from those before it
    asked = labels != IGNORED
    token_loss = F.cross_entropy(logits[asked].float(), labels[asked], reduction="sum")
    order_loss = token_loss.new_zeros(())
    if "order" in batch and bool((batch["order"] != IGNORED).any()):
        order_loss = F.cross_entropy(
            said.seq_relationship_logits.float(), batch["order"], ignore_index=IGNORED, reduction="sum"
        )
    return token_loss, int(asked.sum()), order_loss


def is_causal(model: Any) -> bool:
    """Checks whether a model predicts the next token, by the class that `transformers` chose for it."""
    inner = getattr(model, "module", model)  # under DistributedDataParallel
    return bool(type(getattr(inner, "_orig_mod", inner)).__name__.endswith(("ForCausalLM", "LMHeadModel")))


def score(
    model: Any,
    rows: Sequence[Row],
    prepare: Callable[[Sequence[Row], np.random.Generator], dict[str, torch.Tensor]],
    settings: LoopSettings,
) -> dict[str, float]:
    """Returns the validation loss a token, with the same masks each time; for a causal model bits a character too.

    `validation_gain` is the negative loss: higher is better.
    """
    token_loss, tokens, order_loss, pairs = 0.0, 0, 0.0, 0
    with torch.inference_mode(), autocast(settings.device, settings.precision):
        keys = [str(place) for place in range(len(rows))]
        for number, part in enumerate(cut_by_token_budget([len(row.ids) for row in rows], keys, EVALUATION_TOKENS)):
            batch = prepare([rows[row] for row in part], np.random.default_rng([settings.seed, number]))
            found, count, order = losses(model, batch)
            token_loss, tokens = token_loss + float(found), tokens + count
            order_loss += float(order)
            pairs += int((batch["order"] != IGNORED).sum()) if "order" in batch else 0
    loss = token_loss / max(1, tokens)
    figures = {"validation_loss": loss, "validation_gain": -loss}
    if pairs:
        figures["validation_order_loss"] = order_loss / pairs
    if is_causal(model):
        figures["validation_bits_per_character"] = token_loss / math.log(2) / sum(row.characters for row in rows)
    return figures
