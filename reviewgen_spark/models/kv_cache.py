"""Keys and values of a batch that is being written: buffers with room for the whole text, and rows that leave.

transformers' own cache is joined anew at each token, which copies all of it: at 64 rows of 150 tokens and 6 layers of
384, 180 MB a token. Here a token is written in its place, and a row that is finished is overwritten by the last one.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer


class BufferedLayer(DynamicLayer):  # type: ignore[misc]
    """One layer: `keys` and `values` (B, heads, T, size) are views of buffers of `room` tokens."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room
        self._length = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Take the buffers: type, device and shape are those of the first tokens."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._buffers = [
            states.new_empty((states.shape[0], states.shape[1], self._room, states.shape[3]))
            for states in (key_states, value_states)
        ]
        self._show()
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the next tokens (B, heads, new, size); returns keys and values of all so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self._length + key_states.shape[2]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self._length : end] = states
        self._length = end
        self._show()
        return self.keys, self.values

    def keep(self, kept: Sequence[int]) -> None:
        """Drop rows: place i then holds what was row `kept[i]`. No kept row may stand before its new place."""
        if not self.is_initialized:
            return
        moved = [(place, row) for place, row in enumerate(kept) if place != row]
        for index, buffer in enumerate(self._buffers):
            for place, row in moved:
                buffer[place, :, : self._length] = buffer[row, :, : self._length]
            self._buffers[index] = buffer[: len(kept)]
        self._show()

    def _show(self) -> None:
        self.keys, self.values = (buffer[:, :, : self._length] for buffer in self._buffers)


def make_cache(config: Any, room: int) -> Cache:
    """An empty cache of a decoder for texts of at most `room` tokens, prompt included.

    Args:
        config: of the model.
        room: tokens.
    """
    shape = config.get_text_config(decoder=True)
    kinds = getattr(shape, "layer_types", None) or ()
    if getattr(shape, "sliding_window", None) or any(kind != "full_attention" for kind in kinds):
        return DynamicCache(config=config)  # layers that forget, or keep other things than keys and values
    return Cache(layers=[BufferedLayer(room) for _ in range(shape.num_hidden_layers)])


def keep_rows(cache: Cache, kept: Sequence[int], device: str) -> None:
    """Drop the rows of a batch that are finished, as `BufferedLayer.keep` does."""
    for layer in cache.layers:
        if isinstance(layer, BufferedLayer):
            layer.keep(kept)
        else:
            layer.batch_select_indices(torch.tensor(kept, device=device))


def fill_holes(finished: Sequence[bool]) -> list[int]:
    """Where the rows that go on come from, the last ones filling the places of the finished.

    >>> fill_holes([False, True, False, False])
    [0, 3, 2]
    >>> fill_holes([True, True])
    []
    """
    left = [row for row, is_finished in enumerate(finished) if not is_finished]
    count = len(left)
    movers = iter([row for row in left if row >= count])
    return [next(movers) if finished[place] else place for place in range(count)]
