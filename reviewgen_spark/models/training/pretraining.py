"""Pre-trains a language model on unlabelled reviews, from scratch or from a base. Fine-tuning starts from its folder.

Rows are batched by length, which leaves some 4 % of padding. Reviews are not packed into one row, because a model would
read across their boundaries. This is true of encoders and of causal models.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from reviewgen_spark.config import PretrainSection
from reviewgen_spark.models.bases.language_model import load_language_model
from reviewgen_spark.models.classifier.loading import choose_device
from reviewgen_spark.models.training.checkpoint import Point
from reviewgen_spark.models.training.language_model_data import encode, read_texts
from reviewgen_spark.models.training.language_model_task import LanguageModelTask
from reviewgen_spark.models.training.optimizer import loop_settings
from reviewgen_spark.models.training.trainer import fit_to_device, save_weights, seeded, train

FACTS_FILE = "pretraining.json"


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
        task = LanguageModelTask(
            rows["train"],
            rows["validation"],
            section,
            settings,
            pad_id=int(tokenizer.pad_token_id),
            mask_id=tokenizer.mask_token_id,
            vocabulary=len(tokenizer),
        )
        count = sum(parameter.numel() for parameter in model.parameters())
        progress(
            f"{base}, {section.objective}: {len(rows['train']):,} reviews, {count / 1e6:.1f} M parameters, "
            f"{settings.precision} on {device}, {torch.get_num_threads()} threads"
        )
        before = task.validate(model.eval())
        progress(f"before: validation loss {before['validation_loss']:.4f}")
        result = train(model, task, settings, progress, checkpoint)
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
