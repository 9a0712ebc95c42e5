"""Loads a tokenizer and a model with the head of a pre-training objective."""

from collections.abc import Sequence
from typing import Any

from reviewgen_spark.config import PretrainSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.bases.decoder import load_decoder
from reviewgen_spark.models.bases.loading import load_base, load_checkpoint


def load_language_model(base: str, texts: Sequence[str], section: PretrainSection) -> tuple[Any, Any]:
    """Loads a tokenizer, and a model with the head of the objective on the weights of the base.

    Raises:
        ConfigError: that kind of model has no such head.
        ModelNotFoundError: there is no such base.
    """
    from transformers import AutoModelForMaskedLM, AutoModelForPreTraining

    if section.objective == "clm":
        tokenizer, decoder = load_decoder(base, texts, section.max_tokens, section.vocabulary_size, section.dropout)
        if decoder.config.is_encoder_decoder:
            raise ConfigError(f"pretrain.base: '{base}' has an encoder, which clm does not train; choose a causal base")
        return tokenizer, decoder
    kind = AutoModelForPreTraining if section.objective == "mlm+sop" else AutoModelForMaskedLM
    is_made_here = base.partition(":")[0] in ("scratch", "embedded")
    if is_made_here:  # an encoder without a language model's head
        encoder = load_base(base, texts, ("0", "1"), section.max_tokens, section.vocabulary_size, section.dropout)
    else:
        encoder = load_checkpoint(base, {}, section.dropout, kind)
    if encoder.tokenizer.mask_token_id is None:
        raise ConfigError(f"pretrain.base: '{base}' has no mask token, which the objective {section.objective} needs")
    try:
        model = kind.from_config(encoder.model.config) if is_made_here else encoder.model
    except ValueError as error:
        raise ConfigError(
            f"pretrain.base: '{base}' has no head for {section.objective}; choose another base"
        ) from error
    if section.objective == "mlm+sop" and not hasattr(getattr(model, "cls", None), "seq_relationship"):
        raise ConfigError(
            f"pretrain.base: '{base}' has no head for the order of sentences; set pretrain.objective to mlm"
        )
    if is_made_here:
        model.base_model.load_state_dict(encoder.model.base_model.state_dict(), strict=False)
    return encoder.tokenizer, model
