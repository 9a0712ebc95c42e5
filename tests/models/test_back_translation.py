"""Tests back-translation with a Marian model of random weights; the translations have no meaning."""

from pathlib import Path

import pytest
import torch
from transformers import MarianConfig, MarianMTModel

from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.models.bases.encoder import wrap_tokenizer
from reviewgen_spark.models.bases.wordpiece import train_wordpiece
from reviewgen_spark.models.training.back_translation import back_translate, load_translator
from reviewgen_spark.models.training.finetuning import finetune

from .conftest import QUICK

TEXTS = ["房间很好，服务不错", "太差", "物流很快，包装很好，下次再来", "房间很好，服务不错"]


def write_marian(folder: Path, seed: int) -> str:
    tokenizer = wrap_tokenizer(train_wordpiece(TEXTS * 3, 200), 32)
    config = MarianConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.sep_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
        forced_eos_token_id=tokenizer.sep_token_id,
    )
    torch.manual_seed(seed)
    MarianMTModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("marian")
    return write_marian(root / "there", 1), write_marian(root / "back", 2)


def test_a_variant_does_not_depend_on_its_batch(pair: tuple[str, str]) -> None:
    there, back = (load_translator(name, "cpu", 16) for name in pair)
    lines: list[str] = []
    together = back_translate(TEXTS, there, back, lines.append)
    alone = [back_translate([text], there, back, lines.append)[0] for text in TEXTS]
    assert together == alone and together[0] == together[3]
    assert any(together) and all(
        variant is None or variant != text for variant, text in zip(together, TEXTS, strict=True)
    )
    assert not [line for line in lines for text in TEXTS if text in line]


def test_training_uses_the_variants(pair: tuple[str, str], corpus: Path, tmp_path: Path) -> None:
    section = QUICK.model_copy(update={"back_translation": pair, "augmentation_share": 0.2, "epochs": 3})
    lines: list[str] = []
    varied = finetune(corpus, "scratch:tiny", section, tmp_path / "a", lines.append)
    plain = finetune(corpus, "scratch:tiny", QUICK.model_copy(update={"epochs": 3}), tmp_path / "b", lines.append)
    assert [line for line in lines if "back-translated 160 of 160" in line]
    assert [point["train_loss"] for point in varied.curve] != [point["train_loss"] for point in plain.curve]


def test_a_missing_checkpoint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="could not be loaded as a sequence-to-sequence model"):
        load_translator(str(tmp_path / "nowhere"), "cpu", 16)
