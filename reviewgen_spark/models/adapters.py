"""Which of a classifier's weights are trained: all, the head alone, or a few new ones that are merged in afterwards.

LoRA (Hu et al. 2022) and AdaLoRA (Zhang et al. 2023) by `peft`. Once merged, a model is the plain classifier that it
was before, so nothing else of the product knows of adapters.
"""

from collections.abc import Callable
from typing import Any, Literal

from reviewgen_spark.errors import ConfigError, MissingExtraError

Method = Literal["full", "frozen", "lora", "adalora"]
HEAD_PARTS = ("classifier", "pooler", "pre_classifier", "score")  # by the names that transformers gives them
# Hu et al. (2022), section 7.1: with a given number of weights, queries and values are where they serve best.
TARGETS = ("query", "value")


def apply_adapter(model: Any, method: Method, rank: int, steps: int) -> tuple[Any, Callable[[int], None] | None]:
    """Make only some of a classifier's weights trainable.

    Args:
        model: a sequence classifier of transformers.
        method: which weights.
        rank: of the added matrices; AdaLoRA starts with half as much again and spends it where it serves.
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
