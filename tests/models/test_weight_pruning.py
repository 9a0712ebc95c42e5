from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.compression.weight_pruning import prune_feed_forward, zero_heads, zero_magnitudes

ROWS = [[2, 7, 9, 11, 3], [2, 8, 3], [2, 30, 31, 32, 33, 34, 3]]


@pytest.fixture
def model() -> Any:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, pad_token_id=0
    )
    return BertForSequenceClassification(config).eval()


def answers(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([model(input_ids=torch.tensor([row])).logits for row in ROWS])


def layers(model: Any) -> Iterator[Any]:
    yield from model.bert.encoder.layer


def test_units_without_effect_are_pruned(model: Any) -> None:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for number, layer in enumerate(layers(model)):
            idle = torch.randperm(64, generator=generator)[:32]
            if number:
                layer.output.dense.weight[:, idle] = 0  # its output weights are zero
            else:
                layer.intermediate.dense.weight[idle] = 0  # never active
                layer.intermediate.dense.bias[idle] = 0
    pruned = prune_feed_forward(model, 0.5, ROWS)
    assert pruned.config.intermediate_size == 32 and model.config.intermediate_size == 64
    assert torch.allclose(answers(pruned), answers(model), atol=1e-6)


def test_importance_ignores_padding(model: Any) -> None:
    alone = prune_feed_forward(model, 0.75, [ROWS[0]])
    # In one batch with a long row the short row is padded. 200 short rows outweigh the long one.
    padded = prune_feed_forward(model, 0.75, [ROWS[0]] * 200 + [list(range(2, 22))])
    same = [
        torch.equal(a.output.dense.weight, b.output.dense.weight)
        for a, b in zip(layers(alone), layers(padded), strict=True)
    ]
    assert all(same)


def test_the_width_is_a_multiple_of_16_and_never_0(model: Any) -> None:
    assert prune_feed_forward(model, 0.6, ROWS).config.intermediate_size == 32
    assert prune_feed_forward(model, 0.99, ROWS).config.intermediate_size == 16
    assert torch.equal(answers(prune_feed_forward(model, 0.01, ROWS)), answers(model))


def test_heads_without_effect_are_zeroed_first(model: Any) -> None:
    with torch.no_grad():
        for layer, head in ((0, 1), (1, 3)):
            model.bert.encoder.layer[layer].attention.output.dense.weight[:, head * 8 : head * 8 + 8] *= 1e-6
    before = answers(model)
    assert zero_heads(model, 0.25, ROWS) == 2
    assert torch.allclose(answers(model), before, atol=1e-4)
    zeros = [
        [head for head in range(4) if not layer.attention.output.dense.weight[:, head * 8 : head * 8 + 8].any()]
        for layer in layers(model)
    ]
    assert zeros == [[1], [3]]


def test_the_smallest_weights_of_each_matrix_become_zero(model: Any) -> None:
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    zeroed = zero_magnitudes(model, 0.3)
    shares, untouched = [], []
    for name, weight in model.state_dict().items():
        if ".layer." in name and weight.dim() == 2:
            shares.append(float((weight == 0).float().mean()))
            largest_zeroed = before[name][weight == 0].abs().max()
            assert largest_zeroed <= before[name][weight != 0].abs().min()
        else:
            untouched.append(torch.equal(weight, before[name]))
    assert shares == pytest.approx([0.3] * 12, abs=1e-3) and all(untouched)
    assert zeroed == sum(
        int((weight == 0).sum()) for name, weight in model.named_parameters() if weight.dim() == 2
    ) - sum(int((before[name] == 0).sum()) for name, weight in model.named_parameters() if weight.dim() == 2)


def test_a_model_of_another_architecture_is_refused() -> None:
    config = DistilBertConfig(vocab_size=50, dim=32, n_layers=1, n_heads=2, hidden_dim=64)
    other = DistilBertForSequenceClassification(config)
    for prune in (lambda: prune_feed_forward(other, 0.5, ROWS), lambda: zero_heads(other, 0.5, ROWS)):
        with pytest.raises(ConfigError, match=r"compress\.methods: .* DistilBertForSequenceClassification"):
            prune()
    with pytest.raises(ConfigError, match="magnitudes"):
        zero_magnitudes(other, np.float64(0.5))
