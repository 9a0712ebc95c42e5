"""Which of a classifier's weights are trained: all, the head alone, or a few new ones.

LoRA (Hu et al. 2022) and AdaLoRA (Zhang et al. 2023) by `peft`. Once merged, a model is the plain classifier that it
was before, so nothing else of the product knows of them. Bottleneck adapters (Houlsby et al. 2019), which `peft` does
not have, stay in the model: `reviewgen.json` names them, and `models.predictor` puts them in place before it loads.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch

from reviewgen_spark.errors import ConfigError, MissingExtraError

Method = Literal["full", "frozen", "lora", "adalora", "bottleneck"]
HEAD_PARTS = ("classifier", "pooler", "pre_classifier", "score")  # by the names that transformers gives them
# Hu et al. (2022), section 7.1: with a given number of weights, queries and values are where they serve best.
TARGETS = ("query", "value")
# What BERT and its kin call the end of attention and of the feed-forward part: a projection, dropout, then the norm of
# the sum with what came in.
SUBLAYER_END = ("dense", "dropout", "LayerNorm")


class Bottleneck(torch.nn.Module):
    """Down to a few dimensions, GELU, up again, added to what came in; a fresh one passes everything on as it was.

    Source: Houlsby et al., Parameter-Efficient Transfer Learning for NLP (2019), section 2.1 and figure 2.
    """

    def __init__(self, dropout: torch.nn.Module, width: int, size: int) -> None:
        """Take the place of a dropout, which comes first.

        Args:
            dropout: what stood there.
            width: of the model.
            size: of the bottleneck.
        """
        super().__init__()
        self.dropout = dropout
        self.down = torch.nn.Linear(width, size)
        self.up = torch.nn.Linear(size, width)
        # Section 3.6: a standard deviation of 0.01, cut at two of them; from 0.1 on, results fall.
        torch.nn.init.trunc_normal_(self.down.weight, std=0.01, a=-0.02, b=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            torch.nn.init.zeros_(zero)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(B, T, width) -> (B, T, width)."""
        hidden = self.dropout(hidden)
        narrow = torch.nn.functional.gelu(self.down(hidden))  # (B, T, size)
        widened: torch.Tensor = self.up(narrow)  # (B, T, width)
        return hidden + widened


def apply_adapter(model: Any, method: Method, rank: int, steps: int) -> tuple[Any, Callable[[int], None] | None]:
    """Make only some of a classifier's weights trainable.

    Args:
        model: a sequence classifier of transformers.
        method: which weights.
        rank: of the added matrices; AdaLoRA starts with half as much again and spends it where it serves. The width of
            bottleneck adapters.
        steps: of the whole training, for AdaLoRA's schedule.

    Returns:
        The model to train, and what is to be called with the number of each step, if anything.

    Raises:
        ConfigError: the model has no such layers.
        MissingExtraError: peft is not installed.
    """
    if method == "full":
        return model, None
    if method == "frozen":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(any(part in name.split(".") for part in HEAD_PARTS))
        return model, None
    if method == "bottleneck":
        return _train_bottlenecks(insert_bottlenecks(model, rank)), None
    try:
        from peft import AdaLoraConfig, LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingExtraError(
            f"finetune.method: '{method}' needs peft, which is not installed; install reviewgen-spark[train]"
        ) from error
    heads = [part for part in HEAD_PARTS if any(part in name.split(".") for name, _module in model.named_modules())]
    shared = {"task_type": "SEQ_CLS", "target_modules": list(TARGETS), "modules_to_save": heads, "lora_dropout": 0.0}
    try:
        if method == "lora":
            return get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, **shared)), None
        config = AdaLoraConfig(
            init_r=rank + rank // 2,
            target_r=rank,
            lora_alpha=2 * rank,
            tinit=steps // 10,
            tfinal=steps // 5,
            deltaT=10,
            total_step=steps,
            **shared,
        )
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise ConfigError(
            f"finetune.method: '{method}' adapts layers named {' and '.join(TARGETS)}, which this base does not have; "
            "use full or frozen"
        ) from error
    return adapted, adapted.base_model.update_and_allocate


def merge_adapter(model: Any, method: Method) -> Any:
    """The plain classifier, with what was added merged into its weights."""
    return model.merge_and_unload() if method in ("lora", "adalora") else model


def insert_bottlenecks(model: Any, size: int) -> Any:
    """Put an adapter after the attention and after the feed-forward part of each layer, in place; returns the model.

    Every weight of the base keeps its name: an adapter takes the place of the dropout that it follows.

    Raises:
        ConfigError: the model has no such layers.
    """
    ends = [
        module
        for name, module in model.named_modules()
        if name.split(".")[-1] == "output" and all(hasattr(module, part) for part in SUBLAYER_END)
    ]
    if not ends:
        raise ConfigError(
            f"finetune.method: 'bottleneck' adapts layers that end in {', '.join(SUBLAYER_END)}, which this base does "
            "not have; use full or frozen"
        )
    for end in ends:
        end.dropout = Bottleneck(end.dropout, end.dense.out_features, size)
    return model


def _train_bottlenecks(model: Any) -> Any:
    """Adapters, layer norms and the head learn, the rest is frozen (Houlsby et al. 2019, section 2.1)."""
    trained = {*HEAD_PARTS, "LayerNorm", "down", "up"}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(bool(trained & set(name.split("."))))
    return model
