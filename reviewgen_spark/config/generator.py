"""Configures the pipeline train_generator, which trains a model that writes texts."""

from typing import Literal

from pydantic import Field, model_validator

from reviewgen_spark.config.section import Section
from reviewgen_spark.config.training import PretrainSection, TrainingSection


class PretrainGeneratorSection(PretrainSection):
    """Configures the pre-training of the language model that a generator starts from.

    `mask_pct` is not used, because the next token needs no masks. It stays because it is part of the fingerprint.
    """

    objective: Literal["clm"] = Field(
        "clm", description="predict the next token, because a generator writes from left to right"
    )
    max_tokens: int = Field(192, ge=8, le=2048, description="tokens of a text; at least finetune_generator.max_tokens")


class FinetuneGeneratorSection(TrainingSection):
    """Configures how a generator is fine-tuned to write texts for requests."""

    base: str = Field(
        "pretrained",
        description="pretrained (by pretrain_generator), scratch:<size>, embedded, embedded:<layers>, a folder, "
        "or the name of a causal or seq2seq checkpoint on the hub",
    )
    examples: str | None = Field(
        None, description="file of JSON lines {request, text} besides the reviews: replies, product copy, summaries"
    )
    method: Literal["full", "lora"] = Field(
        "full", description="train all weights, or added ones that are merged afterwards"
    )
    rank: int = Field(8, ge=1, description="rank of the matrices that lora adds")
    max_tokens: int = Field(192, ge=32, le=2048, description="tokens of a prompt and its text together, at most")
    text_tokens: int = Field(96, ge=16, le=1024, description="tokens of these that are reserved for the text")
    max_rows: int = Field(
        200_000, ge=1, description="reviews for training, at most; chosen by record_id, which is a hash"
    )
    max_keywords: int = Field(
        3, ge=0, description="keywords in the request of a review, at most; they are content words of its text"
    )
    codes_dropped: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="share of category, sentiment and stars that examples leave out, because requests may do so too",
    )
    epochs: int = Field(2, ge=1, description="passes over the examples, at most")
    learning_rate: float = Field(3e-4, gt=0, description="highest learning rate, right after the warm-up")
    embedding_rate: float = Field(
        1.0, gt=0, le=100, description="as in finetune, but not 0, because control codes are new and must be learned"
    )
    patience: int = Field(1, ge=1, description="epochs without a better validation loss before stopping")

    @model_validator(mode="after")
    def _check_room(self) -> "FinetuneGeneratorSection":
        if self.text_tokens > self.max_tokens - 16:
            raise ValueError(
                f"text_tokens: got {self.text_tokens} of max_tokens {self.max_tokens}; a prompt needs 16 at least"
            )
        return self


class EvaluateGeneratorSection(Section):
    """Configures the evaluation of a generator before it is registered."""

    texts: int = Field(200, ge=10, description="texts to generate for requests of the test split")
    seed: int = Field(42, description="seed of the choice of requests and of the generated texts")
