import pytest
import torch

from reviewgen_spark.models.training.dropout import ByteDropout, replace_dropout


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_the_mean_stays_and_the_share_is_dropped(p: float) -> None:
    torch.manual_seed(1)
    values = torch.ones(1001, 301, dtype=torch.float64)  # no multiple of eight
    found = ByteDropout(p).train()(values)
    assert float((found == 0).double().mean()) == pytest.approx(p, abs=0.004)
    assert float(found.mean()) == pytest.approx(1, abs=0.005)
    assert found[found != 0].unique().numel() == 1
    # Neither the place in a group of eight nor the row says what is dropped.
    share = (found.view(-1)[: 1001 * 301 // 8 * 8].view(-1, 8) == 0).double().mean(0)
    assert float((share - p).abs().max()) < 0.01


def test_gradients_flow_where_values_do_and_evaluation_changes_nothing() -> None:
    torch.manual_seed(1)
    values, layer = torch.randn(64, 8, requires_grad=True), ByteDropout(0.5).train()
    found = layer(values)
    found.sum().backward()
    assert values.grad is not None and torch.equal(values.grad != 0, found != 0)
    assert torch.equal(layer.eval()(values), values)
    assert torch.equal(ByteDropout(0.001).train()(values), values)


def test_the_generators_state_brings_the_noise_back() -> None:
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
