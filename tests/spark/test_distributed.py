"""Tests that two processes under Spark's TorchDistributor train the same model as one."""

import json
from pathlib import Path

import pytest
import torch
from pyspark.sql import SparkSession
from reviewgen_spark.jobs.finetune import finetune_in_processes
from safetensors.torch import load_file

from reviewgen_spark.models.training.finetuning import finetune
from tests.models.conftest import QUICK, make_rows, write_corpus

# 164 rows in batches of 9: the last batch has 2 rows, and other batches cannot be halved.
SECTION = QUICK.model_copy(update={"dropout": 0.0, "batch_size": 9, "device": "cpu", "learning_rate": 1e-3})


def test_two_processes_train_the_same_model_as_one(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    corpus = write_corpus(tmp_path / "c", {"train": make_rows(164, 0), "validation": make_rows(40, 1000)})
    alone = finetune(corpus, "scratch:tiny", SECTION, tmp_path / "one", lambda line: None)
    (tmp_path / "two").mkdir()
    section = SECTION.model_copy(update={"processes": 2})
    finetune_in_processes(corpus, "scratch:tiny", section, tmp_path / "two", tmp_path / "k" / "c.pt", "scratch:tiny")
    together = json.loads((tmp_path / "two" / "training_curve.json").read_text())
    for one, two in zip(alone.curve, together, strict=True):
        assert two["validation_loss"] == pytest.approx(one["validation_loss"], abs=1e-4)
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, atol=2e-3, rtol=1e-2)
