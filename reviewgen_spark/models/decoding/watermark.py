"""Marks generated texts with SynthID-Text (Dathathri et al. 2024). Only the owner of the keys can detect the mark.

The processor is part of transformers. `mean_g` computes the statistic of a detector that needs no training.
"""

from collections.abc import Sequence
from typing import Any


def make_watermark(keys: Sequence[int], ngram: int, device: str) -> Any:
    """Returns a logits processor for one batch.

    Args:
        keys: secret numbers, one per depth of the tournament; about 20 to 30 give the strongest mark.
        ngram: tokens that are hashed, the chosen one included.
        device: the device of the logits.
    """
    from transformers import SynthIDTextWatermarkingConfig

    return SynthIDTextWatermarkingConfig(ngram_len=ngram, keys=list(keys)).construct_processor(0, device)


def mean_g(ids: Sequence[int], keys: Sequence[int], ngram: int) -> float:
    """Computes the mean g-value of a text: 0.5 by chance, more if it was generated with these keys.

    Args:
        ids: the generated tokens of the text; at least `ngram`.
        keys: the keys of the generation.
        ngram: the setting of the generation.
    """
    import torch

    processor = make_watermark(keys, ngram, "cpu")
    tokens = torch.tensor([list(ids)])  # (1, T)
    values = processor.compute_g_values(tokens).float().mean(-1)  # (1, T - ngram + 1)
    # Repeated contexts were not marked.
    fresh = processor.compute_context_repetition_mask(tokens).float()
    return float((values * fresh).sum() / fresh.sum())
