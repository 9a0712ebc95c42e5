"""Tests that faster execution of a model does not change its results."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.classifier.loading import load_classifier
from reviewgen_spark.models.classifier.predictor import Predictor, mean_pool
from reviewgen_spark.models.classifier.runtime import PackedLinear, can_pack, prepare
from reviewgen_spark.models.generator.generator_folder import load_generator
from reviewgen_spark.models.training.finetuning import FinetuneResult
from tests.models.generators import make_generator

TEXTS = ["房间很好，手机不错", "太差了，退货", "好", "服务太差，失望，包装太差，失望"]


def plain_logits(trained: FinetuneResult, rows: list[list[int]]) -> np.ndarray:
    model = load_classifier(trained.folder).eval()
    with torch.inference_mode():
        return np.concatenate([model(input_ids=torch.tensor([row])).logits.double().numpy() for row in rows])


@pytest.fixture
def rows(trained: FinetuneResult) -> list[list[int]]:
    return [tokens.ids for tokens in Predictor(trained.folder).tokenizer.encode(TEXTS)]


@pytest.mark.skipif(not can_pack("float32"), reason="this CPU has no packed layout")
def test_packed_layers_equal_plain_layers(trained: FinetuneResult, rows: list[list[int]]) -> None:
    predictor = Predictor(trained.folder, device="cpu")
    layers = [module for module in predictor._model.modules() if isinstance(module, PackedLinear)]
    assert layers and not any(type(module) is torch.nn.Linear for module in predictor._model.modules())
    np.testing.assert_allclose(predictor.logits(rows), plain_logits(trained, rows), atol=1e-5)


@pytest.mark.skipif(not can_pack("float32"), reason="this CPU has no packed layout")
def test_layers_of_gpt2_are_packed(tmp_path: Path) -> None:
    make_generator(tmp_path, "gpt2", seed=3)
    packed = load_generator(tmp_path).model
    kinds = Counter(type(module).__name__ for module in packed.modules())
    assert kinds["PackedLinear"] == 9 and not kinds["Conv1D"] and not kinds["Linear"]  # 4 of 2 layers, and the output
    plain = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[2, 7, 9, 30, 12]])
    with torch.inference_mode():
        torch.testing.assert_close(packed(input_ids=ids).logits, plain(input_ids=ids).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.02), ("int8", 0.05)])
def test_scores_in_lower_precision_are_close(trained: FinetuneResult, precision: str, tolerance: float) -> None:
    exact = Predictor(trained.folder, device="cpu").score_texts(TEXTS)
    low_precision = Predictor(trained.folder, "cpu", precision).score_texts(TEXTS)  # type: ignore[arg-type]
    np.testing.assert_allclose(low_precision, exact, atol=tolerance)
    assert not np.array_equal(low_precision, exact)


def test_int8_is_refused_on_a_gpu(trained: FinetuneResult) -> None:
    with pytest.raises(ConfigError, match="int8"):
        prepare(load_classifier(trained.folder), "cuda", "int8")


def test_a_compiled_model_is_not_packed(trained: FinetuneResult, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.nn.Module] = []
    compiler: Callable[..., object] = lambda model, dynamic: seen.append(model) or model  # noqa: E731
    monkeypatch.setattr(torch, "compile", compiler)
    prepare(load_classifier(trained.folder), "cpu", "float32", compiled=True)
    assert len(seen) == 1 and not any(isinstance(module, PackedLinear) for module in seen[0].modules())


def test_embeddings_come_from_the_same_pass(trained: FinetuneResult, rows: list[list[int]]) -> None:
    predictor = Predictor(trained.folder, device="cpu")
    combined, labels = predictor.probabilities_and_embeddings(rows), predictor.all_probabilities(rows)
    np.testing.assert_allclose(combined[:, : labels.shape[1]], labels, atol=1e-6)
    base = load_classifier(trained.folder).eval().base_model
    for row, vector in zip(rows, combined[:, labels.shape[1] :], strict=True):
        with torch.inference_mode():
            mean = base(input_ids=torch.tensor([row])).last_hidden_state[0].mean(0)  # one row, so without padding
        np.testing.assert_allclose(vector, (mean / mean.norm()).numpy(), atol=1e-5)


def test_the_mean_ignores_padding() -> None:
    states = torch.tensor([[[3.0, 4.0], [100.0, -7.0]]])
    assert mean_pool(states, torch.tensor([[1, 0]])).tolist() == [pytest.approx([0.6, 0.8])]
