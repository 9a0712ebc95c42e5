"""How a loaded classifier is made to run fast where it is: precision, device, attention, the layout of its weights.

Measured on one core (AMD, AVX-512), matrices of 384 x 1536: in float32 torch's own linear layer, which is MKL's,
multiplies at 115 GFLOP/s and oneDNN with packed weights at 265; in bfloat16 oneDNN does both, at 460 and 520, and in
dynamic int8 at 790 (docs/experiments.md).
"""

import platform
import sys
import warnings
from typing import Any, Literal

import torch

from reviewgen_spark.errors import ConfigError

Precision = Literal["float32", "bfloat16", "int8"]


class PackedLinear(torch.nn.Module):
    """A linear layer whose weights oneDNN laid out once for this CPU. Input (..., in), output (..., out)."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features, self.bias = linear.in_features, linear.out_features, linear.bias
        self.weight: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(linear.weight)  # opaque to torch

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Multiply and add the bias."""
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(values, self.weight, self.bias, "none", [], "")
        return found


def prepare(model: Any, device: str, precision: Precision, compiled: bool = False) -> Any:
    """Make a classifier on mapped weights ready to predict; returns it, or what takes its place.

    Packed, 16-bit and 8-bit weights are a worker's own. What is left of the mapped file, in float32 the embeddings,
    stays shared by the workers of a node.

    Args:
        model: what `load_classifier` returned.
        device: `cpu` or `cuda`.
        precision: of weights and activations. `int8` multiplies linear layers in 8 bits and scales their inputs batch
            by batch, so a score depends a little on the texts beside it; the rest stays float32.
        compiled: by torch.compile; seconds to minutes at the first batches, and a C++ compiler on the machine.

    Raises:
        ConfigError: int8 on a GPU.
    """
    if precision == "int8" and device != "cpu":
        raise ConfigError("label.precision: 'int8' is for CPUs; use 'bfloat16' on a GPU, or label.device 'cpu'")
    model.eval()
    if precision == "bfloat16":
        model.to(torch.bfloat16)
    model.to(device)
    if device == "cpu":
        # For short texts: attention in 16 bits takes 2.9 ms written out, 4.4 in torch's fused kernel.
        model.set_attn_implementation("eager" if precision == "bfloat16" else "sdpa")
    if precision == "int8":
        model = quantise(model)
    elif device == "cpu" and not compiled and packs(precision):  # a compiler packs by itself
        pack(model)
    return torch.compile(model, dynamic=True) if compiled else model


def packs(precision: Precision) -> bool:
    """Whether this CPU's oneDNN multiplies by packed weights in this precision."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return precision == "float32" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pack(module: torch.nn.Module) -> None:
    """Replace every linear layer within a module by a packed one; GPT-2's are written the other way round."""
    # Who has such a layer has imported it; importing it for others would take a worker seconds.
    conv1d = getattr(sys.modules.get("transformers.pytorch_utils"), "Conv1D", None)
    for name, child in module.named_children():
        if type(child) is torch.nn.Linear:
            setattr(module, name, PackedLinear(child))
        elif type(child) is conv1d:
            setattr(module, name, PackedLinear(_turned(child)))
        else:
            pack(child)


def _turned(layer: Any) -> torch.nn.Linear:
    """A `Conv1D` of transformers, whose weight is (in, out), as a linear layer."""
    linear = torch.nn.Linear(layer.nx, layer.nf, device="meta")
    linear.weight = torch.nn.Parameter(layer.weight.t().contiguous(), requires_grad=False)
    linear.bias = layer.bias
    return linear


def quantise(model: Any) -> Any:
    """Dynamic int8: weights by output channel, inputs by batch."""
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates it for torchao, which needs a compiler
        return quantize_dynamic(model, {torch.nn.Linear: per_channel_dynamic_qconfig}, inplace=True)  # type: ignore[no-untyped-call]
