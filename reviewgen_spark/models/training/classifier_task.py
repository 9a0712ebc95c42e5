"""The training task of a classifier: labels of each task, augmented texts, mixup."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reviewgen_spark.config import FinetuneSection
from reviewgen_spark.models.classifier.heads import Head, balanced_weights, multi_task_loss
from reviewgen_spark.models.classifier.tokenizer import Tokenizer, Tokens
from reviewgen_spark.models.data.augmentation import Augmenter, mix_embeddings
from reviewgen_spark.models.data.batches import pad, shuffle_into_batches
from reviewgen_spark.models.training.classifier_scores import ValidationRows, inputs_of
from reviewgen_spark.models.training.trainer import Rows


@dataclass(frozen=True)
class TrainingTexts:
    """The texts of a training as tokens. A share of the draws is augmented.

    `paraphrases` holds the back-translation of each text, or None where it has none; it is empty without that.
    """

    texts: Sequence[str]
    tokens: Sequence[Tokens]
    paraphrases: Sequence[str | None]
    tokenizer: Tokenizer
    augmenter: Augmenter | None
    augmented_share: float

    def read(self, row: int, rng: np.random.Generator) -> Tokens:
        """Returns the tokens of a row, of its text or of an augmented one."""
        if not (self.augmenter or self.paraphrases) or rng.random() >= self.augmented_share:
            return self.tokens[row]
        text = (self.paraphrases[row] if self.paraphrases else None) or self.texts[row]
        return self.tokenizer.encode([self.augmenter.augment(text, rng) if self.augmenter else text])[0]


@dataclass(frozen=True)
class ClassifierTask:
    """Trains one encoder with a head a task. The validation F1 chooses the epoch.

    `targets` is (N, heads), on the device. `embeddings` returns the input embeddings of token ids, for mixup.
    `on_epoch` is called with the number and the validation F1 of each epoch.
    """

    rows: TrainingTexts
    targets: torch.Tensor
    weights: dict[str, torch.Tensor] | None
    embeddings: Callable[[torch.Tensor], torch.Tensor]
    validation: ValidationRows
    section: FinetuneSection
    on_epoch: Callable[[int, float], None] | None = None
    selects: str = "validation_f1"
    _epochs: Iterator[int] = field(default_factory=lambda: count(1))

    def batches(self, epoch: int, rng: np.random.Generator) -> Sequence[Rows]:
        """Returns batches of texts of similar length."""
        return shuffle_into_batches([len(row.ids) for row in self.rows.tokens], self.section.batch_size, rng)

    def loss(self, model: Any, rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        """Returns the mean loss of all heads; with mixup, of each row mixed with another row of the batch."""
        tokens = [self.rows.read(row, rng) for row in rows]
        labels = self.targets[rows]  # (B, heads)
        pad_id, device = self.validation.pad_id, self.validation.settings.device
        if not self.section.mixup_alpha:
            logits = model(**inputs_of(tokens, self.validation.has_types, pad_id, device)).logits  # (B, all heads)
            return self._label_loss(logits, labels)
        share = float(rng.beta(self.section.mixup_alpha, self.section.mixup_alpha))
        order = torch.as_tensor(rng.permutation(len(rows)), device=device)  # (B,)
        ids, mask = pad([row.ids for row in tokens], pad_id, device)  # (B, T), (B, T)
        mixed, either_mask = mix_embeddings(self.embeddings(ids), mask, share, order)
        logits = model(inputs_embeds=mixed, attention_mask=either_mask).logits
        return share * self._label_loss(logits, labels) + (1 - share) * self._label_loss(logits, labels[order])

    def validate(self, model: Any) -> dict[str, float]:
        """Returns the validation figures after an epoch."""
        figures = self.validation.score(model)
        if self.on_epoch:
            self.on_epoch(next(self._epochs), figures["validation_f1"])
        return figures

    def _label_loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return multi_task_loss(logits, labels, self.validation.heads, self.weights, self.section.label_smoothing)


def class_weights(targets: npt.NDArray[np.int64], heads: Sequence[Head], device: str) -> dict[str, torch.Tensor]:
    """Returns class weights (labels,) by task, so that rare labels count as much as frequent ones."""
    return {
        head.task: torch.as_tensor(
            balanced_weights(targets[:, column], len(head.labels)), dtype=torch.float32, device=device
        )
        for column, head in enumerate(heads)
    }
