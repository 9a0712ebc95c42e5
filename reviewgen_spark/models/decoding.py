"""Write on from prompts: our own loop over the tokens of a batch, for causal and seq2seq models of transformers.

Rows that are finished leave the batch at once, so that a long text does not make short ones wait, and each row has a
random generator of its own (`models/sampling.py`).
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from transformers.cache_utils import EncoderDecoderCache

from reviewgen_spark.models.batches import cut_by_token_budget, pad
from reviewgen_spark.models.kv_cache import fill_holes, keep_rows, make_cache
from reviewgen_spark.models.sampling import Decoding, Sampler


@dataclass(frozen=True)
class Prompt:
    """What a row goes on from, and the seed of its random generator."""

    ids: Sequence[int]
    seed: int


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


def plan_batches(
    prompts: Sequence[Prompt], keys: Sequence[str], max_new_tokens: int, tokens_per_batch: int
) -> list[list[int]]:
    """Cut rows into batches of like prompt length: rows x (longest prompt + text) is at most `tokens_per_batch`.

    Args:
        prompts: the rows.
        keys: break ties between prompts of equal length.
        max_new_tokens: of a text.
        tokens_per_batch: keys and values that are held at a time.
    """
    return cut_by_token_budget([len(prompt.ids) + max_new_tokens for prompt in prompts], keys, tokens_per_batch)


def continue_prompts(
    model: Any,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    specials: Specials,
    context: int | None = None,
    watermark: Any = None,
) -> list[Continuation]:
    """Write one batch; may run out of memory, and then says so as torch does.

    Args:
        model: causal or seq2seq, in evaluation mode.
        prompts: at least one; none longer than `context`.
        decoding: how a token is chosen, and how many there may be.
        specials: of the model's tokenizer.
        context: tokens that the model can hold of a row, prompt and text; a text ends there at the latest. None where
            `max_new_tokens` alone bounds it.
        watermark: a fresh logits processor of transformers, such as SynthID's, or None.
    """
    device = str(model.device)
    most = decoding.max_new_tokens
    is_seq2seq = bool(model.config.is_encoder_decoder)
    taken = [1 if is_seq2seq else len(prompt.ids) for prompt in prompts]  # a seq2seq text begins with a start token
    limits = [most if context is None else min(most, context - count) for count in taken]
    found = [Continuation([], is_finished=False) for _ in prompts]
    written: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))  # rows[place]: which prompt stands at a place of the batch
    with torch.inference_mode():
        reader: _Reader = _Seq2seq(model, prompts, specials, most) if is_seq2seq else _Causal(model, prompts, specials)
        logits = reader.start(max(limits))  # (B, V)
        seeds = [prompt.seed for prompt in prompts]
        sampler = Sampler(seeds, decoding, specials.end_id, specials.banned, device, watermark)
        while True:
            tokens, broken = sampler.choose(logits)
            left = []
            for row, token, is_broken in zip(rows, tokens.tolist(), broken.tolist(), strict=True):
                is_finished = token == specials.end_id
                if not is_finished:
                    written[row].append(token)
                has_left = is_finished or len(written[row]) >= limits[row]
                if has_left:
                    found[row] = Continuation(written[row], is_finished and not is_broken, is_broken)
                left.append(has_left)
            if any(left):
                kept = fill_holes(left)
                rows = [rows[place] for place in kept]
                if not rows:
                    return found
                tokens = tokens[torch.tensor(kept, device=tokens.device)]
                sampler.keep(kept)
                reader.keep(kept)
            logits = reader.step(tokens)


class _Reader(Protocol):
    """A model with the state of a batch: logits (B, V) of the next token."""

    def start(self, most: int) -> torch.Tensor:
        """Read the prompts; `most` tokens will follow at most."""

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Read one token a row, (B,)."""

    def keep(self, kept: Sequence[int]) -> None:
        """Drop the other rows."""


class _Causal:
    """Prompts padded on the left, so that every row writes at the same place; positions count from its first token."""

    def __init__(self, model: Any, prompts: Sequence[Prompt], specials: Specials) -> None:
        self._model = model
        lengths = [len(prompt.ids) for prompt in prompts]
        width = max(lengths)
        filled = [[specials.pad_id] * (width - len(prompt.ids)) + list(prompt.ids) for prompt in prompts]
        device = model.device
        self._ids = torch.tensor(filled, dtype=torch.int64, device=device)  # (B, T)
        self._next = torch.tensor(lengths, dtype=torch.int64, device=device).unsqueeze(1)  # (B, 1), its next position
        self._is_padded = min(lengths) < width
        self._width = width

    def start(self, most: int) -> torch.Tensor:
        """Read the prompts."""
        room = self._width + most
        self._cache = make_cache(self._model.config, room)
        places = torch.arange(room, device=self._ids.device)
        first = self._width - self._next  # (B, 1), where the prompt begins
        self._mask = (places >= first).long()  # (B, room)
        positions = (places[: self._width] - first).clamp(min=0)  # (B, T)
        return self._read(self._ids, positions)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Read the tokens that were chosen."""
        found = self._read(tokens.unsqueeze(1), self._next)
        self._next = self._next + 1
        return found

    def keep(self, kept: Sequence[int]) -> None:
        """Drop the other rows."""
        index = torch.tensor(kept, device=self._next.device)
        self._next, self._mask = self._next[index], self._mask[index]
        self._is_padded = bool((self._mask[:, 0] == 0).any())
        keep_rows(self._cache, kept, str(self._next.device))

    def _read(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        inputs: dict[str, Any] = {"input_ids": ids, "past_key_values": self._cache, "use_cache": True}
        if self._is_padded:  # without, attention needs no mask, which is faster
            inputs["attention_mask"] = self._mask[:, : self._cache.get_seq_length() + ids.shape[1]]
        if "position_ids" in self._accepted:
            inputs["position_ids"] = positions + self._first_position
        if "logits_to_keep" in self._accepted:
            inputs["logits_to_keep"] = 1
        return self._model(**inputs).logits[:, -1]  # type: ignore[no-any-return]

    @cached_property
    def _accepted(self) -> frozenset[str]:
        return frozenset(inspect.signature(self._model.forward).parameters)

    @cached_property
    def _first_position(self) -> int:
        """RoBERTa's kind counts positions from the padding's id on."""
        embeddings = getattr(self._model.base_model, "embeddings", None)
        padding = getattr(embeddings, "padding_idx", None)
        return 0 if padding is None else int(padding) + 1


class _Seq2seq:
    """Prompts are read once, padded on the right; texts begin with the model's start token."""

    def __init__(self, model: Any, prompts: Sequence[Prompt], specials: Specials, most: int) -> None:
        self._model = model
        self._ids, self._mask = pad([prompt.ids for prompt in prompts], specials.pad_id, str(model.device))  # (B, S)
        self._room = most + 1

    def start(self, most: int) -> torch.Tensor:
        """Read the prompts, and the start token."""
        config = self._model.config
        self._cache = EncoderDecoderCache(make_cache(config, self._room), make_cache(config, self._ids.shape[1]))
        encoder = self._model.get_encoder()
        self._states = encoder(input_ids=self._ids, attention_mask=self._mask).last_hidden_state  # (B, S, hidden)
        begin = config.decoder_start_token_id
        return self.step(torch.full((len(self._ids),), begin, dtype=torch.int64, device=self._ids.device))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Read the tokens that were chosen."""
        from transformers.modeling_outputs import BaseModelOutput

        found = self._model(
            encoder_outputs=BaseModelOutput(last_hidden_state=self._states),
            attention_mask=self._mask,
            decoder_input_ids=tokens.unsqueeze(1),
            past_key_values=self._cache,
            use_cache=True,
        )
        return found.logits[:, -1]  # type: ignore[no-any-return]

    def keep(self, kept: Sequence[int]) -> None:
        """Drop the other rows."""
        index = torch.tensor(kept, device=self._mask.device)
        self._mask, self._states = self._mask[index], self._states[index]
        for cache in (self._cache.self_attention_cache, self._cache.cross_attention_cache):
            keep_rows(cache, kept, str(self._mask.device))
