"""Loads a base: the tokenizer and the encoder that fine-tuning starts from."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.models.bases.encoder import Encoder, find_shape, wrap_tokenizer
from reviewgen_spark.models.bases.quiet_transformers import quiet_transformers
from reviewgen_spark.models.bases.wordpiece import train_wordpiece
from reviewgen_spark.models.classifier.model_folder import has_adapter


def load_base(
    base: str, texts: Sequence[str], labels: Sequence[str], max_tokens: int, vocabulary_size: int, dropout: float
) -> Encoder:
    """Loads `models.base`: `scratch:<size>`, `embedded`, `embedded:<layers>`, a folder, or a name on the hub.

    Args:
        base: the setting `models.base`.
        texts: the training split; the vocabulary is trained on it, or pruned to it.
        labels: label names; their number is the width of the head.
        max_tokens: the longest input, special tokens included.
        vocabulary_size: the largest number of pieces, for `scratch` bases.
        dropout: the dropout of hidden states and attention.

    Raises:
        ConfigError: there is no such size or number of layers.
        ModelNotFoundError: the base does not exist, or is not on this machine.
    """
    kind, _, detail = base.partition(":")
    names = {"id2label": dict(enumerate(labels)), "label2id": {name: index for index, name in enumerate(labels)}}
    if kind == "scratch":
        return _new_encoder(detail, texts, names, max_tokens, vocabulary_size, dropout)
    if kind == "embedded":
        from reviewgen_spark.models.bases.embedded import load_embedded

        return load_embedded(detail, texts, names, max_tokens, dropout)
    from transformers import AutoModelForSequenceClassification

    return load_checkpoint(base, names, dropout, AutoModelForSequenceClassification)


def _new_encoder(
    size: str, texts: Sequence[str], names: dict[str, Any], max_tokens: int, vocabulary_size: int, dropout: float
) -> Encoder:
    from transformers import BertConfig, BertForSequenceClassification

    shape = find_shape(size)
    backend = train_wordpiece(texts, vocabulary_size)
    config = BertConfig(
        vocab_size=backend.get_vocab_size(),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        max_position_embeddings=max(max_tokens, 128),
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=backend.token_to_id("[PAD]"),
        **names,
    )
    return Encoder(wrap_tokenizer(backend, max_tokens), BertForSequenceClassification(config))


def load_checkpoint(base: str, names: dict[str, Any], dropout: float, kind: Any) -> Encoder:
    """Loads a tokenizer and a model from a folder, or by a name on the hub.

    Args:
        base: the folder or name.
        names: label names, for the head.
        dropout: the dropout of hidden states and attention.
        kind: the class of transformers that has the head.

    Raises:
        ConfigError: the folder has adapters, which transformers would not load.
        ModelNotFoundError: the checkpoint does not exist, or is not on this machine.
    """
    from transformers import AutoConfig, AutoTokenizer

    looks_local = base.startswith((".", "/", "~")) or Path(base).exists()
    if looks_local and not (Path(base).expanduser() / "config.json").is_file():
        raise ModelNotFoundError(
            f"models.base: '{base}' is not a folder with a config.json; save_pretrained writes one"
        )
    source = str(Path(base).expanduser()) if looks_local else base
    if looks_local and has_adapter(Path(source)):
        raise ConfigError(
            f"models.base: '{base}' was trained with finetune.method 'bottleneck', and transformers would not "
            "load its adapters; start from a model of another method"
        )
    try:
        config = AutoConfig.from_pretrained(source, **names)
        for field in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            if hasattr(config, field):
                setattr(config, field, dropout)
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True)
            # The head of another task gets new random weights, because fine-tuning trains the head anyway.
            model = kind.from_pretrained(source, config=config, ignore_mismatched_sizes=True)
    except (OSError, ValueError, KeyError) as error:
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise ModelNotFoundError(
            f"models.base: '{base}' could not be loaded as a folder or from the hub{offline}: "
            f"{type(error).__name__}; download it first and use its folder, or use 'embedded' or 'scratch:tiny', "
            "which need no network"
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise ModelNotFoundError(f"models.base: '{base}' has no fast tokenizer (tokenizer.json); choose another base")
    return Encoder(tokenizer, model)
