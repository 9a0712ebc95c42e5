"""Fine-tunes a classifier on a corpus: one encoder, one head a task.

The same seed, corpus, base and number of threads give the same weights.
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

from reviewgen_spark.config import FinetuneSection, default_conf_folder
from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.models.bases.loading import load_base
from reviewgen_spark.models.classifier.adapters import apply_adapter, merge_adapter
from reviewgen_spark.models.classifier.heads import (
    Head,
    balanced_weights,
    multi_task_loss,
    plan_heads,
)
from reviewgen_spark.models.classifier.loading import choose_device
from reviewgen_spark.models.classifier.model_folder import CURVE_FILE, SETTINGS_FILE, AdapterSettings, ModelSettings
from reviewgen_spark.models.classifier.predictor import reads_types
from reviewgen_spark.models.classifier.tokenizer import Tokenizer, Tokens
from reviewgen_spark.models.data.augmentation import Augmenter, mix_embeddings
from reviewgen_spark.models.data.batches import pad, shuffle_into_batches
from reviewgen_spark.models.data.corpus import Examples, SplitName, corpus_fingerprint, read_aspects, read_split
from reviewgen_spark.models.data.targets import MISSING
from reviewgen_spark.models.data.tasks import label_names, read_targets
from reviewgen_spark.models.training.back_translation import back_translate, load_translator
from reviewgen_spark.models.training.checkpoint import Point
from reviewgen_spark.models.training.classifier_scores import calibrate, inputs_of, run_model, score_validation
from reviewgen_spark.models.training.optimizer import loop_settings
from reviewgen_spark.models.training.trainer import (
    fit_to_device,
    rank_and_world_size,
    save_weights,
    seeded,
    train,
)


@dataclass(frozen=True)
class FinetuneResult:
    """Holds the model's folder and the figures of its training; `validation_f1` is that of the best epoch."""

    folder: Path
    best_epoch: int
    validation_f1: float
    temperature: float
    curve: tuple[Point, ...]
    parameters: int
    trained_parameters: int
    train_rows: int
    seconds: float
    precision: str
    device: str


def finetune(
    corpus: Path,
    base: str,
    section: FinetuneSection,
    out: Path,
    progress: Callable[[str], None],
    checkpoint: Path | None = None,
    base_name: str | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> FinetuneResult:
    """Trains a classifier and writes its folder.

    Args:
        corpus: a corpus folder; its test split is not opened.
        base: the value of `models.base`, or the folder of that base.
        section: the `finetune` section.
        out: folder to write; files of an earlier training there are replaced.
        progress: called with a line every few seconds and after each epoch; the lines hold no text.
        checkpoint: file that an interrupted training resumes from.
        base_name: name of the base in the model's settings, if `base` is a folder of this machine.
        on_epoch: called with the number and the validation F1 of each epoch; an exception ends the training.

    Raises:
        DataQualityError: a split is empty or holds one label only.
        ModelNotFoundError: there is no such base.
        StageError: the loss became NaN or infinite, or the disk is full.
    """
    started = time.monotonic()
    learnt = select_rows(read_examples(corpus, "train", section), section)
    validation = select_categories(read_examples(corpus, "validation", section), section.held_out_categories)
    names = label_names(section.tasks, learnt)
    heads = plan_heads(names, section.two_labels == "sigmoid")
    targets, validation_targets = read_targets(names, learnt), read_targets(names, validation)
    device = choose_device(section.device)
    settings = loop_settings("finetune", section, device)
    rank, world = rank_and_world_size()
    augmenter = None
    if section.augmentation:
        augmenter = Augmenter(section.augmentation, section.augmentation_rate, default_conf_folder() / "dictionaries")

    variants: list[str | None] = []
    if section.back_translation:
        there, back = (load_translator(name, device, section.max_tokens) for name in section.back_translation)
        variants = back_translate(learnt.texts, there, back, progress)

    with seeded(section.seed, section.threads):
        encoder = load_base(
            base,
            [*learnt.texts, *(learnt.aspects or ())],
            logit_names(heads),
            section.max_tokens,
            section.vocabulary_size,
            section.dropout,
        )
        if rank == 0:
            out.mkdir(parents=True, exist_ok=True)
            # The settings are written last, so that files of two trainings are never read as one model.
            (out / SETTINGS_FILE).unlink(missing_ok=True)
            encoder.tokenizer.save_pretrained(out)
        if world > 1:
            torch.distributed.barrier()
        tokenizer = Tokenizer(out / "tokenizer.json", section.max_tokens)
        tokens, validation_tokens = (tokenizer.encode(part.texts, part.aspects) for part in (learnt, validation))
        steps = math.ceil(len(learnt) / section.batch_size) * section.epochs
        if not section.embedding_rate:
            encoder.model.get_input_embeddings().weight.requires_grad_(False)
        model, after_step = apply_adapter(fit_to_device(encoder.model, device), section.method, section.rank, steps)
        model = model.to(device)  # including the adapter's new weights
        embeddings = model.get_input_embeddings()
        has_types = learnt.aspects is not None and reads_types(model.config)
        pad_id = int(model.config.pad_token_id or 0)
        weights = class_weights(targets, heads, device) if section.class_weights == "balanced" else None
        wanted = torch.as_tensor(targets, device=device)  # (N, heads)

        def batches(epoch: int, rng: np.random.Generator) -> Sequence[npt.NDArray[np.int64]]:
            return shuffle_into_batches([len(row.ids) for row in tokens], section.batch_size, rng)

        def read(row: int, rng: np.random.Generator) -> Tokens:
            if not (augmenter or variants) or rng.random() >= section.augmentation_share:
                return tokens[row]
            text = (variants[row] if variants else None) or learnt.texts[row]
            return tokenizer.encode([augmenter.augment(text, rng) if augmenter else text])[0]

        def loss(trained: Any, rows: npt.NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
            found = [read(row, rng) for row in rows]
            labels = wanted[rows]  # (B, heads)
            if not section.mixup_alpha:
                logits = trained(**inputs_of(found, has_types, pad_id, device)).logits  # (B, width of all heads)
                return multi_task_loss(logits, labels, heads, weights, section.label_smoothing)
            share = float(rng.beta(section.mixup_alpha, section.mixup_alpha))
            order = torch.as_tensor(rng.permutation(len(rows)), device=device)  # (B,)
            ids, mask = pad([row.ids for row in found], pad_id, device)  # (B, T), (B, T)
            mixed, both = mix_embeddings(embeddings(ids), mask, share, order)
            logits = trained(inputs_embeds=mixed, attention_mask=both).logits
            own, other = (
                multi_task_loss(logits, told, heads, weights, section.label_smoothing)
                for told in (labels, labels[order])
            )
            return share * own + (1 - share) * other

        def predict(model: Any) -> npt.NDArray[np.float64]:
            return run_model(model, validation_tokens, validation.record_ids, has_types, pad_id, settings)

        scored = 0

        def validate(model: Any) -> dict[str, float]:
            nonlocal scored
            scored += 1
            figures = score_validation(predict(model), validation_targets, heads)
            if on_epoch:
                on_epoch(scored, figures["validation_f1"])
            return figures

        count = sum(parameter.numel() for parameter in model.parameters())
        trained_count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        if rank == 0:
            progress(
                f"{base}: {len(learnt):,} rows, {trained_count / 1e6:.1f} of {count / 1e6:.1f} M parameters trained, "
                f"{settings.precision} on {device}, {world} processes of {torch.get_num_threads()} threads"
            )
        result = train(
            model,
            batches,
            loss,
            settings,
            validate=validate,
            selects="validation_f1",
            progress=progress if rank == 0 else lambda line: None,
            checkpoint=checkpoint,
            after_step=after_step,
        )
        model.load_state_dict(result.best_state)
        model = merge_adapter(model, section.method)
        logits = predict(model.eval())

    heads = tuple(calibrate(logits, validation_targets[:, column], head) for column, head in enumerate(heads))
    if rank == 0:
        save_weights(model.cpu(), out, "finetune")
        (out / CURVE_FILE).write_text(json.dumps(result.curve, indent=2) + "\n", encoding="utf-8")
        ModelSettings(
            heads=heads,
            max_tokens=section.max_tokens,
            base=base_name or base,
            corpus_fingerprint=corpus_fingerprint(corpus),
            adapter=AdapterSettings("bottleneck", section.rank) if section.method == "bottleneck" else None,
            training=section.result_part(),
        ).write(out)
    return FinetuneResult(
        folder=out,
        best_epoch=result.best_epoch,
        validation_f1=result.curve[result.best_epoch - 1]["validation_f1"],
        temperature=heads[0].temperature,
        curve=result.curve,
        parameters=count,
        trained_parameters=trained_count,
        train_rows=len(learnt),
        seconds=time.monotonic() - started,
        precision=settings.precision,
        device=device,
    )


def read_examples(corpus: Path, split: SplitName, section: FinetuneSection) -> Examples:
    """Reads the rows of a split that the section's tasks are trained on."""
    if section.tasks == ("aspect",):
        return read_aspects(corpus, split)
    return read_split(corpus, split, every_task=True)


def select_rows(examples: Examples, section: FinetuneSection) -> Examples:
    """Returns the training rows outside the held-out categories, at most `rows_per_label` of each label.

    Labels are those of sentiment, or of aspect. Rows are drawn by seed.

    Raises:
        DataQualityError: nothing is left, or one label only.
    """
    examples = select_categories(examples, section.held_out_categories)
    if section.rows_per_label is None:
        return examples
    rng = np.random.default_rng(section.seed)
    labels = sorted(set(examples.labels) - {MISSING})
    rows = [rng.permutation(np.flatnonzero(examples.labels == label))[: section.rows_per_label] for label in labels]
    return examples.take(np.sort(np.concatenate(rows)))


def select_categories(examples: Examples, held_out: Sequence[str]) -> Examples:
    """Returns the rows outside the held-out categories.

    Raises:
        DataQualityError: nothing is left, or one label only.
    """
    if not held_out:
        return examples
    kept = examples.take(np.flatnonzero([value not in held_out for value in examples.columns["category"]]))
    if len(set(kept.labels) - {MISSING}) < 2:
        raise DataQualityError(
            f"finetune.held_out_categories: without them {len(kept):,} rows are left of {kept.split}, not of two "
            "labels; hold out fewer"
        )
    return kept


def logit_names(heads: Sequence[Head]) -> tuple[str, ...]:
    """Returns a name for each logit, for transformers; the names of a single softmax are its labels."""
    if len(heads) == 1 and heads[0].width == len(heads[0].labels):
        return heads[0].labels
    return tuple(f"{head.task}={name}" for head in heads for name in head.labels[-head.width :])


def class_weights(targets: npt.NDArray[np.int64], heads: Sequence[Head], device: str) -> dict[str, torch.Tensor]:
    """Returns class weights (labels,) by task, so that rare labels count as much as frequent ones."""
    return {
        head.task: torch.as_tensor(
            balanced_weights(targets[:, column], len(head.labels)), dtype=torch.float32, device=device
        )
        for column, head in enumerate(heads)
    }
