"""Defines encoders and the shapes of new ones, and wraps tokenizers."""

from dataclasses import dataclass
from typing import Any

from reviewgen_spark.errors import ConfigError


@dataclass(frozen=True)
class Shape:
    """Holds the layers, the width and the heads of a BERT; its feed-forward part is 4 times as wide."""

    layers: int
    hidden: int
    heads: int


# Each head is 64 wide, as in BERT. `tiny` and `medium` are Google's miniatures (Turc et al. 2019, Well-Read Students
# Learn Better); `small` is their `mini`.
SCRATCH_SHAPES = {
    "tiny": Shape(2, 128, 2),
    "small": Shape(4, 256, 4),
    "medium": Shape(8, 512, 8),
    "base": Shape(12, 768, 12),
}


@dataclass(frozen=True)
class Encoder:
    """Holds a fast tokenizer and a sequence classifier of transformers, to be fine-tuned."""

    tokenizer: Any
    model: Any


def find_shape(size: str) -> Shape:
    """Returns the shape of `scratch:<size>`.

    Raises:
        ConfigError: there is no such size.
    """
    if size not in SCRATCH_SHAPES:
        raise ConfigError(
            f"models.base: 'scratch:{size}': unknown size; choose one of "
            + ", ".join(f"scratch:{name}" for name in SCRATCH_SHAPES)
        )
    return SCRATCH_SHAPES[size]


def wrap_tokenizer(backend: Any, max_tokens: int, **specials: str) -> Any:
    """Wraps a `tokenizers.Tokenizer` as a tokenizer of transformers, which `save_pretrained` needs."""
    from transformers import PreTrainedTokenizerFast

    defaults = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=max_tokens, **{**defaults, **specials})
