"""Prepares a classifier for fast prediction: precision, device, attention and packed weights.

Measured on one core (AMD, AVX-512) with matrices of 384 x 1536, in GFLOP/s (docs/experiments.md):

    float32         115 for torch's linear layer (MKL), 265 for oneDNN with packed weights
    bfloat16        460 without and 520 with packed weights, both oneDNN
    dynamic int8    790
"""

import platform
import sys
import warnings
from typing import Any, Literal

import torch

from reviewgen_spark.errors import ConfigError

Precision = Literal["float32", "bfloat16", "int8"]


class PackedLinear(torch.nn.Module):
    """Computes a linear layer whose weights oneDNN packed once for this CPU: (..., in) -> (..., out)."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features, self.bias = linear.in_features, linear.out_features, linear.bias
        self.weight: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(linear.weight)  # opaque to torch

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Multiplies and adds the bias."""
        output: torch.Tensor = torch.ops.mkldnn._linear_pointwise(values, self.weight, self.bias, "none", [], "")
        return output


def prepare(model: Any, device: str, precision: Precision, compiled: bool = False) -> Any:
    """Prepares a classifier with mapped weights for prediction; returns it or its replacement.

    Each worker has its own copy of packed, 16-bit and 8-bit weights. The workers of a node share the rest of the
    mapped file, which is the embeddings in float32.

    Args:
        model: the result of `load_classifier`.
        device: `cpu` or `cuda`.
        precision: the type of weights and activations. `int8` multiplies linear layers in 8 bits; the rest stays
            float32. It scales inputs per batch, so a score depends slightly on the other texts of the batch.
        compiled: uses torch.compile. The first batches take seconds to minutes, and a C++ compiler is needed.

    Raises:
        ConfigError: the precision is int8 on a GPU.
    """
    if precision == "int8" and device != "cpu":
        raise ConfigError("label.precision: 'int8' is for CPUs; use 'bfloat16' on a GPU, or label.device 'cpu'")
    model.eval()
    if precision == "bfloat16":
        model.to(torch.bfloat16)
    model.to(device)
    if device == "cpu":
        # For short texts, 16-bit attention takes 2.9 ms as two products and 4.4 ms in torch's fused kernel.
        model.set_attn_implementation("eager" if precision == "bfloat16" else "sdpa")
    if precision == "int8":
        model = quantise(model)
    elif device == "cpu" and not compiled and can_pack(precision):  # torch.compile packs by itself
        pack(model)
    return torch.compile(model, dynamic=True) if compiled else model


def can_pack(precision: Precision) -> bool:
    """Returns whether oneDNN can use packed weights on this CPU in this precision."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return precision == "float32" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pack(module: torch.nn.Module) -> None:
    """Replaces every linear layer in a module by a packed one; the weights of GPT-2 are transposed."""
    # A model with such a layer has imported it. For other models the import would cost a worker seconds.
    conv1d = getattr(sys.modules.get("transformers.pytorch_utils"), "Conv1D", None)
    for name, child in module.named_children():
        if type(child) is torch.nn.Linear:
            setattr(module, name, PackedLinear(child))
        elif type(child) is conv1d:
            setattr(module, name, PackedLinear(_to_linear(child)))
        else:
            pack(child)


def _to_linear(layer: Any) -> torch.nn.Linear:
    """Returns a `Conv1D` of transformers, whose weight is (in, out), as a linear layer."""
    linear = torch.nn.Linear(layer.nx, layer.nf, device="meta")
    linear.weight = torch.nn.Parameter(layer.weight.t().contiguous(), requires_grad=False)
    linear.bias = layer.bias
    return linear


def quantise(model: Any) -> Any:
    """Quantises linear layers to dynamic int8: weights per output channel, inputs per batch."""
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates it in favour of torchao, which needs a compiler
        return quantize_dynamic(model, {torch.nn.Linear: per_channel_dynamic_qconfig}, inplace=True)  # type: ignore[no-untyped-call]
