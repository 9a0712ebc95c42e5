"""Continues prompts token by token, in batches, for causal and seq2seq models of transformers.

Finished rows leave the batch at once, so that short texts do not wait for long texts. Other rows replace them
(continuous batching; Yu et al. 2022, Orca), so that a step always has many rows. A step of one row costs half of a step
of thirty rows. Each row has its own random generator (`models/decoding/sampling.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from reviewgen_spark.models.decoding.incremental import open_reader
from reviewgen_spark.models.decoding.kv_cache import compact_rows
from reviewgen_spark.models.decoding.sampling import Decoding, Sampler

JOIN_SHARE = 4  # rows join if they are a quarter of the batch, because reading prompts costs an extra step


@dataclass(frozen=True)
class Prompt:
    """Holds the token ids that a row continues, and the seed of its random generator."""

    ids: Sequence[int]
    seed: int

    @property
    def rank(self) -> tuple[int, int]:
        """Returns the sort key: similar lengths together, in an order that does not depend on the input order."""
        return len(self.ids), self.seed


@dataclass(frozen=True)
class Continuation:
    """Holds the text of a row: token ids without the end token, and whether the model ended it."""

    ids: list[int]
    is_finished: bool
    is_broken: bool = False  # the logits were not finite


@dataclass(frozen=True)
class Specials:
    """Holds the special tokens of a tokenizer.

    Attributes:
        end_id: ends a text.
        pad_id: fills shorter prompts.
        banned: never generated.
    """

    end_id: int
    pad_id: int
    banned: tuple[int, ...] = ()


@torch.inference_mode()
def continue_prompts(
    model: Any,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    specials: Specials,
    tokens_per_batch: int | None = None,
    context: int | None = None,
    watermark: Any = None,
) -> Iterator[tuple[int, Continuation]]:
    """Continues each prompt, shorter prompts first. If memory runs out, the error of torch is raised.

    Args:
        model: causal or seq2seq, in evaluation mode.
        prompts: the prompts; none is longer than `context`.
        decoding: how a token is chosen, and how many tokens a text has at most.
        specials: the special tokens of the model's tokenizer.
        tokens_per_batch: the limit of rows x (longest prompt + text); a single row may exceed it. While rows leave and
            join, the cache has room for some more. None: all rows at once.
        context: how many tokens a row has at most, prompt and text together. None: only `max_new_tokens` limits a row.
        watermark: a new logits processor of transformers, such as SynthID's, or None.

    Yields:
        The index of a prompt and its continuation, as soon as the text ends.
    """
    device, max_new = str(model.device), decoding.max_new_tokens
    is_seq2seq = bool(model.config.is_encoder_decoder)
    # A seq2seq text begins with a start token.
    start_lengths = [1 if is_seq2seq else len(prompt.ids) for prompt in prompts]
    limits = [max_new if context is None else min(max_new, context - length) for length in start_lengths]
    waiting = sorted(range(len(prompts)), key=lambda row: prompts[row].rank)
    written: list[list[int]] = [[] for _ in prompts]
    rows: list[int] = []  # rows[slot]: the index of the prompt in a slot of the batch
    reader = open_reader(model, specials.pad_id, max_new)
    sampler = Sampler(decoding, specials.end_id, specials.banned, device, watermark)
    logits = torch.empty(0)
    while rows or waiting:
        candidates = len(waiting) if not rows or reader.can_join else 0
        lengths = (len(prompts[row].ids) for row in waiting[:candidates])
        if joining := count_joining(len(rows), lengths, max_new, tokens_per_batch):
            joined, waiting = waiting[:joining], waiting[joining:]
            first_logits = reader.join([prompts[row].ids for row in joined])  # (joining, V)
            logits = torch.cat([logits, first_logits]) if rows else first_logits  # (B, V)
            sampler.join([prompts[row].seed for row in joined])
            rows += joined
        tokens, broken = sampler.choose(logits)
        has_ended = []
        for row, token, is_broken in zip(rows, tokens.tolist(), broken.tolist(), strict=True):
            is_finished = token == specials.end_id
            if not is_finished:
                written[row].append(token)
            has_ended.append(is_finished or len(written[row]) >= limits[row])
            if has_ended[-1]:
                yield row, Continuation(written[row], is_finished and not is_broken, is_broken)
        if any(has_ended):
            kept = compact_rows(has_ended)
            rows = [rows[slot] for slot in kept]
            tokens = tokens[torch.tensor(kept, dtype=torch.int64, device=tokens.device)]
            sampler.keep(kept)
            reader.keep(kept)
        if rows:
            logits = reader.step(tokens)


def count_joining(present: int, lengths: Iterable[int], max_new: int, tokens_per_batch: int | None) -> int:
    """Returns how many of the waiting prompts join a batch now, shorter prompts first.

    Args:
        present: the number of rows of the batch.
        lengths: the lengths of the waiting prompts, ascending; none is shorter than a prompt of the batch.
        max_new: the greatest number of tokens of a text.
        tokens_per_batch: as for `continue_prompts`.

    >>> count_joining(0, [10, 10, 20], 10, 60), count_joining(2, [20, 20], 10, 100), count_joining(9, [10], 10, None)
    (2, 1, 0)
    """
    joining = 0
    for rows, length in enumerate(lengths, start=present + 1):
        if rows > 1 and tokens_per_batch is not None and rows * (length + max_new) > tokens_per_batch:
            break
        joining += 1
    return joining if joining * JOIN_SHARE >= present + joining else 0
