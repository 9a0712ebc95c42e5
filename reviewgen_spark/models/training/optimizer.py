"""How weights are moved: settings of a training, its optimiser and its learning rate."""

from dataclasses import dataclass, fields
from typing import Any, Literal

import torch

from reviewgen_spark.config import TrainingSection


@dataclass(frozen=True)
class LoopSettings:
    """How weights are moved; sections of the configuration say what each field means and allows."""

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
    """What a section says of the loop; what it has no key for stays as it is by default."""
    told = {item.name: getattr(section, item.name) for item in fields(LoopSettings) if hasattr(section, item.name)}
    return LoopSettings(
        **{**told, "stage": stage, "precision": choose_precision(section.precision, device), "device": device}
    )


def choose_precision(precision: str, device: str) -> str:
    """Resolve `auto`: bfloat16 where the hardware multiplies it, for elsewhere it is emulated and slower."""
    if precision != "auto":
        return precision
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    capabilities = torch.cpu.get_capabilities()
    return "bfloat16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "float32"


def rate(schedule: str, step: int, warmup: int, steps: int) -> float:
    """The share of the learning rate at a step, counted from 0.

    All rise in `warmup` steps. Then `linear` falls to 0 (Devlin et al. 2019, A.3), `constant` stays, and so does
    `plateau`, which is halved after each epoch that is no better (as Keras' ReduceLROnPlateau).
    """
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (steps - step) / max(1, steps - warmup)) if schedule == "linear" else 1.0


def make_optimizer(model: Any, settings: LoopSettings) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), or Adam, where decay is an L2 penalty that joins the gradient.

    Biases and layer norms do not decay, as in BERT's own training. Word embeddings have a rate of their own: they are
    most of a small model's weights, and each is met in few batches. A rate of 0 freezes them.
    """
    embeddings = model.get_input_embeddings().weight
    if settings.embedding_rate == 0:
        embeddings.requires_grad_(False)
    own = [embeddings]
    if not embeddings.is_leaf:  # peft adds up the base's embeddings and those of new tokens, which alone are trained
        own = [p for name, p in model.named_parameters() if "trainable_tokens_delta" in name]
    others = [p for p in model.parameters() if p.requires_grad and all(p is not one for one in own)]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
    ]
    if embeddings.requires_grad:
        speed = settings.learning_rate * settings.embedding_rate
        groups.append({"params": own, "weight_decay": settings.weight_decay, "lr": speed})
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[settings.optimizer]
    optimizer: torch.optim.Optimizer = kind(
        [group for group in groups if group["params"]], lr=settings.learning_rate, fused=True
    )
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer
