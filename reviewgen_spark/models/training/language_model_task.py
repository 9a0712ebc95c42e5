"""The training task of a language model: hidden or next tokens, and for `mlm+sop` the order of sentences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from reviewgen_spark.config import PretrainSection
from reviewgen_spark.models.data.batches import cut_by_token_budget, shuffle_into_batches
from reviewgen_spark.models.training.language_model_data import TextRow, make_batch
from reviewgen_spark.models.training.objectives import IGNORED
from reviewgen_spark.models.training.optimizer import LoopSettings
from reviewgen_spark.models.training.trainer import Rows, autocast

EVALUATION_TOKENS = 8192


@dataclass(frozen=True)
class LanguageModelTask:
    """Trains on `rows` by the objective of the section. The validation loss chooses the epoch."""

    rows: Sequence[TextRow]
    validation: Sequence[TextRow]
    section: PretrainSection
    settings: LoopSettings
    pad_id: int
    mask_id: int | None
    vocabulary: int
    selects: str = "validation_gain"

    def batches(self, epoch: int, rng: np.random.Generator) -> Sequence[Rows]:
        """Returns batches of reviews of similar length."""
        return shuffle_into_batches([len(row.ids) for row in self.rows], self.section.batch_size, rng)

    def loss(self, model: Any, rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        """Returns the mean loss a predicted token, plus that of the order of sentences."""
        batch = self._prepare([self.rows[row] for row in rows], rng)
        token_loss, tokens, order_loss = losses(model, batch)
        return token_loss / max(1, tokens) + order_loss / len(rows)

    def validate(self, model: Any) -> dict[str, float]:
        """Returns the validation loss a token, with the same masks each time; for a causal model bits a character too.

        `validation_gain` is the negative loss: higher is better.
        """
        token_loss, tokens, order_loss, pairs = 0.0, 0, 0.0, 0
        lengths, keys = [len(row.ids) for row in self.validation], [str(row) for row in range(len(self.validation))]
        with torch.inference_mode(), autocast(self.settings.device, self.settings.precision):
            for number, part in enumerate(cut_by_token_budget(lengths, keys, EVALUATION_TOKENS)):
                rng = np.random.default_rng([self.settings.seed, number])
                batch = self._prepare([self.validation[row] for row in part], rng)
                part_loss, count, order = losses(model, batch)
                token_loss, tokens = token_loss + float(part_loss), tokens + count
                order_loss += float(order)
                pairs += int((batch["order"] != IGNORED).sum()) if "order" in batch else 0
        loss = token_loss / max(1, tokens)
        figures = {"validation_loss": loss, "validation_gain": -loss}
        if pairs:
            figures["validation_order_loss"] = order_loss / pairs
        if is_causal(model):
            characters = sum(row.characters for row in self.validation)
            figures["validation_bits_per_character"] = token_loss / math.log(2) / characters
        return figures

    def _prepare(self, rows: Sequence[TextRow], rng: np.random.Generator) -> dict[str, torch.Tensor]:
        device = self.settings.device
        return make_batch(rows, self.section, rng, self.pad_id, self.mask_id, self.vocabulary, device)


def losses(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, int, torch.Tensor]:
    """Returns the summed loss of the predicted tokens, their number, and the summed loss of sentence order."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
    output = model(**inputs)
    logits = output.prediction_logits if "order" in batch else output.logits  # (B, T, V)
    labels = batch["labels"]
    if not hasattr(output, "prediction_logits") and is_causal(model):
        logits, labels = logits[:, :-1], labels[:, 1:]  # each token is predicted from those before it
    is_predicted = labels != IGNORED
    token_loss = F.cross_entropy(logits[is_predicted].float(), labels[is_predicted], reduction="sum")
    order_loss = token_loss.new_zeros(())
    if "order" in batch and bool((batch["order"] != IGNORED).any()):
        order_loss = F.cross_entropy(
            output.seq_relationship_logits.float(), batch["order"], ignore_index=IGNORED, reduction="sum"
        )
    return token_loss, int(is_predicted.sum()), order_loss


def is_causal(model: Any) -> bool:
    """Checks whether a model predicts the next token, by the class that `transformers` chose for it."""
    inner = getattr(model, "module", model)  # under DistributedDataParallel
    return bool(type(getattr(inner, "_orig_mod", inner)).__name__.endswith(("ForCausalLM", "LMHeadModel")))
