"""Write on from prompts: our own loop over the tokens of a batch, for causal and seq2seq models of transformers.

Rows that are finished leave the batch at once, so that a long text does not make short ones wait, and others take their
places (continuous batching; Yu et al. 2022, Orca), so that a step always has many rows: one row's step costs half of
thirty rows'. Each row has a random generator of its own (`models/decoding/sampling.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from reviewgen_spark.models.decoding.incremental import open_reader
from reviewgen_spark.models.decoding.kv_cache import fill_holes
from reviewgen_spark.models.decoding.sampling import Decoding, Sampler

JOIN_SHARE = 4  # rows join when they make up a quarter of the batch: reading a prompt costs a step of its own


@dataclass(frozen=True)
class Prompt:
    """What a row goes on from, and the seed of its random generator."""

    ids: Sequence[int]
    seed: int

    @property
    def rank(self) -> tuple[int, int]:
        """Lower ones are written first: like lengths stand together, in the same order however the rows came."""
        return len(self.ids), self.seed


@dataclass(frozen=True)
class Continuation:
    """What a row became: token ids without the end, and whether the model ended it or the limit did."""

    ids: list[int]
    is_finished: bool
    is_broken: bool = False  # the model gave no numbers


@dataclass(frozen=True)
class Specials:
    """The tokens that a loop has to know of.

    Attributes:
        end_id: ends a text.
        pad_id: fills shorter prompts.
        banned: no text holds them.
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
    """Write on from each prompt, the shorter ones first; may run out of memory, and then says so as torch does.

    Args:
        model: causal or seq2seq, in evaluation mode.
        prompts: none longer than `context`.
        decoding: how a token is chosen, and how many there may be.
        specials: of the model's tokenizer.
        tokens_per_batch: rows that are written at a time x (their longest prompt + text), at most; one row may be more.
            While rows leave and join, keys and values have room for some more. None: all rows at once.
        context: tokens that the model can hold of a row, prompt and text; a text ends there at the latest. None where
            `max_new_tokens` alone bounds it.
        watermark: a fresh logits processor of transformers, such as SynthID's, or None.

    Yields:
        The place of a prompt and what it became, each as soon as its text ends.
    """
    device, most = str(model.device), decoding.max_new_tokens
    is_seq2seq = bool(model.config.is_encoder_decoder)
    taken = [1 if is_seq2seq else len(prompt.ids) for prompt in prompts]  # a seq2seq text begins with a start token
    limits = [most if context is None else min(most, context - length) for length in taken]
    waiting = sorted(range(len(prompts)), key=lambda row: prompts[row].rank)
    written: list[list[int]] = [[] for _ in prompts]
    rows: list[int] = []  # rows[place]: which prompt stands at a place of the batch
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
    """How many of the prompts that wait, the shorter ones first, join a batch now.

    Args:
        standing: rows of the batch.
        lengths: of the prompts that wait, ascending and none shorter than those of the batch.
        most: tokens that a text may have.
        tokens_per_batch: as of `continue_prompts`.

    >>> count_joining(0, [10, 10, 20], 10, 60), count_joining(2, [20, 20], 10, 100), count_joining(9, [10], 10, None)
    (2, 1, 0)
    """
    found = 0
    for rows, length in enumerate(lengths, start=standing + 1):
        if rows > 1 and tokens_per_batch is not None and rows * (length + most) > tokens_per_batch:
            break
        found += 1
    return found if found * JOIN_SHARE >= standing + found else 0
