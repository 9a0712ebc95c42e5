"""Configures the pipeline compress, which trains a small model on the champion's predictions and prunes it."""

from typing import Literal

from pydantic import Field, field_validator

from reviewgen_spark.config.section import Section, execution
from reviewgen_spark.config.training import TrainingSection


class DistilSection(TrainingSection):
    """Configures how a student is trained on the teacher's predictions for labelled and unlabelled reviews."""

    teacher: str = Field(
        "champion", description="alias or version of models.name, the model that gives the predictions"
    )
    base: str = Field(
        "teacher:3", description="teacher:<layers> keeps the teacher's lowest layers; other values as in models.base"
    )
    temperature: float = Field(2.0, gt=0, description="both models' logits are divided by it")
    soft_share: float = Field(
        0.7, ge=0, le=1, description="share of the loss from the teacher's predictions; the rest is from gold labels"
    )
    max_unlabelled: int = Field(200_000, ge=0, description="unlabelled reviews for which the teacher predicts, at most")
    epochs: int = Field(4, ge=1, description="passes over all reviews, at most")
    learning_rate: float = Field(3e-4, gt=0, description="the highest, right after the warm-up")
    dropout: float = Field(0.0, ge=0, lt=1, description="probability that an activation of the student is set to 0")


class CompressSection(Section):
    """Configures how a distilled student is pruned and exported, and how its variants are timed."""

    methods: tuple[Literal["feed_forward", "heads", "magnitudes"], ...] = Field(
        ("feed_forward",),
        description="feed_forward removes units, so the model is faster; heads and magnitudes only set weights to zero",
    )
    feed_forward_share: float = Field(
        0.5, gt=0, lt=1, description="share of each layer's feed-forward units that is removed"
    )
    heads_share: float = Field(0.2, gt=0, lt=1, description="share of all attention heads that is switched off")
    magnitudes_share: float = Field(
        0.3, gt=0, lt=1, description="share of each layer's weights that is set to zero, the smallest first"
    )
    recovery_epochs: int = Field(
        1, ge=0, description="epochs of distillation after pruning, with the settings of distil"
    )
    onnx: bool = Field(True, description="also write model.onnx; needs the extra onnx")
    cascade: bool = Field(
        True, description="also fit a classifier of character n-grams that predicts first; for models of one head"
    )
    cascade_disagreement: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="share of the reviews labelled by the n-grams that may get another label than the model's",
    )
    timed_rows: int = execution(512, ge=1, description="test rows for timing each variant")


class RegisterCompressedSection(Section):
    """Configures the alias of a compressed model, and how much F1 it may lose. It never becomes champion."""

    alias: str = Field(
        "compressed",
        pattern="^[a-z][a-z0-9_-]*$",
        description="alias of the compressed model; set `label.alias` to it to label with this model",
    )
    max_f1_loss: float = Field(
        0.007, ge=0, le=1, description="loss of test F1 against the teacher that is accepted, by the point estimate"
    )

    @field_validator("alias")
    @classmethod
    def _is_its_own(cls, alias: str) -> str:
        if alias in ("candidate", "champion"):
            raise ValueError("expected another alias; candidate and champion are for `reviewgen run train`")
        return alias
