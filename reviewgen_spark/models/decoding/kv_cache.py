"""Caches keys and values of a batch, in buffers with room for the whole text; rows leave and join.

The cache of transformers is concatenated at each token, which copies all of it. For 64 rows of 150 tokens and 6 layers
of 384, these are 180 MB per token. Here a token is written into the buffer. The last row overwrites a finished row.
Joining rows are written after the others, so that all rows end in the same column.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


class BufferedLayer(DynamicLayer):  # type: ignore[misc]
    """Caches one layer: `keys` and `values` (B, heads, T, size) are views of buffers with `room` columns."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room
        self._rows = self._begin = self._end = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Allocates the buffers, with type, device and shape of the first tokens."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._rows = len(key_states)
        self._buffers = [_buffer(states, self._rows, self._room) for states in (key_states, value_states)]
        self._set_views()
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes the next tokens (B, heads, new, size); returns keys and values of all tokens."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self._end + key_states.shape[2]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[: self._rows, :, self._end : end] = states
        self._end = end
        self._set_views()
        return self.keys, self.values

    def keep(self, kept: Sequence[int]) -> None:
        """Drops rows: slot i then holds the former row `kept[i]`. No kept row may be before its new slot."""
        if not self.is_initialized:
            return
        for buffer in self._buffers:
            for slot, row in enumerate(kept):
                if slot != row:
                    buffer[slot, :, self._begin : self._end] = buffer[row, :, self._begin : self._end]
        self._rows = len(kept)
        self._set_views()

    def hide_before(self, begin: int) -> None:
        """Hides the columns before `begin`, where no row has a token."""
        self._begin = begin
        self._set_views()

    def move(self, rows: int, room: int, end: int) -> None:
        """Moves to buffers of `rows` rows and `room` columns; the visible columns then end before column `end`."""
        begin = end - (self._end - self._begin)
        moved = [_buffer(buffer, rows, room) for buffer in self._buffers]
        for buffer, visible in zip(moved, (self.keys, self.values), strict=True):
            buffer[: self._rows, :, begin:end] = visible
        self._buffers, self._begin, self._end, self._room = moved, begin, end, room
        self._set_views()

    def join(self, other: "BufferedLayer") -> None:
        """Appends the rows of another cache. Their tokens end in the same column as those of the present rows."""
        rows, start = self._rows + len(other.keys), self._end - other.keys.shape[2]
        begin = min(self._begin, start)
        for buffer, states in zip(self._buffers, (other.keys, other.values), strict=True):
            # Masked values are multiplied by 0, and 0 times the infinite value of a broken row is NaN.
            buffer[: self._rows, :, begin : self._begin] = 0
            buffer[self._rows : rows, :, begin:start] = 0
            buffer[self._rows : rows, :, start : self._end] = states
        self._rows, self._begin = rows, begin
        self._set_views()

    def _set_views(self) -> None:
        self.keys, self.values = (buffer[: self._rows, :, self._begin : self._end] for buffer in self._buffers)


def _buffer(like: torch.Tensor, rows: int, room: int) -> torch.Tensor:
    """Returns an empty buffer for `rows` rows of `room` tokens, with the heads and size of `like`."""
    return like.new_empty((rows, like.shape[1], room, like.shape[3]))


def make_cache(config: Any, room: int) -> Cache:
    """Returns an empty cache of a decoder.

    Args:
        config: the configuration of the model.
        room: the number of tokens that fit before the cache must be moved, prompt included.
    """
    shape = config.get_text_config(decoder=True)
    kinds = getattr(shape, "layer_types", None) or ()
    if getattr(shape, "sliding_window", None) or any(kind != "full_attention" for kind in kinds):
        return DynamicCache(config=config)  # layers that drop tokens, or hold more than keys and values
    return Cache(layers=[BufferedLayer(room) for _ in range(shape.num_hidden_layers)])


def keep_rows(cache: Cache, kept: Sequence[int], device: str) -> None:
    """Drops the finished rows of a batch, as `BufferedLayer.keep` does."""
    for layer in cache.layers:
        if isinstance(layer, BufferedLayer):
            layer.keep(kept)
        else:
            layer.batch_select_indices(torch.tensor(kept, device=device))


def compact_rows(finished: Sequence[bool]) -> list[int]:
    """Returns the former row of each slot, after the last rows have moved to the slots of finished rows.

    >>> compact_rows([False, True, False, False])
    [0, 3, 2]
    >>> compact_rows([True, True])
    []
    """
    remaining = [row for row, is_finished in enumerate(finished) if not is_finished]
    count = len(remaining)
    last_rows = iter([row for row in remaining if row >= count])
    return [next(last_rows) if finished[slot] else slot for slot in range(count)]
