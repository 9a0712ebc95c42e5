from pathlib import Path

import numpy as np
import pytest
import torch

from reviewgen_spark.config import DistilSection
from reviewgen_spark.errors import ConfigError, StageError
from reviewgen_spark.models.bases.vocabulary_pruning import keep_layers
from reviewgen_spark.models.classifier.heads import plan_heads
from reviewgen_spark.models.classifier.loading import load_classifier
from reviewgen_spark.models.classifier.model_folder import folder_sha256, read_settings
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.compression import distillation
from reviewgen_spark.models.compression.distillation import distil, soft_loss, teacher_logits
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.training.finetuning import FinetuneResult

QUICK = DistilSection(
    base="teacher:1", max_tokens=16, epochs=3, batch_size=16, learning_rate=3e-3, precision="float32", threads=1
)


def quiet(line: str) -> None:
    pass


def test_a_student_predicts_like_its_teacher(trained: FinetuneResult, corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"soft_share": 1.0, "epochs": 6})
    unlabelled = ["屏幕很好，电池很好", "服务太差，物流太差"] * 8
    student_result = distil(corpus, unlabelled, trained.folder, section, tmp_path / "student", quiet)
    assert (student_result.rows, student_result.unlabelled_rows) == (160, 16)
    texts = read_split(corpus, "test").texts
    teacher, student = Predictor(trained.folder), Predictor(student_result.folder)
    assert student._model.config.num_hidden_layers == 1 and teacher._model.config.num_hidden_layers == 2
    ours, theirs = student.score_texts(texts), teacher.score_texts(texts)
    assert np.mean((ours >= 0.5) == (theirs >= 0.5)) > 0.95
    settings = read_settings(student_result.folder)
    assert settings.base == "teacher:1 of scratch:tiny" and settings.training["soft_share"] == 1.0


def test_a_student_is_trained_on_teacher_logits_not_on_labels(
    trained: FinetuneResult, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def negated(teacher: Predictor, texts: list[str], *rest: object) -> np.ndarray:
        return -teacher_logits(teacher, texts, quiet)

    monkeypatch.setattr(distillation, "teacher_logits", negated)
    section = QUICK.model_copy(update={"soft_share": 1.0})
    student_result = distil(corpus, [], trained.folder, section, tmp_path / "student", quiet)
    assert student_result.curve[-1]["validation_f1"] < 0.2  # the last epoch, not the best one


def test_an_interrupted_distillation_ends_with_the_same_weights(
    trained: FinetuneResult, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = distil(corpus, [], trained.folder, QUICK, tmp_path / "whole", quiet)
    checkpoint, lines = tmp_path / "checkpoints" / "distil.pt", []

    def stop_after_an_epoch(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distil(corpus, [], trained.folder, QUICK, tmp_path / "part", stop_after_an_epoch, checkpoint)
    assert (checkpoint.parent / "teacher_logits.npy").is_file()
    monkeypatch.setattr(Predictor, "logits", None)  # the teacher is not run again
    resumed = distil(corpus, [], trained.folder, QUICK, tmp_path / "part", lines.append, checkpoint)
    assert any(line.startswith("resumes from epoch 2") for line in lines)
    assert folder_sha256(resumed.folder) == folder_sha256(whole.folder)


def test_soft_loss_is_zero_only_for_equal_distributions() -> None:
    heads = plan_heads({"sentiment": ("a", "b"), "stars": ("1", "2", "3")}, sigmoid=True)
    answers = torch.tensor([[1.0, 0.5, -1.0, 2.0], [-3.0, 0.0, 1.0, 0.0]])
    assert float(soft_loss(answers, answers, heads, 2.0)) == pytest.approx(0, abs=1e-6)
    # A softmax does not change when a constant is added to all its logits; a lone sigmoid logit is no softmax.
    assert float(soft_loss(answers + torch.tensor([0.0, 5, 5, 5]), answers, heads, 2.0)) == pytest.approx(0, abs=1e-6)
    assert float(soft_loss(answers + torch.tensor([5.0, 0, 0, 0]), answers, heads, 2.0)) > 0.1


def test_kept_layers_have_their_weights(trained: FinetuneResult) -> None:
    teacher = load_classifier(trained.folder).eval()
    same, lowest = keep_layers(teacher, [0, 1]).eval(), keep_layers(teacher, [0]).eval()
    ids = torch.tensor([[2, 9, 11, 3]])
    assert torch.equal(same(input_ids=ids).logits, teacher(input_ids=ids).logits)
    hidden = teacher.bert(input_ids=ids, output_hidden_states=True).hidden_states[1]
    assert torch.equal(lowest.bert(input_ids=ids).last_hidden_state, hidden)
    reversed_layers = keep_layers(teacher, [1, 0])
    assert torch.equal(
        reversed_layers.bert.encoder.layer[0].output.dense.weight, teacher.bert.encoder.layer[1].output.dense.weight
    )
    with pytest.raises(ConfigError, match="from 0 to 1"):
        keep_layers(teacher, [2])


def test_invalid_settings_are_errors(trained: FinetuneResult, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="teacher:1 to teacher:2"):
        distil(corpus, [], trained.folder, QUICK.model_copy(update={"base": "teacher:9"}), tmp_path / "m", quiet)
    wild = QUICK.model_copy(update={"learning_rate": 1e30, "max_grad_norm": 1e30})
    with pytest.raises(StageError, match=r"distil\.learning_rate"):
        distil(corpus, [], trained.folder, wild, tmp_path / "m", quiet)
    assert not (tmp_path / "m" / "reviewgen.json").exists()
