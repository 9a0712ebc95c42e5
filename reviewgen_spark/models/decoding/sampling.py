"""Chooses the next token of each row of a batch, with a random generator per row.

A row draws one uniform number per token from a Philox generator (Salmon et al. 2011). The numbers depend only on the
seed of the row. The kept tokens are ordered by id, and the row takes the one whose cumulative probability passes the
number. Other rows of a batch change logits only in the last bits, so they do not change the text. An order by
probability could change the text, because nearly equal tokens change their order.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch

NUCLEUS = 256  # this number of tokens is sorted first, because they nearly always have top_p of the probability


class Decoding(Protocol):
    """Describes how a token is chosen: the section `generation.decoding`."""

    @property
    def temperature(self) -> float:
        """Returns the divisor of logits; 0 takes the most probable token."""

    @property
    def top_k(self) -> int:
        """Returns how many of the most probable tokens are kept; 0 for all."""

    @property
    def top_p(self) -> float:
        """Returns the total probability of the most probable tokens that are kept."""

    @property
    def repetition_penalty(self) -> float:
        """Returns the penalty for tokens that the text already has (Keskar et al. 2019); 1 for none."""

    @property
    def no_repeat_ngram(self) -> int:
        """Returns the length of the runs of tokens that may not occur twice in a text; 0 for no limit."""

    @property
    def min_new_tokens(self) -> int:
        """Returns the least number of tokens of a text."""

    @property
    def max_new_tokens(self) -> int:
        """Returns the greatest number of tokens of a text."""


class Sampler:
    """Chooses the next token of each row, and stores the tokens of each row."""

    def __init__(
        self, decoding: Decoding, end_id: int, banned: Sequence[int], device: str, watermark: Any = None
    ) -> None:
        """Initialises the state without rows.

        Args:
            decoding: how a token is chosen.
            end_id: the token that ends a text.
            banned: tokens that are never chosen.
            device: the device of the logits.
            watermark: a logits processor of transformers, applied last; it has the state of one batch.
        """
        self._decoding, self._end_id, self._watermark = decoding, end_id, watermark
        self._banned = torch.tensor(banned, dtype=torch.int64, device=device)
        length = decoding.max_new_tokens
        self._draws = torch.empty((0, length), dtype=torch.float64, device=device)  # (B, max_new_tokens)
        self._written = torch.empty((0, length), dtype=torch.int64, device=device)  # (B, max_new_tokens)
        self._steps = torch.empty((0, 1), dtype=torch.int64, device=device)  # (B, 1), number of tokens of a row
        self._runs: list[_Runs] = []

    def join(self, seeds: Sequence[int]) -> None:
        """Appends rows, each with its seed."""
        length = self._draws.shape[1]
        draws = np.stack([np.random.Generator(np.random.Philox(seed)).random(length) for seed in seeds])
        self._draws = torch.cat([self._draws, torch.from_numpy(draws).to(self._draws.device)])
        self._written = torch.cat([self._written, self._written.new_zeros((len(seeds), length))])
        self._steps = torch.cat([self._steps, self._steps.new_zeros((len(seeds), 1))])
        self._runs += [_Runs(self._decoding.no_repeat_ngram) for _ in seeds]
        state = None if self._watermark is None else self._watermark.state
        if state is not None:
            state.context, state.context_history = (
                torch.cat([states, states.new_zeros((len(seeds), states.shape[1]))])
                for states in (state.context, state.context_history)
            )

    def choose(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Chooses from logits (B, V), which it changes.

        Returns:
            The tokens (B,), and whether the highest logit of a row is not finite (B,).
        """
        logits = self._penalise(logits.float())
        if self._decoding.temperature == 0 and self._watermark is None:
            best, tokens = logits.max(dim=1)  # (B,), (B,)
        else:
            if self._decoding.temperature:
                logits /= self._decoding.temperature
            values, ids = keep_likely(logits, self._decoding.top_k, self._decoding.top_p)  # (B, K), (B, K)
            if self._watermark is not None:
                values = self._apply_watermark(logits, values, ids)
            best = values.amax(dim=1)
            tokens = draw(values, ids, self._draws.gather(1, self._steps).squeeze(1))
        is_broken = ~torch.isfinite(best)
        tokens = torch.where(is_broken, self._end_id, tokens)
        # The first token of a row also fills its later columns, so that all their tokens are in the row.
        self._written = torch.where(self._steps == 0, tokens.unsqueeze(1), self._written)
        self._written.scatter_(1, self._steps, tokens.unsqueeze(1))
        self._steps = self._steps + 1
        if self._decoding.no_repeat_ngram:
            for runs, token in zip(self._runs, tokens.tolist(), strict=True):
                runs.add(token)
        return tokens, is_broken

    def keep(self, kept: Sequence[int]) -> None:
        """Drops all rows except `kept`. Slot i then holds the former row `kept[i]`."""
        index = torch.tensor(kept, dtype=torch.int64, device=self._draws.device)
        self._draws, self._written, self._steps = self._draws[index], self._written[index], self._steps[index]
        self._runs = [self._runs[row] for row in kept]
        if self._watermark is not None:
            state = self._watermark.state
            state.context, state.context_history = state.context[index], state.context_history[index]

    def _penalise(self, logits: torch.Tensor) -> torch.Tensor:
        """Excludes forbidden tokens and penalises repeated ones.

        Tokens of the prompt are not penalised, because a text should contain them.
        """
        logits.index_fill_(1, self._banned, -torch.inf)
        if self._decoding.min_new_tokens:
            is_early = self._steps[:, 0] < self._decoding.min_new_tokens
            logits[:, self._end_id].masked_fill_(is_early, -torch.inf)
        penalty = self._decoding.repetition_penalty
        if penalty != 1:
            written = self._written[:, : int(self._steps.max())]  # (B, tokens of the longest text)
            written_logits = logits.gather(1, written)
            penalised = torch.where(written_logits > 0, written_logits / penalty, written_logits * penalty)
            logits.scatter_(1, written, torch.where(self._steps > 0, penalised, written_logits))
        if self._decoding.no_repeat_ngram:
            for row, runs in enumerate(self._runs):
                if repeats := runs.repeats():
                    logits[row, repeats] = -torch.inf
        return logits

    def _apply_watermark(self, logits: torch.Tensor, values: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        all_logits = torch.full_like(logits, -torch.inf).scatter_(1, ids, values)  # (B, V)
        last = self._written.gather(1, (self._steps - 1).clamp(min=0))  # (B, 1); 0 for a row without tokens
        return self._watermark(last, all_logits).gather(1, ids)  # type: ignore[no-any-return]


def keep_likely(logits: torch.Tensor, top_k: int, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the tokens that may be drawn: logits (B, K), -inf for excluded tokens, and ascending ids (B, K).

    Args:
        logits: (B, V).
        top_k: how many of the most probable tokens are kept; 0 for all.
        top_p: of these tokens, the most probable ones with this share of their probability are kept, at least one.
    """
    size = logits.shape[1]
    if top_k and top_k < size:
        values, ids = logits.topk(top_k, dim=1)
        total = values.logsumexp(1, keepdim=True)
    elif top_p >= 1:
        return logits, torch.arange(size, device=logits.device).expand_as(logits)
    else:
        total = logits.logsumexp(1, keepdim=True)
        values, ids = logits.topk(min(NUCLEUS, size), dim=1)
        if bool(((values - total).exp().sum(1) < top_p).any()):
            values, ids = logits.sort(dim=1, descending=True)
    if top_p < 1:
        shares = (values - total).exp()  # (B, K)
        probability_before = shares.cumsum(1) - shares
        probability_before[:, 0] = 0
        values = values.masked_fill(probability_before >= top_p, -torch.inf)
    ids, order = ids.sort(dim=1)
    return values.gather(1, order), ids


def draw(values: torch.Tensor, ids: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Returns (B,) the token where the cumulative probability of logits (B, K) passes a uniform number (B,)."""
    edges = values.double().softmax(1).cumsum(1)  # (B, K)
    indices = (edges <= (uniform * edges[:, -1]).unsqueeze(1)).sum(1).clamp(max=values.shape[1] - 1)
    return ids.gather(1, indices.unsqueeze(1)).squeeze(1)


class _Runs:
    """Stores the runs of `size` tokens of a text."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tokens: list[int] = []
        self._next: dict[tuple[int, ...], list[int]] = {}

    def add(self, token: int) -> None:
        self._tokens.append(token)
        if len(self._tokens) >= self._size:
            *start, last = self._tokens[-self._size :]
            self._next.setdefault(tuple(start), []).append(last)

    def repeats(self) -> list[int]:
        """Returns the tokens that would complete a run that the text already has."""
        start = self._tokens[len(self._tokens) - self._size + 1 :] if self._size > 1 else []
        return self._next.get(tuple(start), []) if len(start) == self._size - 1 else []
