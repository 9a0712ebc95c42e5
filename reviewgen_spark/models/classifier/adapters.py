"""Selects which weights of a classifier are trained: all, only the head, or a few new ones.

LoRA (Hu et al. 2022) and AdaLoRA (Zhang et al. 2023) come from `peft`. They are merged after training, so the result
is a plain classifier again. Bottleneck adapters (Houlsby et al. 2019) are not in `peft` and stay in the model.
`reviewgen.json` records them, and `classifier.loading` inserts them before it loads the weights.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch

from reviewgen_spark.errors import ConfigError, MissingExtraError

Method = Literal["full", "frozen", "lora", "adalora", "bottleneck"]
HEAD_PARTS = ("classifier", "pooler", "pre_classifier", "score")  # their names in transformers
# Hu et al. (2022), section 7.1: for a given number of weights, queries and values give the best results.
TARGETS = ("query", "value")
# The names of BERT-like models for the end of attention and of the feed-forward part: a projection, dropout, then the
# norm of the sum with the input.
SUBLAYER_END = ("dense", "dropout", "LayerNorm")


class Bottleneck(torch.nn.Module):
    """Projects to a few dimensions, applies GELU, projects back and adds the input. A new adapter changes nothing.

    Source: Houlsby et al., Parameter-Efficient Transfer Learning for NLP (2019), section 2.1 and figure 2.
    """

    def __init__(self, dropout: torch.nn.Module, width: int, size: int) -> None:
        """Wraps the dropout that it replaces, which is applied first.

        Args:
            dropout: the replaced dropout.
            width: the width of the model.
            size: the width of the bottleneck.
        """
        super().__init__()
        self.dropout = dropout
        self.down = torch.nn.Linear(width, size)
        self.up = torch.nn.Linear(size, width)
        # Section 3.6: standard deviation 0.01, truncated at twice that; results are worse from 0.1 on.
        torch.nn.init.trunc_normal_(self.down.weight, std=0.01, a=-0.02, b=0.02)
        for parameter in (self.down.bias, self.up.weight, self.up.bias):
            torch.nn.init.zeros_(parameter)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Computes (B, T, width) -> (B, T, width)."""
        hidden = self.dropout(hidden)
        narrow = torch.nn.functional.gelu(self.down(hidden))  # (B, T, size)
        widened: torch.Tensor = self.up(narrow)  # (B, T, width)
        return hidden + widened


def apply_adapter(model: Any, method: Method, rank: int, steps: int) -> tuple[Any, Callable[[int], None] | None]:
    """Makes only some weights of a classifier trainable.

    Args:
        model: a sequence classifier of transformers.
        method: selects the weights.
        rank: the rank of the added matrices. AdaLoRA starts with 1.5 times this rank and removes the least useful
            part. For bottleneck adapters, it is their width.
        steps: the number of steps of the whole training, for AdaLoRA's schedule.

    Returns:
        The model to train, and the function to call with the number of each step, or None.

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
    """Returns the plain classifier, with the added matrices merged into its weights."""
    return model.merge_and_unload() if method in ("lora", "adalora") else model


def insert_bottlenecks(model: Any, size: int) -> Any:
    """Inserts an adapter after attention and after the feed-forward part of each layer, in place; returns the model.

    Every weight of the base keeps its name, because an adapter replaces the dropout and contains it.

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
    """Trains adapters, layer norms and the head; freezes the rest (Houlsby et al. 2019, section 2.1)."""
    trained = {*HEAD_PARTS, "LayerNorm", "down", "up"}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(bool(trained & set(name.split("."))))
    return model
