from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.bases.loading import load_base
from reviewgen_spark.models.classifier.adapters import apply_adapter, insert_bottlenecks, merge_adapter
from reviewgen_spark.models.classifier.model_folder import AdapterSettings, read_settings
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.data.augmentation import mix_embeddings
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.evaluation.metrics import confusion, count_metrics
from reviewgen_spark.models.registry.registration import register
from reviewgen_spark.models.training.finetuning import finetune

from .conftest import QUICK

TEXTS = ["房间很好", "手机太差，退货"]


def logits(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=ids).logits


@pytest.mark.parametrize("method", ["frozen", "lora", "adalora"])
def test_a_new_adapter_and_merging_keep_the_logits(method: str) -> None:
    torch.manual_seed(1)
    base = load_base("scratch:tiny", TEXTS * 3, ("a", "b"), 16, 500, 0.0)
    ids = torch.tensor([[2, 5, 6, 7, 3]])
    before, count = logits(base.model, ids), sum(p.numel() for p in base.model.parameters())
    adapted, after_step = apply_adapter(base.model, method, rank=4, steps=40)
    torch.testing.assert_close(logits(adapted, ids), before, atol=1e-5, rtol=1e-4)
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert 0 < trained < count / 4
    assert (after_step is not None) == (method == "adalora")
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.5)
    adapted.train()(input_ids=ids).logits[0, 0].backward()
    optimizer.step()
    after = logits(adapted, ids)
    assert (after - before).abs().max() > 1e-3
    merged = merge_adapter(adapted, method)
    torch.testing.assert_close(logits(merged, ids), after, atol=1e-5, rtol=1e-4)
    assert type(merged).__name__ == "BertForSequenceClassification"
    assert not [name for name in merged.state_dict() if "lora" in name or "modules_to_save" in name]


def test_new_bottlenecks_keep_the_logits_and_only_they_norms_and_head_are_trained() -> None:
    torch.manual_seed(1)
    base = load_base("scratch:tiny", TEXTS * 3, ("a", "b"), 16, 500, 0.0)
    ids, old = torch.tensor([[2, 5, 6, 7, 3]]), {name: value.clone() for name, value in base.model.state_dict().items()}
    before = logits(base.model, ids)
    adapted, after_step = apply_adapter(base.model, "bottleneck", rank=4, steps=40)
    assert torch.equal(logits(adapted, ids), before) and after_step is None
    added = set(adapted.state_dict()) - set(old)
    assert len(added) == 2 * 2 * 4 and old.keys() <= adapted.state_dict().keys()  # layers, positions, tensors
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.5)
    for _ in range(2):  # the down projection has no gradient while the up projection is 0
        optimizer.zero_grad()
        adapted.train()(input_ids=ids).logits[0, 0].backward()
        optimizer.step()
    changed = {
        name for name, value in adapted.state_dict().items() if name in old and not torch.equal(value, old[name])
    }
    assert all(name.startswith(("classifier", "bert.pooler")) or "LayerNorm" in name for name in changed)
    assert any("LayerNorm" in name for name in changed)
    fresh = insert_bottlenecks(load_base("scratch:tiny", TEXTS * 3, ("a", "b"), 16, 500, 0.0).model, 4).state_dict()
    trained = {name for name in added if name.endswith("up.weight") and adapted.state_dict()[name].abs().max() > 0}
    assert len(trained) == 4 and all(fresh[name].abs().max() == 0 for name in trained)


def test_a_model_with_bottlenecks_is_loaded_with_them_or_refused(corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"method": "bottleneck", "epochs": 20, "patience": 20})
    trained_model = finetune(corpus, "scratch:tiny", section, tmp_path / "m", lambda line: None)
    assert trained_model.trained_parameters < trained_model.parameters / 4
    assert read_settings(trained_model.folder).adapter == AdapterSettings("bottleneck", 8)
    validation = read_split(corpus, "validation")
    decided = (Predictor(trained_model.folder).score_texts(validation.texts) >= 0.5).astype(int)
    f1 = float(count_metrics(confusion(validation.labels, decided))["f1"])
    assert f1 == pytest.approx(trained_model.validation_f1) and f1 > 0.9  # as in training: no adapter is missing
    with pytest.raises(ConfigError, match="transformers would not load its adapters"):
        finetune(corpus, str(trained_model.folder), QUICK, tmp_path / "next", lambda line: None)
    with pytest.raises(ConfigError, match=r"register: .* 'bottleneck'.* train with finetune.method=lora"):
        register(
            trained_model.folder,
            [],
            "f",
            {},
            {},
            "sentiment",
            f"sqlite:///{tmp_path}/m.db",
            tmp_path,
            lambda c: (True, ""),
        )
    assert not (tmp_path / "m.db").exists()


@pytest.mark.parametrize("method", ["frozen", "lora", "adalora"])
def test_training_by_each_method_writes_a_plain_folder(method: str, corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"method": method, "learning_rate": 1e-2, "epochs": 4, "patience": 4})
    trained_model = finetune(corpus, "scratch:tiny", section, tmp_path / "m", lambda line: None)
    assert trained_model.trained_parameters < trained_model.parameters / 4
    names = set(load_file(trained_model.folder / "model.safetensors"))
    assert "bert.encoder.layer.0.attention.self.query.weight" in names and "classifier.weight" in names
    assert Predictor(trained_model.folder).score_texts(TEXTS).shape == (2,)
    assert trained_model.curve[-1]["train_loss"] < trained_model.curve[0]["train_loss"]
    if method == "lora":
        assert trained_model.validation_f1 > 0.6


def test_training_with_augmentation_or_mixup_reaches_high_f1(corpus: Path, tmp_path: Path) -> None:
    varied = QUICK.model_copy(update={"augmentation": ("synonym", "swap", "delete"), "epochs": 3})
    assert finetune(corpus, "scratch:tiny", varied, tmp_path / "a", lambda line: None).validation_f1 > 0.9
    mixed = QUICK.model_copy(update={"mixup_alpha": 0.2, "epochs": 4})
    assert finetune(corpus, "scratch:tiny", mixed, tmp_path / "b", lambda line: None).validation_f1 > 0.9


def test_a_share_of_one_keeps_the_text() -> None:
    embeddings, order = torch.randn(3, 4, 5), torch.tensor([1, 2, 0])
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]])
    mixed, mixed_mask = mix_embeddings(embeddings, mask, 1.0, order)
    torch.testing.assert_close(mixed, embeddings * mask[..., None])
    half, _ = mix_embeddings(embeddings, mask, 0.5, order)
    torch.testing.assert_close(half[0, 0], (embeddings[0, 0] + embeddings[1, 0]) / 2)
    assert mixed_mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0]]
