"""The training task of a generator: the text of each example, given its request."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from reviewgen_spark.config import FinetuneGeneratorSection
from reviewgen_spark.errors import RequestError
from reviewgen_spark.models.bases.decoder import Kind
from reviewgen_spark.models.data.batches import cut_by_token_budget, pad, shuffle_into_batches
from reviewgen_spark.models.generator.control_codes import PromptTokenizer
from reviewgen_spark.models.generator.examples import Example
from reviewgen_spark.models.training.objectives import IGNORED
from reviewgen_spark.models.training.optimizer import LoopSettings
from reviewgen_spark.models.training.trainer import Rows, autocast

EVALUATION_TOKENS = 8192


@dataclass(frozen=True)
class ExampleRow:
    """The tokens of one example; `characters` is the length of the text."""

    prompt: list[int]
    text: list[int]
    characters: int

    @property
    def length(self) -> int:
        """Returns the number of its tokens."""
        return len(self.prompt) + len(self.text)


@dataclass(frozen=True)
class TextTask:
    """Trains on the text tokens of `rows`. The validation loss chooses the epoch."""

    rows: Sequence[ExampleRow]
    validation: Sequence[ExampleRow]
    kind: Kind
    pad_id: int
    section: FinetuneGeneratorSection
    settings: LoopSettings
    selects: str = "validation_gain"

    def batches(self, epoch: int, rng: np.random.Generator) -> Sequence[Rows]:
        """Returns batches of examples of similar length."""
        return shuffle_into_batches([row.length for row in self.rows], self.section.batch_size, rng)

    def loss(self, model: Any, rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        """Returns the mean loss a text token."""
        chosen = [self.rows[row] for row in rows]
        total, tokens = text_loss(model, chosen, self.kind, self.pad_id, self.settings.device)
        return total / max(1, tokens)

    def validate(self, model: Any) -> dict[str, float]:
        """Returns loss a token and bits a character of texts with their end tokens, given their requests.

        `validation_gain` is the negative loss: higher is better.
        """
        total, tokens, rows = 0.0, 0, self.validation
        keys = [str(row) for row in range(len(rows))]
        with torch.inference_mode(), autocast(self.settings.device, self.settings.precision):
            for part in cut_by_token_budget([row.length for row in rows], keys, EVALUATION_TOKENS):
                chosen = [rows[row] for row in part]
                part_loss, count = text_loss(model, chosen, self.kind, self.pad_id, self.settings.device)
                total, tokens = total + float(part_loss), tokens + count
        loss = total / max(1, tokens)
        bits = total / math.log(2) / max(1, sum(row.characters for row in rows))
        return {"validation_loss": loss, "validation_gain": -loss, "validation_bits_per_character": bits}


def encode_examples(prompts: PromptTokenizer, examples: Sequence[Example]) -> list[ExampleRow]:
    """Returns examples as tokens, without those whose prompt or text does not fit."""
    rows: list[ExampleRow] = []
    for example in examples:
        text = prompts.encode_text(example.text)
        if text is None:
            continue
        try:
            rows.append(ExampleRow(prompts.encode_prompt(example.request), text, len(example.text)))
        except RequestError:
            continue
    return rows


def logits_and_targets(
    model: Any, rows: Sequence[ExampleRow], kind: str, pad_id: int, device: str
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


def text_loss(model: Any, rows: Sequence[ExampleRow], kind: str, pad_id: int, device: str) -> tuple[torch.Tensor, int]:
    """Returns the summed loss of the text tokens, given request and preceding text, and their number."""
    logits, labels = logits_and_targets(model, rows, kind, pad_id, device)
    is_text = labels != IGNORED
    return F.cross_entropy(logits[is_text].float(), labels[is_text], reduction="sum"), int(is_text.sum())


def text_bits(
    model: Any,
    rows: Sequence[ExampleRow],
    kind: str,
    device: str,
    pad_id: int = 0,
    tokens_per_batch: int = EVALUATION_TOKENS,
) -> npt.NDArray[np.float64]:
    """Returns (N,) the bits of each text with its end token, given its request."""
    bits = np.zeros(len(rows))
    keys = [str(row) for row in range(len(rows))]
    with torch.inference_mode():
        for part in cut_by_token_budget([row.length for row in rows], keys, tokens_per_batch):
            logits, labels = logits_and_targets(model, [rows[row] for row in part], kind, pad_id, device)
            losses = F.cross_entropy(logits.transpose(1, 2).float(), labels, ignore_index=IGNORED, reduction="none")
            bits[part] = losses.sum(1).double().cpu().numpy() / math.log(2)
    return bits
