"""Fine-tunes a classifier on a corpus: one encoder, one head a task.

The same seed, corpus, base and number of threads give the same weights.
"""

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
from reviewgen_spark.models.bases.encoder import Encoder
from reviewgen_spark.models.bases.loading import load_base
from reviewgen_spark.models.classifier.adapters import apply_adapter, merge_adapter
from reviewgen_spark.models.classifier.heads import Head, plan_heads
from reviewgen_spark.models.classifier.loading import choose_device
from reviewgen_spark.models.classifier.model_folder import AdapterSettings, ModelSettings
from reviewgen_spark.models.classifier.predictor import reads_types
from reviewgen_spark.models.classifier.tokenizer import Tokenizer
from reviewgen_spark.models.data.augmentation import Augmenter
from reviewgen_spark.models.data.corpus import Examples, SplitName, corpus_fingerprint, read_aspects, read_split
from reviewgen_spark.models.data.targets import MISSING
from reviewgen_spark.models.data.tasks import label_names, read_targets
from reviewgen_spark.models.training.back_translation import back_translate, load_translator
from reviewgen_spark.models.training.checkpoint import Point
from reviewgen_spark.models.training.classifier_folder import read_tokenizer, write_classifier, write_tokenizer
from reviewgen_spark.models.training.classifier_scores import ValidationRows
from reviewgen_spark.models.training.classifier_task import ClassifierTask, TrainingTexts, class_weights
from reviewgen_spark.models.training.optimizer import loop_settings
from reviewgen_spark.models.training.trainer import fit_to_device, rank_and_world_size, seeded, train


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
    train_rows = select_rows(read_examples(corpus, "train", section), section)
    validation = select_categories(read_examples(corpus, "validation", section), section.held_out_categories)
    names = label_names(section.tasks, train_rows)
    heads = plan_heads(names, section.two_labels == "sigmoid")
    settings = loop_settings("finetune", section, choose_device(section.device))
    rank, world = rank_and_world_size()
    report = progress if rank == 0 else lambda line: None
    paraphrases = paraphrase(train_rows.texts, section, settings.device, progress)

    with seeded(section.seed, section.threads):
        encoder = load_encoder(base, train_rows, heads, section)
        if rank == 0:
            write_tokenizer(encoder.tokenizer, out)
        if world > 1:
            torch.distributed.barrier()
        tokenizer = read_tokenizer(out, section.max_tokens)
        steps = math.ceil(len(train_rows) / section.batch_size) * section.epochs
        model = fit_to_device(encoder.model, settings.device)
        model, after_step = apply_adapter(model, section.method, section.rank, steps)
        model = model.to(settings.device)  # including the adapter's new weights
        validation_rows = ValidationRows(
            tokenizer.encode(validation.texts, validation.aspects),
            validation.record_ids,
            read_targets(names, validation),
            heads,
            has_types=train_rows.aspects is not None and reads_types(model.config),
            pad_id=int(model.config.pad_token_id or 0),
            settings=settings,
        )
        targets = read_targets(names, train_rows)
        task = make_task(model, train_rows, targets, paraphrases, tokenizer, validation_rows, section, on_epoch)
        count = sum(parameter.numel() for parameter in model.parameters())
        trained_count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        report(
            f"{base}: {len(train_rows):,} rows, {trained_count / 1e6:.1f} of {count / 1e6:.1f} M parameters trained, "
            f"{settings.precision} on {settings.device}, {world} processes of {torch.get_num_threads()} threads"
        )
        result = train(model, task, settings, report, checkpoint, after_step)
        model.load_state_dict(result.best_state)
        model = merge_adapter(model, section.method)
        heads = validation_rows.calibrate(model.eval())
    if rank == 0:
        model_settings = ModelSettings(
            heads=heads,
            max_tokens=section.max_tokens,
            base=base_name or base,
            corpus_fingerprint=corpus_fingerprint(corpus),
            adapter=AdapterSettings("bottleneck", section.rank) if section.method == "bottleneck" else None,
            training=section.result_part(),
        )
        write_classifier(model, out, "finetune", result.curve, model_settings)
    return FinetuneResult(
        folder=out,
        best_epoch=result.best_epoch,
        validation_f1=result.curve[result.best_epoch - 1]["validation_f1"],
        temperature=heads[0].temperature,
        curve=result.curve,
        parameters=count,
        trained_parameters=trained_count,
        train_rows=len(train_rows),
        seconds=time.monotonic() - started,
        precision=settings.precision,
        device=settings.device,
    )


def load_encoder(base: str, rows: Examples, heads: Sequence[Head], section: FinetuneSection) -> Encoder:
    """Loads the base with a new layer of logits; with `embedding_rate` 0 its embeddings are not trained.

    Raises:
        ModelNotFoundError: there is no such base.
    """
    texts = [*rows.texts, *(rows.aspects or ())]
    names = logit_names(heads)
    encoder = load_base(base, texts, names, section.max_tokens, section.vocabulary_size, section.dropout)
    if not section.embedding_rate:
        encoder.model.get_input_embeddings().weight.requires_grad_(False)
    return encoder


def paraphrase(
    texts: Sequence[str], section: FinetuneSection, device: str, progress: Callable[[str], None]
) -> Sequence[str | None]:
    """Returns the back-translation of each text, or an empty list without `finetune.back_translation`."""
    if not section.back_translation:
        return []
    there, back = (load_translator(name, device, section.max_tokens) for name in section.back_translation)
    return back_translate(texts, there, back, progress)


def make_task(
    model: Any,
    rows: Examples,
    targets: npt.NDArray[np.int64],
    paraphrases: Sequence[str | None],
    tokenizer: Tokenizer,
    validation: ValidationRows,
    section: FinetuneSection,
    on_epoch: Callable[[int, float], None] | None,
) -> ClassifierTask:
    """Returns the training task of a model. `targets` is (N, heads)."""
    device, augmenter = validation.settings.device, None
    if section.augmentation:
        augmenter = Augmenter(section.augmentation, section.augmentation_rate, default_conf_folder() / "dictionaries")
    return ClassifierTask(
        rows=TrainingTexts(
            rows.texts,
            tokenizer.encode(rows.texts, rows.aspects),
            paraphrases,
            tokenizer,
            augmenter,
            section.augmentation_share,
        ),
        targets=torch.as_tensor(targets, device=device),
        weights=class_weights(targets, validation.heads, device) if section.class_weights == "balanced" else None,
        embeddings=model.get_input_embeddings(),
        validation=validation,
        section=section,
        on_epoch=on_epoch,
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
