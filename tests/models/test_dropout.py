import pytest
import torch

from reviewgen_spark.models.training.dropout import ByteDropout, replace_dropout


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_keeps_the_mean_and_drops_the_share(p: float) -> None:
    torch.manual_seed(1)
    values = torch.ones(1001, 301, dtype=torch.float64)  # not a multiple of eight
    output = ByteDropout(p).train()(values)
    assert float((output == 0).double().mean()) == pytest.approx(p, abs=0.004)
    assert float(output.mean()) == pytest.approx(1, abs=0.005)
    assert output[output != 0].unique().numel() == 1
    # The dropped share is equal at each position in a group of eight.
    share = (output.view(-1)[: 1001 * 301 // 8 * 8].view(-1, 8) == 0).double().mean(0)
    assert float((share - p).abs().max()) < 0.01


def test_gradients_follow_the_kept_values_and_evaluation_keeps_all() -> None:
    torch.manual_seed(1)
    values, layer = torch.randn(64, 8, requires_grad=True), ByteDropout(0.5).train()
    output = layer(values)
    output.sum().backward()
    assert values.grad is not None and torch.equal(values.grad != 0, output != 0)
    assert torch.equal(layer.eval()(values), values)
    assert torch.equal(ByteDropout(0.001).train()(values), values)


def test_the_same_random_state_drops_the_same_values() -> None:
    values, layer = torch.ones(1000), ByteDropout(0.3).train()
    state = torch.get_rng_state()
    first = layer(values)
    torch.set_rng_state(state)
    assert torch.equal(layer(values), first) and not torch.equal(layer(values), first)


def test_every_dropout_of_a_model_is_replaced() -> None:
    model = torch.nn.Sequential(
        torch.nn.Dropout(0.1), torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.2))
    )
    replace_dropout(model)
    assert [module.dropped for module in model.modules() if isinstance(module, ByteDropout)] == [26, 51]
    assert not any(type(module) is torch.nn.Dropout for module in model.modules())
