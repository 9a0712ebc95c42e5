"""SynthID-Text (Dathathri et al. 2024): a text's choice of words says who wrote it, to whom has the keys.

The processor is transformers' own; `mean_g` is the statistic of a detector without training.
"""

from collections.abc import Sequence
from typing import Any


def make_watermark(keys: Sequence[int], ngram: int, device: str) -> Any:
    """A logits processor for one batch.

    Args:
        keys: secret numbers, one a depth of the tournament; some 20 to 30 of them mark best.
        ngram: tokens whose hash decides, the chosen one included.
        device: of the logits.
    """
    from transformers import SynthIDTextWatermarkingConfig

    return SynthIDTextWatermarkingConfig(ngram_len=ngram, keys=list(keys)).construct_processor(0, device)


def mean_g(ids: Sequence[int], keys: Sequence[int], ngram: int) -> float:
    """The mean g-value of a text: 0.5 by chance, more where it was written under these keys.

    Args:
        ids: the text's tokens as they were written; at least `ngram` of them.
        keys: as it was written with.
        ngram: the same.
    """
    import torch

    processor = make_watermark(keys, ngram, "cpu")
    tokens = torch.tensor([list(ids)])  # (1, T)
    values = processor.compute_g_values(tokens).float().mean(-1)  # (1, T - ngram + 1)
    # A context that comes again was not marked.
    fresh = processor.compute_context_repetition_mask(tokens).float()
    return float((values * fresh).sum() / fresh.sum())
