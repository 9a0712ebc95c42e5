"""Continues prompts token by token, in batches, for causal and seq2seq models of transformers.

Finished rows leave the batch at once, so that short texts do not wait for long ones. Other rows replace them
(continuous batching; Yu et al. 2022, Orca), so that a step always has many rows. A step of one row costs half of a step
of thirty rows. Each row has its own random generator (`models/decoding/sampling.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from reviewgen_spark.models.decoding.incremental import open_reader
from reviewgen_spark.models.decoding.kv_cache import fill_holes
from reviewgen_spark.models.decoding.sampling import Decoding, Sampler

JOIN_SHARE = 4  # rows join when they are a quarter of the batch, because reading prompts costs an extra step


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
    """Continues each prompt, shorter ones first. Out of memory raises the error of torch.

    Args:
        model: causal or seq2seq, in evaluation mode.
        prompts: none longer than `context`.
        decoding: how a token is chosen, and how many at most.
        specials: of the model's tokenizer.
        tokens_per_batch: limit of rows x (longest prompt + text); a single row may exceed it. While rows leave and
            join, the cache has room for some more. None: all rows at once.
        context: most tokens of a row, prompt and text; a text ends there at the latest. None: only `max_new_tokens`
            is the limit.
        watermark: a new logits processor of transformers, such as SynthID's, or None.

    Yields:
        The index of a prompt and its continuation, as soon as the text ends.
    """
    device, most = str(model.device), decoding.max_new_tokens
    is_seq2seq = bool(model.config.is_encoder_decoder)
    taken = [1 if is_seq2seq else len(prompt.ids) for prompt in prompts]  # a seq2seq text begins with a start token
    limits = [most if context is None else min(most, context - length) for length in taken]
    waiting = sorted(range(len(prompts)), key=lambda row: prompts[row].rank)
    written: list[list[int]] = [[] for _ in prompts]
    rows: list[int] = []  # rows[place]: the index of the prompt at a place of the batch
    reader = open_reader(model, specials.pad_id, most)
    sampler = Sampler(decoding, specials.end_id, specials.banned, device, watermark)
    logits = torch.empty(0)
    while rows or waiting:
        most_joining = len(waiting) if not rows or reader.can_join else 0
        lengths = (len(prompts[row].ids) for row in waiting[:most_joining])
        if joining := count_joining(len(rows), lengths, most, tokens_per_batch):
            joined, waiting = waiting[:joining], waiting[joining:]
            fresh = reader.join([prompts[row].ids for row in joined])  # (joining, V)
            logits = torch.cat([logits, fresh]) if rows else fresh  # (B, V)
            sampler.join([prompts[row].seed for row in joined])
            rows += joined
        tokens, broken = sampler.choose(logits)
        left = []
        for row, token, is_broken in zip(rows, tokens.tolist(), broken.tolist(), strict=True):
            is_finished = token == specials.end_id
            if not is_finished:
                written[row].append(token)
            left.append(is_finished or len(written[row]) >= limits[row])
            if left[-1]:
                yield row, Continuation(written[row], is_finished and not is_broken, is_broken)
        if any(left):
            kept = fill_holes(left)
            rows = [rows[place] for place in kept]
            tokens = tokens[torch.tensor(kept, dtype=torch.int64, device=tokens.device)]
            sampler.keep(kept)
            reader.keep(kept)
        if rows:
            logits = reader.step(tokens)


def count_joining(standing: int, lengths: Iterable[int], most: int, tokens_per_batch: int | None) -> int:
    """Returns how many of the waiting prompts join a batch now, shorter ones first.

    Args:
        standing: rows of the batch.
        lengths: of the waiting prompts, ascending, and none shorter than those of the batch.
        most: most tokens of a text.
        tokens_per_batch: as for `continue_prompts`.

    >>> count_joining(0, [10, 10, 20], 10, 60), count_joining(2, [20, 20], 10, 100), count_joining(9, [10], 10, None)
    (2, 1, 0)
    """
    found = 0
    for rows, length in enumerate(lengths, start=standing + 1):
        if rows > 1 and tokens_per_batch is not None and rows * (length + most) > tokens_per_batch:
            break
        found += 1
    return found if found * JOIN_SHARE >= standing + found else 0
