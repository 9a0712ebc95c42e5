"""Configures the training of classifiers: the shared loop, the pipelines pretrain and train, and tune."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from reviewgen_spark.config.section import Section, execution


class ModelsSection(Section):
    """Configures the base of the classifier, and its registered name."""

    base: str = Field(
        "scratch:tiny",
        description="scratch:<size>, embedded, embedded:<layers>, pretrained (what `reviewgen run pretrain` made), "
        "a folder, models:/<name>@<alias> of the registry, or a name on the hub",
    )
    name: str = Field("review_sentiment", description="registered name of the classifier")


class TrainingSection(Section):
    """Configures the input of the model and the training loop, for every training."""

    max_tokens: int = Field(128, ge=8, le=512, description="tokens of a text that the model reads; the rest is cut off")
    vocabulary_size: int = Field(8_000, ge=500, description="of a scratch base")
    epochs: int = Field(3, ge=1, description="passes over the training rows, at most")
    batch_size: int = Field(32, ge=1, description="rows of a forward pass")
    learning_rate: float = Field(5e-4, gt=0, description="the highest, right after the warm-up")
    weight_decay: float = Field(
        0.01, ge=0, description="share of a weight that a step takes away, times the learning rate"
    )
    warmup_pct: float = Field(
        10, ge=0, le=100, description="share of all steps in which the learning rate rises from 0, in percent"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="probability that an activation is set to 0 while training")
    max_grad_norm: float = Field(1.0, gt=0, description="gradients longer than this are shortened to it")
    embedding_rate: float = Field(
        1.0, ge=0, le=100, description="of the word embeddings, as a multiple of learning_rate; 0 freezes them"
    )
    patience: int = Field(2, ge=1, description="epochs without a better validation figure before stopping")
    seed: int = Field(42, description="of initial weights, order of rows and dropout")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of forward and backward passes; auto takes bfloat16 where the device computes it faster"
    )
    accumulate: int = execution(1, ge=1, description="batches whose gradients are added up before a step")
    device: Literal["auto", "cpu", "cuda"] = execution(
        "auto", description="auto takes a GPU where this process sees one"
    )
    threads: int | None = execution(None, ge=1, description="of torch; not set: as many as torch takes")
    compile: bool = execution(False, description="whether the model is compiled by torch.compile")


class PretrainSection(TrainingSection):
    """Configures how a language model is pre-trained on unlabelled reviews."""

    base: str = Field("scratch:tiny", description="as models.base: from nothing, or on from a base")
    objective: Literal["mlm", "mlm+sop", "clm"] = Field(
        "mlm", description="masked words; these and the order of sentences; or the next token"
    )
    mask_pct: float = Field(
        15, gt=0, lt=100, description="share of the tokens that are to be guessed, in percent; for mlm and mlm+sop"
    )


class FinetuneSection(TrainingSection):
    """Configures how the encoder is fine-tuned."""

    labels: Literal["gold", "rating", "weak"] = Field("gold", description="where the training labels come from")
    tasks: tuple[Literal["sentiment", "sentiment3", "stars", "category", "toxicity", "aspect"], ...] = Field(
        ("sentiment",),
        description="one head each on one encoder; sentiment comes first. Aspect reads a text and an aspect of it, and "
        "so stands alone",
    )
    two_labels: Literal["softmax", "sigmoid"] = Field(
        "softmax", description="how tasks of two labels are told apart: two logits, or one with binary cross-entropy"
    )
    held_out_categories: tuple[str, ...] = Field((), description="not trained on: to see what carries over to them")
    rows_per_label: int | None = Field(None, ge=1, description="few-shot: at most so many training rows a label")
    method: Literal["full", "frozen", "lora", "adalora", "bottleneck"] = Field(
        "full",
        description="which weights are trained: all, the head alone, or added ones, merged in afterwards; those of "
        "bottleneck cannot be merged, and such a model is not registered",
    )
    rank: int = Field(
        8, ge=1, description="of the matrices that lora and adalora add; the width of bottleneck adapters"
    )
    augmentation: tuple[Literal["synonym", "swap", "delete"], ...] = Field((), description="how texts are varied")
    back_translation: tuple[str, str] | None = Field(
        None, description="two sequence-to-sequence checkpoints, there and back: texts are varied by a detour"
    )
    augmentation_rate: float = Field(0.1, gt=0, le=1, description="share of a text's words that are changed")
    augmentation_share: float = Field(
        0.5, gt=0, le=1, description="share of the texts that are varied, anew each epoch"
    )
    mixup_alpha: float = Field(0.0, ge=0, description="of the Beta distribution that texts are mixed by; 0 for none")
    optimizer: Literal["adamw", "adam"] = Field("adamw", description="adam takes weight_decay as an L2 penalty")
    schedule: Literal["linear", "plateau", "constant"] = Field(
        "linear", description="after the warm-up: down to 0, halved after an epoch that is no better, or as it is"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target that is spread over all labels")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced weighs each label by the inverse of its share, so that a rare one counts as much"
    )
    processes: int = execution(
        1, ge=1, description="training processes on this machine, which share each batch; `reviewgen tune` uses one"
    )

    @field_validator("tasks")
    @classmethod
    def _begin_with_sentiment(cls, tasks: tuple[str, ...]) -> tuple[str, ...]:
        if tasks == ("aspect",):
            return tasks
        if not tasks or tasks[0] != "sentiment" or "aspect" in tasks or len(set(tasks)) != len(tasks):
            raise ValueError(
                "expected each task once, sentiment first: it is what the label tables and the gate read; or aspect "
                "alone, whose input is a text and an aspect"
            )
        return tasks

    @model_validator(mode="after")
    def _leave_pairs_as_they_are(self) -> "FinetuneSection":
        if self.tasks != ("aspect",):
            return self
        if self.labels != "gold":
            raise ValueError(f"labels: got {self.labels!r}; the task aspect has gold labels only")
        if self.augmentation or self.back_translation or self.mixup_alpha:
            raise ValueError(
                "tasks: aspect goes without augmentation, back_translation and mixup_alpha: a text that was varied may "
                "have lost its aspect"
            )
        return self


class TuneSection(Section):
    """Configures the search of `reviewgen tune`: ranges with both ends included, and the number of trials."""

    trials: int = Field(20, ge=1, description="of the whole study, those of earlier calls included")
    unpruned_trials: int = Field(5, ge=1, description="before any is cut short for being below the median")
    learning_rate: tuple[float, float] = Field((1e-5, 1e-3), description="range, searched on a logarithmic scale")
    batch_size: tuple[int, ...] = Field((16, 32, 64), description="values to choose from")
    epochs: tuple[int, int] = Field((1, 4), description="range")
    dropout: tuple[float, float] = Field((0.0, 0.3), description="range")
    weight_decay: tuple[float, float] = Field((0.0, 0.1), description="range")
    warmup_pct: tuple[float, float] = Field((0.0, 20.0), description="range, in percent")
    label_smoothing: tuple[float, float] = Field((0.0, 0.1), description="range")
    seed: int = Field(42, description="of the sampler that proposes settings")


class EvaluateSection(Section):
    """Configures how a model is scored and compared."""

    bootstrap_samples: int = Field(1000, ge=100, description="samples behind each 95 % interval")
    robustness_rows: int = Field(500, ge=0, description="test rows scored under each perturbation; 0 for none")
    seed: int = Field(42, description="of the bootstrap and of the perturbations")


class RegisterSection(Section):
    """Configures when a new model becomes champion. Without a champion, only the limits of size and latency count."""

    min_f1_gain: float = Field(
        0.0,
        ge=-1,
        le=1,
        description="test F1 that a candidate must gain over the champion; a negative value allows a loss",
    )
    evidence: Literal["interval", "point"] = Field(
        "interval", description="what must exceed min_f1_gain: the gain's lower 95 % bound, or the gain itself"
    )
    max_slice_drop: float = Field(
        0.05,
        ge=0,
        le=1,
        description="accuracy that no category or language may lose; 0.05 of 100 rows is one error bar",
    )
    min_slice_rows: int = Field(100, ge=1, description="smaller slices are not asked: chance moves them by as much")
    max_size_mb: float | None = Field(None, gt=0, description="of the model folder, in 10^6 bytes; not set: no limit")
    max_latency_ms: float | None = Field(None, gt=0, description="of one text alone, on one thread of this machine")
