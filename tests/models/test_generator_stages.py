"""Tests the stages of a generator on corpora as earlier stages write them."""

import json
from pathlib import Path

import pytest
from reviewgen_spark.jobs.evaluate_generator import evaluate_generator
from reviewgen_spark.jobs.finetune_generator import finetune_generator
from reviewgen_spark.jobs.pretrain_generator import pretrain_generator

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.generator.generator_folder import read_generator
from reviewgen_spark.orchestration.model_log import read_scores
from reviewgen_spark.orchestration.resources.models import generator_base, pretrains_generator
from reviewgen_spark.orchestration.stage import Inputs, Resources
from tests.conftest import ConfigFactory

QUICK = (
    "pretrain_generator.max_tokens=24",
    "pretrain_generator.epochs=1",
    "pretrain_generator.threads=1",
    "finetune_generator.max_tokens=64",
    "finetune_generator.text_tokens=32",
    "finetune_generator.epochs=1",
    "finetune_generator.threads=1",
    "evaluate_generator.texts=20",
    "generation.decoding.max_new_tokens=16",
)


def make_inputs(config: Config, resources: Resources, artifacts: dict[str, Path], out: Path) -> Inputs:
    out.mkdir(parents=True)
    return Inputs(
        {}, config, resources.value, artifacts, out, out.parent / "checkpoints", "f1", None, lambda line: None
    )


def test_the_stages_lead_from_corpora_to_scores(corpus: Path, make_config: ConfigFactory, tmp_path: Path) -> None:
    examples = tmp_path / "examples.jsonl"
    source = {"record_id": "r", "text": "屏幕太差"}
    rows = [
        {
            "request": {"purpose": "reply", "product_id": "p", "lang_code": "zh", "sources": [source]},
            "text": f"您好，很抱歉{'。' * index}",
        }
        for index in range(30)
    ]
    examples.write_text("\n".join(map(json.dumps, rows)))
    config = make_config(*QUICK, f"finetune_generator.examples={examples}")
    artifacts = {"corpus": corpus, "pretraining_corpus": corpus}
    for name, run, resources in (
        ("pretrain_generator", pretrain_generator, pretrains_generator),
        ("finetune_generator", finetune_generator, generator_base),
        ("evaluate_generator", evaluate_generator, generator_base),
    ):
        inputs = make_inputs(config, resources(config), artifacts, tmp_path / name)
        assert run(inputs) == {}
        artifacts[name] = inputs.out
    settings = read_generator(artifacts["finetune_generator"])
    assert settings.base == "pretrained" and settings.corpus_fingerprint == "corpus-1"
    assert settings.purposes == ("augmentation", "reply", "draft_for_verified_buyer")
    scores = read_scores(artifacts["evaluate_generator"])
    assert {score.model for score in scores} == {"generator", "ngram", "retrieval", "real"}


def test_pretraining_is_skipped_for_another_base(corpus: Path, make_config: ConfigFactory, tmp_path: Path) -> None:
    config = make_config("finetune_generator.base=embedded:3")
    inputs = make_inputs(config, pretrains_generator(config), {"pretraining_corpus": corpus}, tmp_path / "out")
    pretrain_generator(inputs)
    assert list(inputs.out.iterdir()) == []


def test_examples_change_the_fingerprint_and_must_exist(make_config: ConfigFactory, tmp_path: Path) -> None:
    file = tmp_path / "examples.jsonl"
    file.write_text("{}")
    config = make_config(f"finetune_generator.examples={file}")
    before = generator_base(config).hashes
    file.write_text("{ }")
    assert generator_base(config).hashes != before
    with pytest.raises(ConfigError, match=r"finetune_generator\.examples: 'none\.jsonl' is not a file"):
        generator_base(make_config("finetune_generator.examples=none.jsonl"))
