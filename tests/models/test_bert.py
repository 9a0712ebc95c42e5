"""Tests that the classifier without transformers gives equal logits and imports no more than torch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, BertConfig, BertForSequenceClassification

from reviewgen_spark.models.classifier.bert import BertClassifier, read_config
from reviewgen_spark.models.classifier.loading import load_classifier, load_forward
from reviewgen_spark.models.data.batches import model_inputs
from reviewgen_spark.models.training.finetuning import FinetuneResult

ROWS = [[2, 7, 9, 30, 12, 3], [2, 8, 3], [2, 5, 6, 41, 3]]
TYPES = [[0, 0, 0, 1, 1, 1], [0, 1, 1], [0, 0, 1, 1, 1]]
SHAPE: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 16,
    "num_labels": 5,
    "pad_token_id": 1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    out = tmp_path_factory.mktemp("bert")
    BertForSequenceClassification(BertConfig(**SHAPE, initializer_range=0.3)).save_pretrained(out)
    return out


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("rows", "types"), [(ROWS, None), (ROWS, TYPES), (ROWS[:1], None)])
def test_logits_and_states_equal_those_of_transformers(
    folder: Path, attention: str, dtype: torch.dtype, rows: list[list[int]], types: list[list[int]] | None
) -> None:
    whole, lean = load_classifier(folder).eval().to(dtype), load_forward(folder).eval().to(dtype)
    assert isinstance(lean, BertClassifier) and not isinstance(whole, BertClassifier)
    for model in (whole, lean):
        model.set_attn_implementation(attention)
    inputs = model_inputs(rows, types, 1, "cpu")
    with torch.inference_mode():
        expected, actual = (model(**inputs, output_hidden_states=True) for model in (whole, lean))
    tolerance = 1e-5 if dtype == torch.float32 else 0.05
    torch.testing.assert_close(actual.logits, expected.logits, atol=tolerance, rtol=tolerance)
    mask = inputs["attention_mask"].bool()
    states = (model.hidden_states[-1][mask] for model in (actual, expected))
    torch.testing.assert_close(*states, atol=tolerance, rtol=tolerance)
    assert expected.logits.float().std() > 0.1  # the weights are not trivial


def test_the_weights_equal_the_saved_file(trained: FinetuneResult) -> None:
    lean, whole = load_forward(trained.folder), load_classifier(trained.folder)
    saved = whole.state_dict()
    assert set(lean.state_dict()) == set(saved)
    assert all(torch.equal(tensor, saved[name]) for name, tensor in lean.state_dict().items())
    assert not any(parameter.requires_grad for parameter in lean.parameters())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hidden_act": "relu"}, "another activation"),
        ({"model_type": "roberta"}, "positions that start elsewhere"),
        ({"is_decoder": True}, "a causal mask"),
        ({"position_embedding_type": "relative_key"}, "positions in the attention"),
        ({"layer_norm_eps": None}, "a key that is not there"),
    ],
)
def test_other_bert_variants_are_left_to_transformers(
    folder: Path, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    assert read_config(folder) is not None
    config = {**json.loads((folder / "config.json").read_text()), **change}
    (tmp_path / "config.json").write_text(
        json.dumps({name: value for name, value in config.items() if value is not None})
    )
    assert read_config(tmp_path) is None, reason


def test_another_kind_of_encoder_is_loaded_by_transformers(tmp_path: Path) -> None:
    from transformers import RobertaConfig

    model = AutoModelForSequenceClassification.from_config(RobertaConfig(**SHAPE, bos_token_id=2, eos_token_id=3))
    model.save_pretrained(tmp_path)
    loaded = load_forward(tmp_path).eval()
    inputs = model_inputs([row[:4] for row in ROWS], None, 1, "cpu")
    with torch.inference_mode():
        np.testing.assert_allclose(loaded(**inputs).logits, model.eval()(**inputs).logits, atol=1e-5)


def test_a_worker_imports_neither_transformers_nor_the_compiler(trained: FinetuneResult) -> None:
    program = (
        "import sys; from pathlib import Path; from reviewgen_spark.models.classifier.predictor import Predictor; "
        "Predictor(Path(sys.argv[1]), 'cpu').score_texts(['好']); "
        "print([name for name in ('transformers', 'torch._dynamo', 'sympy', 'scipy', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(trained.folder)], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_preloading_before_a_fork_starts_no_thread() -> None:
    program = (
        "import os; from reviewgen_spark.inference.shipping.daemon import preload; "
        "from reviewgen_spark.inference.labelling.label import PRELOADED; preload(PRELOADED); import sys; "
        "print('torch' in sys.modules, len(os.listdir('/proc/self/task')))"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # as Spark starts the process
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["True", "1"]
