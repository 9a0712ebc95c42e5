"""Makes generators with random weights for tests of text generation."""

from pathlib import Path

import torch

from reviewgen_spark.models.bases.encoder import wrap_tokenizer
from reviewgen_spark.models.bases.wordpiece import train_wordpiece
from reviewgen_spark.models.generator.control_codes import CODES, add_control_codes
from reviewgen_spark.models.generator.generator_folder import GeneratorSettings, save_generator

TEXTS = [
    "房间很好，服务不错。",
    "手机太差，屏幕坏了，要退货！",
    "质量不错，物流很快。",
    "the room is good .",
] * 12


def make_generator(
    folder: Path,
    kind: str = "causal",
    seed: int = 0,
    purposes: tuple[str, ...] = CODES["purpose"],
    max_tokens: int = 96,
    text_tokens: int = 32,
) -> GeneratorSettings:
    """Writes a generator folder with random weights: `causal` is a BERT decoder, `gpt2` a GPT-2, `seq2seq` a BART."""
    from transformers import (
        BartConfig,
        BartForConditionalGeneration,
        BertConfig,
        BertLMHeadModel,
        GPT2Config,
        GPT2LMHeadModel,
    )

    backend = train_wordpiece(TEXTS, 300)
    tokenizer = wrap_tokenizer(backend, max_tokens, bos_token="[CLS]", eos_token="[SEP]")
    ids = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0, "vocab_size": len(tokenizer)}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "causal":
            config = BertConfig(
                **ids,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=max_tokens,
                is_decoder=True,
                initializer_range=0.3,
            )
            model = BertLMHeadModel(config)
        elif kind == "gpt2":
            config = GPT2Config(**ids, n_embd=32, n_layer=2, n_head=2, n_positions=max_tokens, initializer_range=0.3)
            model = GPT2LMHeadModel(config)
        else:
            config = BartConfig(
                **ids,
                d_model=32,
                encoder_layers=1,
                decoder_layers=1,
                encoder_attention_heads=2,
                decoder_attention_heads=2,
                encoder_ffn_dim=64,
                decoder_ffn_dim=64,
                max_position_embeddings=max_tokens,
                decoder_start_token_id=2,
                forced_eos_token_id=None,
                init_std=0.3,
            )
            model = BartForConditionalGeneration(config)
        add_control_codes(tokenizer, model)
    return save_generator(
        folder,
        tokenizer,
        model,
        "test",
        kind="seq2seq" if kind == "seq2seq" else "causal",
        base=f"random:{kind}",
        purposes=purposes,
        max_tokens=max_tokens,
        text_tokens=text_tokens,
        corpus_fingerprint="corpus-1",
    )
