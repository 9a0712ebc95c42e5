"""Tests that our attention equals the kernel of torch for every shape in use."""

import pytest
import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from reviewgen_spark.models.decoding.attention import attend


class Layer(torch.nn.Module):
    is_causal = True

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.num_key_value_groups = groups


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("new", [1, 5])
@pytest.mark.parametrize("shared", [1, 2, 6])
def test_attention_equals_the_kernel_of_torch(precision: torch.dtype, new: int, shared: int) -> None:
    generator = torch.Generator().manual_seed(7)
    query = torch.randn(3, 6, new, 8, generator=generator).to(precision)
    buffer = torch.randn(2, 4, shared, 20, 8, generator=generator).to(precision)
    key, value = buffer[0, :3, :, 4:13], buffer[1, :3, :, 4:13]  # views, as in a cache
    mask = torch.zeros(3, 1, new, 9, dtype=precision)
    mask[1, :, :, :4] = torch.finfo(precision).min
    for scaling in (None, 0.5):
        result, _ = attend(Layer(6 // shared), query, key, value, mask, scaling=scaling)
        wide = [states.float() for states in (query, key, value, mask)]
        expected, _ = sdpa_attention_forward(Layer(6 // shared), *wide, scaling=scaling)
        assert result.shape == (3, new, 6, 8) and result.dtype == precision
        torch.testing.assert_close(result.float(), expected, atol=2e-6 if precision == torch.float32 else 4e-2, rtol=0)
    result, _ = attend(Layer(6 // shared), query[:, :, :1], key, value, None)
    expected, _ = sdpa_attention_forward(Layer(6 // shared), query[:, :, :1].float(), key.float(), value.float(), None)
    torch.testing.assert_close(result.float(), expected, atol=4e-2, rtol=0)


def test_a_position_bias_is_passed_to_torch() -> None:
    query = torch.randn(1, 2, 1, 4, generator=torch.Generator().manual_seed(1))
    bias = torch.tensor([[[[0.0, 3.0]], [[3.0, 0.0]]]])
    states = torch.eye(2, 4).expand(1, 2, 2, 4)
    result, _ = attend(Layer(1), query, states, states, None, position_bias=bias)
    expected, _ = sdpa_attention_forward(Layer(1), query, states, states, None, position_bias=bias)
    assert torch.equal(result, expected) and not torch.allclose(
        result, attend(Layer(1), query, states, states, None)[0]
    )
