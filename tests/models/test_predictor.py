from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.classifier.loading import load_classifier
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.data.batches import cut_by_token_budget, pad, shuffle_into_batches
from reviewgen_spark.models.training.finetuning import FinetuneResult


def test_padding_changes_no_logit(trained: FinetuneResult) -> None:
    predictor = Predictor(trained.folder)
    rows = [row.ids for row in predictor.tokenizer.encode(["好", "房间很好，手机不错", "太差了，退货。退货。退货"])]
    together = predictor.logits(rows)
    alone = np.concatenate([predictor.logits([row]) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3  # the rows have different logits


def test_the_loaded_weights_equal_the_saved_file(trained: FinetuneResult) -> None:
    model, saved = load_classifier(trained.folder), load_file(trained.folder / "model.safetensors")
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == {
        name: tensor.shape for name, tensor in saved.items()
    }
    assert all(torch.equal(tensor, saved[name]) for name, tensor in model.state_dict().items())
    assert not any(buffer.is_meta for buffer in model.buffers())


def test_scores_keep_the_order_of_texts(trained: FinetuneResult) -> None:
    predictor = Predictor(trained.folder)
    texts = ["房间很好" * (1 + index % 4) + "太差" * (index % 3) for index in range(23)]
    forwards = predictor.score_texts(texts, tokens_per_batch=64)
    backwards = predictor.score_texts(texts[::-1], tokens_per_batch=40)[::-1]
    np.testing.assert_allclose(forwards, backwards, atol=1e-5)


def test_bfloat16_scores_are_close_to_float32(trained: FinetuneResult) -> None:
    texts = ["房间很好", "太差了", "手机还行", "退货"]
    exact = Predictor(trained.folder).score_texts(texts)
    np.testing.assert_allclose(Predictor(trained.folder, precision="bfloat16").score_texts(texts), exact, atol=0.02)


def test_long_texts_are_truncated_and_marked(trained: FinetuneResult) -> None:
    short, long, blank = Predictor(trained.folder).tokenizer.encode(["很好", "很好" * 30, "\u200b"])
    assert (short.is_truncated, long.is_truncated, len(long.ids)) == (False, True, 16)
    assert (short.is_blank, blank.is_blank) == (False, True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_an_error(trained: FinetuneResult) -> None:
    with pytest.raises(ConfigError, match="torch sees no GPU"):
        Predictor(trained.folder, device="cuda")


def test_an_epoch_has_every_row_once_in_batches_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(3, 200, size=1000).tolist()
    batches = shuffle_into_batches(lengths, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
    cells = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert sum(lengths) / cells > 0.9
    again = shuffle_into_batches(lengths, 16, np.random.default_rng(1))
    assert all((one == other).all() for one, other in zip(batches, again, strict=True))


def test_batches_respect_the_token_budget() -> None:
    assert cut_by_token_budget([5, 2, 2, 9, 3], list("ecdab"), 6) == [[1, 2], [4], [0], [3]]
    assert cut_by_token_budget([2, 2], ["b", "a"], 2) == [[1], [0]]
    assert cut_by_token_budget([], [], 6) == []


def test_padding_uses_the_pad_id() -> None:
    ids, mask = pad([[5, 6, 7], [8]], pad_id=1)
    assert ids.tolist() == [[5, 6, 7], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_the_pyfunc_file_does_not_import_this_package() -> None:
    text = (Path(__file__).parents[2] / "reviewgen_spark" / "models" / "registry" / "pyfunc.py").read_text()
    assert "reviewgen_spark" not in text
