"""Runs a model of transformers token by token, for a batch whose rows leave and join."""

import inspect
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import torch
from transformers.cache_utils import EncoderDecoderCache

from reviewgen_spark.models.data.batches import pad
from reviewgen_spark.models.decoding.kv_cache import BufferedLayer, keep_rows, make_cache


class Reader(Protocol):
    """Computes the logits (B, V) of the next token, and stores the state of a batch."""

    @property
    def can_join(self) -> bool:
        """Returns whether rows can join a batch that has rows. If not, they can join an empty batch only."""

    def join(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Reads prompts, appends them as rows, and returns their logits."""

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Reads one token per row, (B,), and returns the next logits."""

    def keep(self, kept: Sequence[int]) -> None:
        """Drops all rows except `kept`. Slot i then holds the former row `kept[i]`."""


def open_reader(model: Any, pad_id: int, max_new: int) -> Reader:
    """Returns a reader without rows.

    Args:
        model: causal or seq2seq, of transformers.
        pad_id: fills shorter prompts.
        max_new: the greatest number of tokens of a text.
    """
    return (Seq2seqReader if model.config.is_encoder_decoder else CausalReader)(model, pad_id, max_new)


class CausalReader:
    """Reads rows of a causal model. All rows write in the same column; positions count from a row's first token."""

    def __init__(self, model: Any, pad_id: int, max_new: int) -> None:
        self._model, self._pad_id, self._max_new = model, pad_id, max_new
        self._device = model.device
        empty = torch.empty((0, 1), dtype=torch.int64, device=self._device)
        self._first, self._next = empty, empty  # both (B, 1): the column of a row's first token, and its next position
        self._max_rows = 0  # most rows from now on, because later prompts are longer and fewer of them fit
        self._begin = self._end = self._room = 0  # the first visible column, the next column, the number of columns
        self._is_padded = False

    @property
    def can_join(self) -> bool:
        """Returns False if layers drop tokens by their own rule, and the batch has rows."""
        return not len(self._first) or all(isinstance(layer, BufferedLayer) for layer in self._cache.layers)

    def join(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Reads prompts, padded on the left."""
        width = max(map(len, prompts))
        is_first = not len(self._first)
        self._max_rows = len(self._first) + len(prompts)
        room = width + 2 * self._max_new  # room for one more text, so that buffers are moved rarely
        cache = make_cache(self._model.config, room if is_first else width)
        if is_first:
            self._cache, self._begin, self._end, self._room = cache, 0, width, room
        elif self._end < width:
            self._move(width)
        padded = [[self._pad_id] * (width - len(ids)) + list(ids) for ids in prompts]
        lengths = torch.tensor([[len(ids)] for ids in prompts], dtype=torch.int64, device=self._device)  # (k, 1)
        starts = width - lengths
        columns = torch.arange(width, device=self._device)
        mask = (columns >= starts).long() if bool((starts > 0).any()) else None  # (k, width)
        ids = torch.tensor(padded, dtype=torch.int64, device=self._device)
        logits = self._read(ids, cache, mask, (columns - starts).clamp(min=0))
        if not is_first:
            for layer, joining in zip(self._cache.layers, cache.layers, strict=True):
                layer.join(joining)
        self._first = torch.cat([self._first, self._end - lengths])
        self._next = torch.cat([self._next, lengths])
        self._update_begin()
        return logits

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Reads the chosen tokens."""
        if self._end == self._room:
            self._move(self._end - self._begin)
        self._end += 1
        columns = torch.arange(self._begin, self._end, device=self._device)
        mask = (columns >= self._first).long() if self._is_padded else None  # attention is faster without a mask
        logits = self._read(tokens.unsqueeze(1), self._cache, mask, self._next)
        self._next = self._next + 1
        return logits

    def keep(self, kept: Sequence[int]) -> None:
        """Drops all rows except `kept`. Slot i then holds the former row `kept[i]`."""
        index = torch.tensor(kept, dtype=torch.int64, device=self._device)
        self._first, self._next = self._first[index], self._next[index]
        if kept:
            keep_rows(self._cache, kept, str(self._device))
            self._update_begin()

    def _update_begin(self) -> None:
        """Updates the column where the first row begins, and whether other rows begin later."""
        begin = int(self._first.min())
        if self.can_join:
            self._begin = begin
            for layer in self._cache.layers:
                layer.hide_before(begin)
        self._is_padded = bool((self._first > self._begin).any())

    def _move(self, end: int) -> None:
        """Moves the visible columns so that they end before column `end`, or before a later one if they are wider."""
        end = max(end, self._end - self._begin)
        self._room = end + self._max_new
        for layer in self._cache.layers:
            layer.move(self._max_rows, self._room, end)
        self._first += end - self._end
        self._begin, self._end = self._begin + end - self._end, end

    def _read(self, ids: torch.Tensor, cache: Any, mask: torch.Tensor | None, positions: torch.Tensor) -> torch.Tensor:
        inputs: dict[str, Any] = {"input_ids": ids, "past_key_values": cache, "use_cache": True}
        if mask is not None:
            inputs["attention_mask"] = mask
        if "position_ids" in self._forward_parameters:
            inputs["position_ids"] = positions + self._first_position
        if "logits_to_keep" in self._forward_parameters:
            inputs["logits_to_keep"] = 1
        return self._model(**inputs).logits[:, -1]  # type: ignore[no-any-return]

    @cached_property
    def _forward_parameters(self) -> frozenset[str]:
        return frozenset(inspect.signature(self._model.forward).parameters)

    @cached_property
    def _first_position(self) -> int:
        """Returns the first position: models like RoBERTa count from the id of the padding."""
        embeddings = getattr(self._model.base_model, "embeddings", None)
        padding = getattr(embeddings, "padding_idx", None)
        return 0 if padding is None else int(padding) + 1


class Seq2seqReader:
    """Reads prompts once, padded on the right; texts begin with the start token of the model."""

    can_join: bool = False  # a start token in a later column would get a later position

    def __init__(self, model: Any, pad_id: int, max_new: int) -> None:
        self._model, self._pad_id, self._room = model, pad_id, max_new + 1

    def join(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Reads prompts, and the start token."""
        ids, self._mask = pad(prompts, self._pad_id, str(self._model.device))  # (B, S), (B, S)
        config = self._model.config
        self._cache = EncoderDecoderCache(make_cache(config, self._room), make_cache(config, ids.shape[1]))
        encoder = self._model.get_encoder()
        self._states = encoder(input_ids=ids, attention_mask=self._mask).last_hidden_state  # (B, S, hidden)
        begin = config.decoder_start_token_id
        return self.step(torch.full((len(ids),), begin, dtype=torch.int64, device=ids.device))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Reads the chosen tokens."""
        from transformers.modeling_outputs import BaseModelOutput

        output = self._model(
            encoder_outputs=BaseModelOutput(last_hidden_state=self._states),
            attention_mask=self._mask,
            decoder_input_ids=tokens.unsqueeze(1),
            past_key_values=self._cache,
            use_cache=True,
        )
        return output.logits[:, -1]  # type: ignore[no-any-return]

    def keep(self, kept: Sequence[int]) -> None:
        """Drops all rows except `kept`. Slot i then holds the former row `kept[i]`."""
        index = torch.tensor(kept, dtype=torch.int64, device=self._mask.device)
        self._mask, self._states = self._mask[index], self._states[index]
        for cache in (self._cache.self_attention_cache, self._cache.cross_attention_cache):
            keep_rows(cache, kept, str(self._mask.device))
