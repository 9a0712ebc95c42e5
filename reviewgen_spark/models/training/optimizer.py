"""Sets up optimisation: the settings of a training, its optimiser and its learning rate."""

from dataclasses import dataclass, fields
from typing import Any, Literal

import torch

from reviewgen_spark.config import TrainingSection


@dataclass(frozen=True)
class LoopSettings:
    """Holds the settings of the training loop. The sections of the configuration define each field and its values."""

    stage: str
    epochs: int
    learning_rate: float
    optimizer: Literal["adamw", "adam"] = "adamw"
    schedule: Literal["linear", "plateau", "constant"] = "linear"
    weight_decay: float = 0.01
    warmup_pct: float = 10
    max_grad_norm: float = 1.0
    accumulate: int = 1
    embedding_rate: float = 1.0
    patience: int = 2
    precision: str = "float32"
    device: str = "cpu"
    seed: int = 42
    compile: bool = False


def loop_settings(stage: str, section: TrainingSection, device: str) -> LoopSettings:
    """Reads the settings of the loop from a section; keys that it lacks keep their defaults."""
    values = {item.name: getattr(section, item.name) for item in fields(LoopSettings) if hasattr(section, item.name)}
    return LoopSettings(
        **{**values, "stage": stage, "precision": choose_precision(section.precision, device), "device": device}
    )


def choose_precision(precision: str, device: str) -> str:
    """Resolves `auto`: bfloat16 if the hardware supports it, because emulation is slower than float32."""
    if precision != "auto":
        return precision
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    capabilities = torch.cpu.get_capabilities()
    return "bfloat16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "float32"


def rate(schedule: str, step: int, warmup: int, steps: int) -> float:
    """Returns the share of the learning rate at a step, counted from 0.

    All schedules rise during `warmup` steps. Then `linear` falls to 0 (Devlin et al. 2019, A.3) and `constant` does not
    change. `plateau` is halved after each epoch without improvement, as in Keras' ReduceLROnPlateau.
    """
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (steps - step) / max(1, steps - warmup)) if schedule == "linear" else 1.0


def make_optimizer(model: Any, settings: LoopSettings) -> torch.optim.Optimizer:
    """Returns AdamW (Loshchilov and Hutter 2019), or Adam, whose decay is an L2 penalty added to the gradient.

    Biases and layer norms do not decay, as in BERT's own training. Word embeddings have a separate rate: they are most
    weights of a small model, and each occurs in few batches. A rate of 0 freezes them.
    """
    embeddings = model.get_input_embeddings().weight
    if settings.embedding_rate == 0:
        embeddings.requires_grad_(False)
    trained_embeddings = [embeddings]
    if not embeddings.is_leaf:  # peft adds embeddings of new tokens to the base's; only the new ones are trained
        trained_embeddings = [weight for name, weight in model.named_parameters() if "trainable_tokens_delta" in name]
    others = [
        weight
        for weight in model.parameters()
        if weight.requires_grad and all(weight is not embedding for embedding in trained_embeddings)
    ]
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in others if weight.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [weight for weight in others if weight.ndim < 2], "weight_decay": 0.0},
    ]
    if embeddings.requires_grad:
        learning_rate = settings.learning_rate * settings.embedding_rate
        groups.append({"params": trained_embeddings, "weight_decay": settings.weight_decay, "lr": learning_rate})
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[settings.optimizer]
    optimizer: torch.optim.Optimizer = kind(
        [group for group in groups if group["params"]], lr=settings.learning_rate, fused=True
    )
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer
