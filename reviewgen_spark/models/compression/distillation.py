"""Distils a big classifier into a small one, which learns the teacher's answers and the gold labels.

The teacher's logits hold more information than labels (Hinton, Vinyals and Dean 2015), also for unlabelled texts. The
teacher reads each text once, before training. Teacher and student may have different vocabularies.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from reviewgen_spark.config import DistilSection
from reviewgen_spark.config.progress import REPORT_EVERY_S, add_bar, progress_bars
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.bases.encoder import Encoder
from reviewgen_spark.models.bases.loading import load_base, load_checkpoint
from reviewgen_spark.models.bases.vocabulary_pruning import choose_layers, keep_layers
from reviewgen_spark.models.classifier.heads import Head, multi_task_loss
from reviewgen_spark.models.classifier.loading import choose_device
from reviewgen_spark.models.classifier.model_folder import ModelSettings, require_sentiment
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.classifier.tokenizer import Tokens
from reviewgen_spark.models.data.batches import cut_by_token_budget, pad, shuffle_into_batches
from reviewgen_spark.models.data.corpus import corpus_fingerprint, read_split
from reviewgen_spark.models.data.targets import MISSING
from reviewgen_spark.models.data.tasks import read_targets
from reviewgen_spark.models.training.checkpoint import Point
from reviewgen_spark.models.training.classifier_folder import read_tokenizer, write_classifier, write_tokenizer
from reviewgen_spark.models.training.classifier_scores import ValidationRows
from reviewgen_spark.models.training.finetuning import logit_names
from reviewgen_spark.models.training.optimizer import loop_settings
from reviewgen_spark.models.training.trainer import Rows, fit_to_device, seeded, train

TEACHER_TOKENS = 8192


@dataclass(frozen=True)
class DistilResult:
    """Holds the folder of the student and the figures of its training."""

    folder: Path
    best_epoch: int
    validation_f1: float
    curve: tuple[Point, ...]
    parameters: int
    rows: int
    unlabelled_rows: int
    seconds: float


def distil(
    corpus: Path,
    unlabelled: Sequence[str],
    teacher_folder: Path,
    section: DistilSection,
    out: Path,
    progress: Callable[[str], None],
    checkpoint: Path | None = None,
    base: str | None = None,
) -> DistilResult:
    """Trains a student and writes its model folder.

    Args:
        corpus: a labelled corpus. Validation selects the epoch; the test split is not opened.
        unlabelled: more texts, which only the teacher labels.
        teacher_folder: the teacher's model folder; the student gets its heads.
        section: the `distil` section.
        out: folder to write.
        progress: called with a line every few seconds and after each epoch; the lines hold no text.
        checkpoint: file that an interrupted training resumes from; the teacher's logits are stored beside it.
        base: folder of the base, if `section.base` is only its name.

    Raises:
        ConfigError: the student's base is unknown, or the teacher is no model of sentiment.
        DataQualityError: a split is empty or holds one label only.
        ModelNotFoundError: the teacher or the base does not exist.
        StageError: the loss became NaN or infinite, or the disk is full.
    """
    started = time.monotonic()
    labelled, validation = (read_split(corpus, split, every_task=True) for split in ("train", "validation"))
    texts = [*labelled.texts, *unlabelled[: section.max_unlabelled]]
    settings = loop_settings("distil", section, choose_device(section.device))
    teacher = Predictor(teacher_folder, section.device, "bfloat16" if settings.precision == "bfloat16" else "float32")
    require_sentiment(teacher.settings, "distil")
    heads = tuple(Head(head.task, head.labels, head.start, head.width) for head in teacher.settings.heads)
    names = {head.task: head.labels for head in heads}
    targets = np.full((len(texts), len(heads)), MISSING, dtype=np.int64)
    targets[: len(labelled)] = read_targets(names, labelled)
    answers = teacher_logits(teacher, texts, progress, checkpoint and checkpoint.with_name("teacher_logits.npy"))
    with seeded(section.seed, section.threads):
        start = section.model_copy(update={"base": base or section.base})
        student = load_student(start, teacher_folder, texts, heads)
        write_tokenizer(student.tokenizer, out)
        tokenizer = read_tokenizer(out, section.max_tokens)
        model = fit_to_device(student.model, settings.device)
        validation_rows = ValidationRows(
            tokenizer.encode(validation.texts),
            validation.record_ids,
            read_targets(names, validation),
            heads,
            has_types=False,
            pad_id=int(model.config.pad_token_id or 0),
            settings=settings,
        )
        soft, hard = torch.as_tensor(answers, dtype=torch.float32), torch.as_tensor(targets)
        task = DistilTask(tokenizer.encode(texts), soft, hard, validation_rows, section)
        count = sum(parameter.numel() for parameter in model.parameters())
        progress(
            f"{section.base}: {len(labelled):,} labelled and {len(texts) - len(labelled):,} unlabelled rows, "
            f"{count / 1e6:.1f} M parameters, {settings.precision} on {settings.device}"
        )
        result = train(model, task, settings, progress, checkpoint)
        model.load_state_dict(result.best_state)
        calibrated = validation_rows.calibrate(model.eval())
    model_settings = ModelSettings(
        heads=calibrated,
        max_tokens=section.max_tokens,
        base=f"{section.base} of {teacher.settings.base}" if is_teachers(section.base) else section.base,
        corpus_fingerprint=corpus_fingerprint(corpus),
        training=section.result_part(),
    )
    write_classifier(model, out, "distil", result.curve, model_settings)
    return DistilResult(
        folder=out,
        best_epoch=result.best_epoch,
        validation_f1=result.curve[result.best_epoch - 1]["validation_f1"],
        curve=result.curve,
        parameters=count,
        rows=len(labelled),
        unlabelled_rows=len(texts) - len(labelled),
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class DistilTask:
    """Trains a student on the teacher's logits `soft` (N, width) and on the labels `hard` (N, heads)."""

    tokens: Sequence[Tokens]
    soft: torch.Tensor
    hard: torch.Tensor
    validation: ValidationRows
    section: DistilSection
    selects: str = "validation_f1"

    def batches(self, epoch: int, rng: np.random.Generator) -> Sequence[Rows]:
        """Returns batches of texts of similar length."""
        return shuffle_into_batches([len(row.ids) for row in self.tokens], self.section.batch_size, rng)

    def loss(self, model: Any, rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        """Returns the weighted mean of the loss against the teacher and of that against the labels."""
        heads, device = self.validation.heads, self.validation.settings.device
        ids, mask = pad([self.tokens[row].ids for row in rows], self.validation.pad_id, device)  # (B, T), (B, T)
        logits = model(input_ids=ids, attention_mask=mask).logits.float()  # (B, width of all heads)
        teacher_loss = soft_loss(logits, self.soft[rows].to(device), heads, self.section.temperature)
        label_loss = multi_task_loss(logits, self.hard[rows].to(device), heads)
        return self.section.soft_share * teacher_loss + (1 - self.section.soft_share) * label_loss

    def validate(self, model: Any) -> dict[str, float]:
        """Returns the validation figures of the student."""
        return self.validation.score(model)


def soft_loss(logits: torch.Tensor, answers: torch.Tensor, heads: Sequence[Head], temperature: float) -> torch.Tensor:
    """Returns the mean Kullback-Leibler divergence a head of the student from the teacher, a scalar.

    Both are (B, width of all heads). The loss is scaled by the square of the temperature, so that gradients stay as
    large as those of labels (Hinton et al. 2015, section 2).
    """
    losses = []
    for head in heads:
        student, teacher = (_log_odds(values, head) / temperature for values in (logits, answers))  # (B, labels)
        divergence = F.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), reduction="batchmean", log_target=True)
        losses.append(divergence)
    return torch.stack(losses).mean() * temperature**2


def _log_odds(values: torch.Tensor, head: Head) -> torch.Tensor:
    logits = values[:, head.start : head.start + head.width]
    if head.width > 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits], dim=1)  # a sigmoid is a softmax over (0, z)


@progress_bars()
def teacher_logits(
    teacher: Predictor, texts: Sequence[str], progress: Callable[[str], None], keep: Path | None = None
) -> npt.NDArray[np.float64]:
    """Returns the teacher's logits (N, width of all heads); reads them from `keep` if an earlier call stored them."""
    if keep is not None and keep.is_file():
        stored: npt.NDArray[np.float64] = np.load(keep, allow_pickle=False)
        if len(stored) == len(texts):
            return stored
    rows = [row.ids for row in teacher.tokenizer.encode(texts)]
    answers: npt.NDArray[np.float64] | None = None
    done, started = 0, time.monotonic()
    reported = started
    advance = add_bar("teacher: rows", len(rows))
    for batch in cut_by_token_budget([len(row) for row in rows], texts, TEACHER_TOKENS):
        logits = teacher.logits([rows[index] for index in batch])
        answers = np.zeros((len(rows), logits.shape[1])) if answers is None else answers
        answers[batch] = logits
        done += len(batch)
        advance(len(batch))
        now = time.monotonic()
        if now - reported > REPORT_EVERY_S:
            reported = now
            progress(f"teacher: {done:,} of {len(rows):,} rows, {done / (now - started):.0f} rows/s")
    assert answers is not None  # an empty split is refused when it is read
    if keep is not None:
        keep.parent.mkdir(parents=True, exist_ok=True)
        np.save(keep, answers)
    return answers


def is_teachers(base: str) -> bool:
    """Checks whether a student starts from layers of its teacher."""
    return base.startswith("teacher:")


def load_student(section: DistilSection, teacher_folder: Path, texts: Sequence[str], heads: Sequence[Head]) -> Encoder:
    """Loads the student before training: some layers of the teacher, or another base.

    Raises:
        ConfigError: the number after `teacher:` is no number of layers of the teacher.
        ModelNotFoundError: there is no such base.
    """
    names = logit_names(heads)
    if not is_teachers(section.base):
        return load_base(section.base, texts, names, section.max_tokens, section.vocabulary_size, section.dropout)
    from transformers import AutoModelForSequenceClassification

    whole = load_checkpoint(str(teacher_folder), {}, section.dropout, AutoModelForSequenceClassification)
    count, layers = int(whole.model.config.num_hidden_layers), section.base.removeprefix("teacher:")
    if not (layers.isascii() and layers.isdigit() and 1 <= int(layers) <= count):
        raise ConfigError(f"distil.base: '{section.base}': expected teacher:1 to teacher:{count}")
    return Encoder(whole.tokenizer, keep_layers(whole.model, choose_layers(count, int(layers))))
