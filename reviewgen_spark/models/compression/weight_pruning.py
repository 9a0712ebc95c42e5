"""Prunes a classifier by importance: removes feed-forward units, sets attention heads and single weights to zero.

The result is always a plain `save_pretrained` folder. A configuration of transformers has one feed-forward width for
all layers. So every layer loses the same number of units, and the model becomes faster. The number of heads is bound to
the hidden width, and dense kernels multiply zeros too. So zeroed heads and weights only reduce the compressed size.
"""

import copy
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.data.batches import cut_by_token_budget, pad

# The names of the two feed-forward matrices and of the attention output, in BERT and related models.
_WIDENING = re.compile(r"(.*layer\.\d+)\.intermediate\.dense$")
_NARROWING = re.compile(r"(.*layer\.\d+)\.output\.dense$")
_ATTENTION = re.compile(r"(.*layer\.\d+)\.attention\.output\.dense$")
SAMPLE_TOKENS = 4096
WIDTH_STEP = 16  # a fast width for kernels: 16 float32 fill a register of AVX-512


def prune_feed_forward(model: Any, share: float, rows: Sequence[Sequence[int]]) -> Any:
    """Returns a copy of a classifier without the least important share of each layer's feed-forward units.

    The importance of a unit is the mean size of its activation times the norm of its output vector.
    Source: Li et al. (2017), Pruning Filters for Efficient ConvNets, with activations as in Molchanov et al. (2017),
    Pruning Convolutional Neural Networks for Resource Efficient Inference.

    Args:
        model: a sequence classifier whose layers have BERT's names.
        share: the share of the units to remove; the remaining width is a multiple of 16.
        rows: token ids of a sample of texts; activations are measured on them.

    Raises:
        ConfigError: the model has no feed-forward blocks with BERT's names.
    """
    narrowing = _find_matrices(model, _NARROWING, "feed_forward")
    width = int(model.config.intermediate_size)
    keep = max(WIDTH_STEP, round(width * (1 - share) / WIDTH_STEP) * WIDTH_STEP)
    if keep >= width:
        return copy.deepcopy(model)
    sizes = _mean_inputs(model, narrowing, rows, torch.abs)
    kept = {
        layer: torch.sort(torch.topk(sizes[layer] * matrix.weight.norm(dim=0), keep).indices).values
        for layer, matrix in narrowing.items()
    }
    config = copy.deepcopy(model.config)
    config.intermediate_size = keep
    weights = {}
    for name, weight in model.state_dict().items():
        module, _, kind = name.rpartition(".")
        wide, narrow = _WIDENING.match(module), _NARROWING.match(module)
        if wide:
            weight = weight[kept[wide[1]]]  # (units, hidden) and the bias (units,)
        elif narrow and kind == "weight" and narrow[1] in kept:
            weight = weight[:, kept[narrow[1]]]  # (hidden, units)
        weights[name] = weight.clone()
    pruned = type(model)(config)
    pruned.load_state_dict(weights)
    return pruned.eval()


def zero_heads(model: Any, share: float, rows: Sequence[Sequence[int]]) -> int:
    """Sets the least important share of all attention heads to zero, in place; returns how many.

    The importance of a head is the root mean square of its values, times the norm of its part of the output matrix.
    Michel et al. (2019), Are Sixteen Heads Really Better than One?, find that most heads can be removed.

    Raises:
        ConfigError: the model has no attention with BERT's names.
    """
    outputs = _find_matrices(model, _ATTENTION, "heads")
    count = int(model.config.num_attention_heads)
    squares = _mean_inputs(model, outputs, rows, torch.square)
    importance = []
    for layer, matrix in outputs.items():
        size = matrix.weight.shape[1] // count
        values = squares[layer].view(count, size).sum(1).sqrt()  # (heads,)
        blocks = matrix.weight.view(-1, count, size).pow(2).sum((0, 2)).sqrt()  # (heads,)
        importance += [(value, layer, head) for head, value in enumerate((values * blocks).tolist())]
    chosen = sorted(importance)[: round(share * len(importance))]
    with torch.no_grad():
        for _, layer, head in chosen:
            size = outputs[layer].weight.shape[1] // count
            outputs[layer].weight[:, head * size : (head + 1) * size] = 0
    return len(chosen)


def zero_magnitudes(model: Any, share: float) -> int:
    """Sets the smallest share of each matrix of the layers to zero, in place; returns how many weights.

    Embeddings, biases, norms and the head do not change. Source: Han et al. (2015), Learning both Weights and
    Connections.

    Raises:
        ConfigError: the model has no layers with BERT's names.
    """
    _find_matrices(model, _NARROWING, "magnitudes")
    zeroed = 0
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and re.search(r"\blayer\.\d+\.", name):
            flat = module.weight.detach().view(-1)
            smallest = torch.topk(flat.abs(), round(share * flat.numel()), largest=False).indices
            flat[smallest] = 0  # a view of the weights
            zeroed += len(smallest)
    return zeroed


def _find_matrices(model: Any, pattern: re.Pattern[str], method: str) -> dict[str, torch.nn.Linear]:
    """Returns the matrices whose names match a pattern, by the name of their layer."""
    matrices = {}
    for name, module in model.named_modules():
        match = pattern.match(name)
        if match and isinstance(module, torch.nn.Linear):
            matrices[match[1]] = module
    if not matrices:
        raise ConfigError(
            f"compress.methods: '{method}' needs layers with BERT's names, and the model is a {type(model).__name__}; "
            "remove this method"
        )
    return matrices


def _mean_inputs(
    model: Any,
    matrices: dict[str, torch.nn.Linear],
    rows: Sequence[Sequence[int]],
    measure: Callable[[torch.Tensor], torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Returns the mean over all tokens of `measure` of each matrix's inputs, (units,), by layer."""
    sums = {layer: torch.zeros(matrix.in_features) for layer, matrix in matrices.items()}
    current: dict[str, torch.Tensor] = {}

    def make_hook(layer: str) -> Callable[..., None]:
        def add_inputs(module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            sums[layer] += measure(inputs[0].detach()[current["mask"].bool()]).sum(0)  # (tokens, units) -> (units,)

        return add_inputs

    hooks = [matrix.register_forward_pre_hook(make_hook(layer)) for layer, matrix in matrices.items()]
    tokens = 0
    try:
        model.eval()
        for batch in cut_by_token_budget([len(row) for row in rows], [str(i) for i in range(len(rows))], SAMPLE_TOKENS):
            ids, current["mask"] = pad([rows[index] for index in batch], int(model.config.pad_token_id or 0))
            tokens += int(current["mask"].sum())
            with torch.inference_mode():
                model(input_ids=ids, attention_mask=current["mask"])
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: total / max(tokens, 1) for layer, total in sums.items()}
