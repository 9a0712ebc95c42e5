"""A model of transformers that reads token by token for a batch whose rows leave and join."""

import inspect
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import torch
from transformers.cache_utils import EncoderDecoderCache

from reviewgen_spark.models.data.batches import pad
from reviewgen_spark.models.decoding.kv_cache import BufferedLayer, keep_rows, make_cache


class Reader(Protocol):
    """A model with the state of a batch: logits (B, V) of the next token."""

    @property
    def can_join(self) -> bool:
        """Whether rows can join a batch that others stand in; else only an empty one."""

    def join(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Read prompts, which stand behind the others from then on; their logits."""

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Read one token a row, (B,)."""

    def keep(self, kept: Sequence[int]) -> None:
        """Drop the other rows."""


def open_reader(model: Any, pad_id: int, most: int) -> Reader:
    """A reader without rows.

    Args:
        model: causal or seq2seq, of transformers.
        pad_id: fills shorter prompts.
        most: tokens that a text may have.
    """
    return (Seq2seqReader if model.config.is_encoder_decoder else CausalReader)(model, pad_id, most)


class CausalReader:
    """All rows write in the same column, each prompt stands left of it; positions count from a row's first token."""

    def __init__(self, model: Any, pad_id: int, most: int) -> None:
        self._model, self._pad_id, self._most = model, pad_id, most
        self._device = model.device
        none = torch.empty((0, 1), dtype=torch.int64, device=self._device)
        self._first, self._next = none, none  # (B, 1), the column of a row's first token; (B, 1), its next position
        self._places = 0  # rows that may stand at a time: with longer prompts they only become fewer
        self._begin = self._end = self._room = 0  # columns: the first that is shown, the next one, all of them
        self._is_padded = False

    @property
    def can_join(self) -> bool:
        """Not where layers forget tokens by a rule of their own."""
        return not len(self._first) or all(isinstance(layer, BufferedLayer) for layer in self._cache.layers)

    def join(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Read prompts, padded on the left."""
        width = max(map(len, prompts))
        is_first = not len(self._first)
        self._places = len(self._first) + len(prompts)
        room = width + 2 * self._most  # a text's length more than it takes: buffers are moved once in so many steps
        cache = make_cache(self._model.config, room if is_first else width)
        if is_first:
            self._cache, self._begin, self._end, self._room = cache, 0, width, room
        elif self._end < width:
            self._move(width)
        filled = [[self._pad_id] * (width - len(ids)) + list(ids) for ids in prompts]
        lengths = torch.tensor([[len(ids)] for ids in prompts], dtype=torch.int64, device=self._device)  # (k, 1)
        starts = width - lengths
        places = torch.arange(width, device=self._device)
        mask = (places >= starts).long() if bool((starts > 0).any()) else None  # (k, width)
        ids = torch.tensor(filled, dtype=torch.int64, device=self._device)
        logits = self._read(ids, cache, mask, (places - starts).clamp(min=0))
        if not is_first:
            for layer, joining in zip(self._cache.layers, cache.layers, strict=True):
                layer.join(joining)
        self._first = torch.cat([self._first, self._end - lengths])
        self._next = torch.cat([self._next, lengths])
        self._look()
        return logits

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Read the tokens that were chosen."""
        if self._end == self._room:
            self._move(self._end - self._begin)
        self._end += 1
        places = torch.arange(self._begin, self._end, device=self._device)
        mask = (places >= self._first).long() if self._is_padded else None  # without, attention is faster
        found = self._read(tokens.unsqueeze(1), self._cache, mask, self._next)
        self._next = self._next + 1
        return found

    def keep(self, kept: Sequence[int]) -> None:
        """Drop the other rows."""
        index = torch.tensor(kept, dtype=torch.int64, device=self._device)
        self._first, self._next = self._first[index], self._next[index]
        if kept:
            keep_rows(self._cache, kept, str(self._device))
            self._look()

    def _look(self) -> None:
        """Note where the first row begins, and whether others begin later."""
        begin = int(self._first.min())
        if self.can_join:
            self._begin = begin
            for layer in self._cache.layers:
                layer.forget(begin)
        self._is_padded = bool((self._first > self._begin).any())

    def _move(self, end: int) -> None:
        """Move what is shown so that it ends before column `end`, or as far to the right as it is wide."""
        end = max(end, self._end - self._begin)
        self._room = end + self._most
        for layer in self._cache.layers:
            layer.move(self._places, self._room, end)
        self._first += end - self._end
        self._begin, self._end = self._begin + end - self._end, end

    def _read(self, ids: torch.Tensor, cache: Any, mask: torch.Tensor | None, positions: torch.Tensor) -> torch.Tensor:
        inputs: dict[str, Any] = {"input_ids": ids, "past_key_values": cache, "use_cache": True}
        if mask is not None:
            inputs["attention_mask"] = mask
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


class Seq2seqReader:
    """Prompts are read once, padded on the right; texts begin with the model's start token."""

    can_join: bool = False  # a start token in a later column would be read as a later word

    def __init__(self, model: Any, pad_id: int, most: int) -> None:
        self._model, self._pad_id, self._room = model, pad_id, most + 1

    def join(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Read prompts, and the start token."""
        ids, self._mask = pad(prompts, self._pad_id, str(self._model.device))  # (B, S), (B, S)
        config = self._model.config
        self._cache = EncoderDecoderCache(make_cache(config, self._room), make_cache(config, ids.shape[1]))
        encoder = self._model.get_encoder()
        self._states = encoder(input_ids=ids, attention_mask=self._mask).last_hidden_state  # (B, S, hidden)
        begin = config.decoder_start_token_id
        return self.step(torch.full((len(ids),), begin, dtype=torch.int64, device=ids.device))

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
        index = torch.tensor(kept, dtype=torch.int64, device=self._mask.device)
        self._mask, self._states = self._mask[index], self._states[index]
        for cache in (self._cache.self_attention_cache, self._cache.cross_attention_cache):
            keep_rows(cache, kept, str(self._mask.device))
