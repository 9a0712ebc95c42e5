"""Loads the base of a generator: a model that predicts the next token.

`embedded` makes a decoder from an encoder. It has the encoder's weights, a causal mask, and a new transformation before
the output. Input and output share the word embeddings (Rothe et al. 2020, Leveraging Pre-trained Checkpoints for
Sequence Generation Tasks).
"""

import copy
from collections.abc import Sequence
from typing import Any, Literal

from reviewgen_spark.errors import ConfigError, MissingExtraError
from reviewgen_spark.models.bases.encoder import find_shape, wrap_tokenizer
from reviewgen_spark.models.bases.loading import load_checkpoint
from reviewgen_spark.models.bases.wordpiece import train_wordpiece

Kind = Literal["causal", "seq2seq"]
"""A causal model continues its prompt. A seq2seq model encodes the prompt and writes a separate text."""


def load_decoder(
    base: str, texts: Sequence[str], max_tokens: int, vocabulary_size: int, dropout: float
) -> tuple[Any, Any]:
    """Loads a tokenizer and a model: `scratch:<size>` (a GPT-2), `embedded[:<layers>]`, a folder, or a name on the hub.

    Args:
        base: the setting `base` of a section.
        texts: the training split; the vocabulary is trained on it, or pruned to it.
        max_tokens: the longest input, special tokens included.
        vocabulary_size: the largest number of pieces, for `scratch` and `embedded` bases.
        dropout: the dropout of hidden states and attention.

    Raises:
        ConfigError: there is no such size or number of layers.
        ModelNotFoundError: the checkpoint does not exist, or is not on this machine.
    """
    kind, _, detail = base.partition(":")
    if kind == "scratch":
        return _new_decoder(detail, texts, max_tokens, vocabulary_size, dropout)
    if kind == "embedded":
        return _convert_encoder(detail, texts, max_tokens, vocabulary_size, dropout)
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    head = AutoModelForSeq2SeqLM if is_seq2seq(base) else AutoModelForCausalLM
    loaded = load_checkpoint(base, {}, dropout, head)
    return loaded.tokenizer, loaded.model


def is_seq2seq(base: str) -> bool:
    """Returns whether the configuration of a checkpoint has encoder and decoder; False if it cannot be read."""
    from transformers import AutoConfig

    try:
        return bool(getattr(AutoConfig.from_pretrained(base), "is_encoder_decoder", False))
    except (OSError, ValueError, KeyError):
        return False  # load_checkpoint then raises the error


def _new_decoder(
    size: str, texts: Sequence[str], max_tokens: int, vocabulary_size: int, dropout: float
) -> tuple[Any, Any]:
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = find_shape(size)
    backend = train_wordpiece(texts, vocabulary_size)
    config = GPT2Config(
        vocab_size=backend.get_vocab_size(),
        n_positions=max(max_tokens, 128),
        n_embd=shape.hidden,
        n_layer=shape.layers,
        n_head=shape.heads,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=backend.token_to_id("[CLS]"),
        eos_token_id=backend.token_to_id("[SEP]"),
        pad_token_id=backend.token_to_id("[PAD]"),
    )
    return wrap_tokenizer(backend, max_tokens), GPT2LMHeadModel(config)


def _convert_encoder(
    detail: str, texts: Sequence[str], max_tokens: int, vocabulary_size: int, dropout: float
) -> tuple[Any, Any]:
    from transformers import BertLMHeadModel

    from reviewgen_spark.models.bases.embedded import load_embedded

    encoder = load_embedded(detail, texts, {}, max_tokens, dropout, vocabulary_size=vocabulary_size)
    config = copy.deepcopy(encoder.model.config)
    config.is_decoder, config.tie_word_embeddings = True, True
    config.bos_token_id, config.eos_token_id = encoder.tokenizer.cls_token_id, encoder.tokenizer.sep_token_id
    model = BertLMHeadModel(config)
    model.bert.load_state_dict(encoder.model.bert.state_dict(), strict=False)  # all but the pooler
    return encoder.tokenizer, model


def apply_lora(model: Any, kind: Kind, rank: int, new_ids: Sequence[int]) -> Any:
    """Makes only low-rank additions to attention (Hu et al. 2022) and the embeddings of new tokens trainable.

    Args:
        model: a model of transformers.
        kind: the kind of the model.
        rank: the rank of the added matrices.
        new_ids: new tokens. Their embeddings must be trained, because additions to attention cannot replace that.

    Raises:
        ConfigError: peft does not support this architecture.
        MissingExtraError: peft is not installed.
    """
    try:
        from peft import LoraConfig, TaskType, get_peft_model
    except ImportError as error:
        raise MissingExtraError(
            "generation.method: 'lora' needs peft, which is not installed; install reviewgen-spark[train]"
        ) from error
    settings = LoraConfig(
        task_type=TaskType.CAUSAL_LM if kind == "causal" else TaskType.SEQ_2_SEQ_LM,
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        trainable_token_indices=list(new_ids) or None,
    )
    try:
        return get_peft_model(model, settings)
    except ValueError as error:
        raise ConfigError(
            f"generation.method: 'lora' does not support models of type '{model.config.model_type}'; use full"
        ) from error
