"""Fine-tune a sentiment classifier on a corpus. Reads from top to bottom; the pieces are below, in order of use.

The same seed, corpus, base and number of threads give the same weights.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from reviewgen_spark.errors import StageError
from reviewgen_spark.models.batches import cut_by_token_budget, pad, shuffle_into_batches
from reviewgen_spark.models.corpus import LABELS, Examples, corpus_fingerprint, read_split
from reviewgen_spark.models.encoder import load_base
from reviewgen_spark.models.folder import CURVE_FILE, SETTINGS_FILE, ModelSettings
from reviewgen_spark.models.metrics import confusion, count_metrics, fit_temperature
from reviewgen_spark.models.predictor import Tokenizer, choose_device, positive_margins
from reviewgen_spark.sections import FinetuneSection

REPORT_EVERY_S = 10.0
EVALUATION_TOKENS = 8192


@dataclass(frozen=True)
class EpochPoint:
    """One epoch of the training curve."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    validation_f1: float
    learning_rate: float
    seconds: float
    rows_per_second: float


@dataclass(frozen=True)
class FinetuneResult:
    """Where the model lies and how training went; `validation_f1` is that of the epoch that was kept."""

    folder: Path
    best_epoch: int
    validation_f1: float
    temperature: float
    curve: tuple[EpochPoint, ...]
    parameters: int
    trained_parameters: int
    train_rows: int
    seconds: float
    precision: str
    device: str


def finetune(
    corpus: Path, base: str, section: FinetuneSection, out: Path, progress: Callable[[str], None]
) -> FinetuneResult:
    """Train a classifier and write its folder.

    Args:
        corpus: a corpus folder; its test split is not opened.
        base: what `models.base` says.
        section: the `finetune` section.
        out: folder to write; files of an earlier training there are replaced.
        progress: called with a line every few seconds and after each epoch; the lines hold no text.

    Raises:
        DataQualityError: a split is empty or holds one label only.
        ModelNotFoundError: there is no such base.
        StageError: the loss became NaN or infinite.
    """
    started = time.monotonic()
    train, validation = read_split(corpus, "train"), read_split(corpus, "validation")
    device = choose_device(section.device)
    precision = choose_precision(section.precision, device)

    with seeded(section.seed, section.threads):
        encoder = load_base(base, train.texts, LABELS, section.max_tokens, section.vocabulary_size, section.dropout)
        out.mkdir(parents=True, exist_ok=True)
        # Written last again: until then a folder of an earlier training is no model folder, and never a mixed one.
        (out / SETTINGS_FILE).unlink(missing_ok=True)
        encoder.tokenizer.save_pretrained(out)
        tokenizer = Tokenizer(out / "tokenizer.json", section.max_tokens)
        train_ids, validation_ids = (
            [row.ids for row in tokenizer.encode(split.texts)] for split in (train, validation)
        )
        pad_id = int(encoder.model.config.pad_token_id or 0)

        model = encoder.model.to(device)
        optimizer = make_optimizer(model, section)
        steps = math.ceil(len(train) / section.batch_size) * section.epochs
        warmup = max(1, round(steps * section.warmup_pct / 100))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: linear_schedule(step, warmup, steps))
        rng = np.random.default_rng(section.seed)
        count = sum(parameter.numel() for parameter in model.parameters())
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        progress(
            f"{base}: {len(train):,} rows, {trained / 1e6:.1f} of {count / 1e6:.1f} M parameters trained, "
            f"{steps:,} steps, {precision} on {device}, {torch.get_num_threads()} threads"
        )

        curve: list[EpochPoint] = []
        best: dict[str, torch.Tensor] = {}
        best_epoch, best_f1, best_margins = 0, -1.0, np.zeros(len(validation))
        for epoch in range(1, section.epochs + 1):
            epoch_started = reported = time.monotonic()
            model.train()
            total_loss, seen = 0.0, 0
            for rows in shuffle_into_batches([len(ids) for ids in train_ids], section.batch_size, rng):
                ids, mask = pad([train_ids[row] for row in rows], pad_id, device)  # (B, T), (B, T)
                labels = torch.as_tensor(train.labels[rows], device=device)  # (B,)
                with autocast(device, precision):
                    logits = model(input_ids=ids, attention_mask=mask).logits  # (B, labels)
                loss = F.cross_entropy(logits.float(), labels)
                loss_value = float(loss.detach())
                if not math.isfinite(loss_value):
                    raise StageError(
                        f"finetune: the loss became {loss_value} in epoch {epoch}; lower finetune.learning_rate "
                        f"(now {section.learning_rate}) or set finetune.precision to float32 (now {precision})"
                    )
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), section.max_grad_norm)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                total_loss, seen = total_loss + loss_value * len(rows), seen + len(rows)
                if time.monotonic() - reported > REPORT_EVERY_S:
                    reported = time.monotonic()
                    rate = seen / (reported - epoch_started)
                    progress(f"epoch {epoch}: {seen:,} rows, loss {total_loss / seen:.3f}, {rate:.0f} rows/s")

            seconds = time.monotonic() - epoch_started
            margins = validation_margins(model, validation_ids, validation.record_ids, pad_id, device, precision)
            point = EpochPoint(
                epoch=epoch,
                train_loss=total_loss / seen,
                validation_loss=float(np.logaddexp(0, np.where(validation.labels == 1, -margins, margins)).mean()),
                learning_rate=float(schedule.get_last_lr()[0]),
                seconds=seconds,
                rows_per_second=seen / seconds,
                **validation_scores(validation, margins),
            )
            curve.append(point)
            progress(
                f"epoch {epoch}: train loss {point.train_loss:.3f}, validation loss {point.validation_loss:.3f}, "
                f"F1 {point.validation_f1:.4f}, {seconds:.0f} s, {point.rows_per_second:.0f} rows/s"
            )
            if point.validation_f1 > best_f1:
                best_epoch, best_f1, best_margins = epoch, point.validation_f1, margins
                best = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
            elif epoch - best_epoch >= section.patience:
                progress(f"stopped: no better F1 since epoch {best_epoch}")
                break

    model.load_state_dict(best)
    temperature = fit_temperature(best_margins, validation.labels)
    write_model(model.cpu(), out)
    points = [asdict(point) for point in curve]
    (out / CURVE_FILE).write_text(json.dumps(points, indent=2) + "\n", encoding="utf-8")
    ModelSettings(
        labels=LABELS,
        max_tokens=section.max_tokens,
        base=base,
        corpus_fingerprint=corpus_fingerprint(corpus),
        temperature=round(temperature, 6),
        training=section.result_part(),
    ).write(out)
    return FinetuneResult(
        folder=out,
        best_epoch=best_epoch,
        validation_f1=best_f1,
        temperature=temperature,
        curve=tuple(curve),
        parameters=count,
        trained_parameters=trained,
        train_rows=len(train),
        seconds=time.monotonic() - started,
        precision=precision,
        device=device,
    )


def choose_precision(precision: str, device: str) -> str:
    """Resolve `auto`: bfloat16 where the hardware multiplies it, for elsewhere it is emulated and slower."""
    if precision != "auto":
        return precision
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    capabilities = torch.cpu.get_capabilities()
    return "bfloat16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "float32"


@contextmanager
def seeded(seed: int, threads: int | None) -> Iterator[None]:
    """Seed torch and set its threads, and give both back as they were; a sum over threads depends on their number."""
    before = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if threads:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def make_optimizer(model: Any, section: FinetuneSection) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); biases and layer norms do not decay, as in BERT's own training.

    Word embeddings have a rate of their own: they are most of a small model's weights, and each is met in few batches.
    """
    embeddings = model.get_input_embeddings().weight
    embeddings.requires_grad_(section.embedding_rate > 0)
    others = [parameter for parameter in model.parameters() if parameter is not embeddings]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": section.weight_decay},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
    ]
    if section.embedding_rate > 0:
        rate = section.learning_rate * section.embedding_rate
        groups.append({"params": [embeddings], "weight_decay": section.weight_decay, "lr": rate})
    return torch.optim.AdamW(groups, lr=section.learning_rate, fused=True)


def linear_schedule(step: int, warmup: int, steps: int) -> float:
    """The share of the learning rate at a step: up in `warmup` steps, then down to 0 (Devlin et al. 2019, A.3)."""
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (steps - step) / max(1, steps - warmup))


def autocast(device: str, precision: str) -> torch.autocast:
    """Multiply in bfloat16, keep weights and sums in float32; no gradient scaling is needed with bfloat16's range."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def validation_margins(
    model: Any, rows: Sequence[list[int]], keys: Sequence[str], pad_id: int, device: str, precision: str
) -> npt.NDArray[np.float64]:
    """The log odds of positive of each validation row, (N,)."""
    model.eval()
    margins = np.zeros(len(rows))
    with torch.inference_mode(), autocast(device, precision):
        for batch in cut_by_token_budget([len(row) for row in rows], keys, EVALUATION_TOKENS):
            ids, mask = pad([rows[index] for index in batch], pad_id, device)  # (B, T), (B, T)
            logits = model(input_ids=ids, attention_mask=mask).logits  # (B, labels)
            margins[batch] = positive_margins(logits.double().cpu().numpy())
    return margins


def validation_scores(validation: Examples, margins: npt.NDArray[np.float64]) -> dict[str, float]:
    """Accuracy and F1 on validation, which choose the epoch."""
    found = count_metrics(confusion(validation.labels, (margins >= 0).astype(np.int64)))
    return {"validation_accuracy": float(found["accuracy"]), "validation_f1": float(found["f1"])}


def write_model(model: Any, out: Path) -> None:
    """Write config.json and model.safetensors, without the progress bar that transformers draws."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model.save_pretrained(out, max_shard_size="100GB")
    finally:
        if shown:
            logging.enable_progress_bar()
