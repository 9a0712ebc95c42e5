"""Configures the training of classifiers: the shared loop, the pipelines pretrain and train, and tune."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from reviewgen_spark.config.section import Section, execution


class ModelsSection(Section):
    """Configures the base of the classifier, and its registered name."""

    base: str = Field(
        "scratch:tiny",
        description="scratch:<size>, embedded, embedded:<layers>, pretrained (by `reviewgen run pretrain`), "
        "a folder, models:/<name>@<alias> of the registry, or a name on the hub",
    )
    name: str = Field("review_sentiment", description="registered name of the classifier")


class TrainingSection(Section):
    """Configures the input of the model and the training loop, for every training."""

    max_tokens: int = Field(128, ge=8, le=512, description="tokens of a text that the model reads; the rest is cut off")
    vocabulary_size: int = Field(8_000, ge=500, description="tokens in the vocabulary of a scratch base")
    epochs: int = Field(3, ge=1, description="passes over the training rows, at most")
    batch_size: int = Field(32, ge=1, description="rows of a forward pass")
    learning_rate: float = Field(5e-4, gt=0, description="highest learning rate, right after the warm-up")
    weight_decay: float = Field(
        0.01, ge=0, description="share of a weight that a step removes, before multiplication by the learning rate"
    )
    warmup_pct: float = Field(
        10, ge=0, le=100, description="share of all steps in which the learning rate rises from 0, in percent"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="probability that an activation is set to 0 while training")
    max_grad_norm: float = Field(1.0, gt=0, description="longer gradients are scaled down to this norm")
    embedding_rate: float = Field(
        1.0,
        ge=0,
        le=100,
        description="learning rate of the word embeddings, as a multiple of learning_rate; 0 freezes them",
    )
    patience: int = Field(2, ge=1, description="epochs without a better validation figure before stopping")
    seed: int = Field(42, description="seed of initial weights, order of rows and dropout")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="precision of forward and backward passes; auto uses bfloat16 if it is faster on the device"
    )
    accumulate: int = execution(1, ge=1, description="batches whose gradients are summed before a step")
    device: Literal["auto", "cpu", "cuda"] = execution("auto", description="auto uses a GPU if this process has one")
    threads: int | None = execution(None, ge=1, description="torch threads; not set: torch's default")
    compile: bool = execution(False, description="whether the model is compiled by torch.compile")


class PretrainSection(TrainingSection):
    """Configures how a language model is pre-trained on unlabelled reviews."""

    base: str = Field("scratch:tiny", description="as models.base: starts from scratch or from a base")
    objective: Literal["mlm", "mlm+sop", "clm"] = Field(
        "mlm", description="predict masked words (mlm), also the order of sentences (mlm+sop), or the next token (clm)"
    )
    mask_pct: float = Field(
        15, gt=0, lt=100, description="share of the tokens to predict, in percent; for mlm and mlm+sop"
    )


class FinetuneSection(TrainingSection):
    """Configures how the encoder is fine-tuned."""

    labels: Literal["gold", "rating", "weak"] = Field("gold", description="where the training labels come from")
    tasks: tuple[Literal["sentiment", "sentiment3", "stars", "category", "toxicity", "aspect"], ...] = Field(
        ("sentiment",),
        description="one head for each task on one encoder; sentiment comes first. Aspect must be alone, because its "
        "input is a text and an aspect",
    )
    two_labels: Literal["softmax", "sigmoid"] = Field(
        "softmax",
        description="loss of tasks with two labels: two logits with softmax, or one with binary cross-entropy",
    )
    held_out_categories: tuple[str, ...] = Field(
        (), description="categories left out of training, to measure how the model transfers to them"
    )
    rows_per_label: int | None = Field(
        None, ge=1, description="for few-shot training: training rows of a label, at most"
    )
    method: Literal["full", "frozen", "lora", "adalora", "bottleneck"] = Field(
        "full",
        description="which weights are trained: all, the head alone, or added ones that are merged afterwards; those "
        "of bottleneck cannot be merged, so such a model is not registered",
    )
    rank: int = Field(
        8, ge=1, description="rank of the matrices that lora and adalora add, or width of bottleneck adapters"
    )
    augmentation: tuple[Literal["synonym", "swap", "delete"], ...] = Field((), description="how texts are varied")
    back_translation: tuple[str, str] | None = Field(
        None, description="two sequence-to-sequence checkpoints, which translate a text into another language and back"
    )
    augmentation_rate: float = Field(0.1, gt=0, le=1, description="share of a text's words that are changed")
    augmentation_share: float = Field(
        0.5, gt=0, le=1, description="share of the texts that are varied, drawn again each epoch"
    )
    mixup_alpha: float = Field(0.0, ge=0, description="alpha of the Beta distribution for mixing texts; 0: no mixing")
    optimizer: Literal["adamw", "adam"] = Field("adamw", description="adam uses weight_decay as an L2 penalty")
    schedule: Literal["linear", "plateau", "constant"] = Field(
        "linear",
        description="learning rate after the warm-up: falls to 0, halves after an epoch without gain, or is constant",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target that is spread over all labels")
    class_weights: Literal["none", "balanced"] = Field(
        "none",
        description="balanced weights each label by the inverse of its share, so that rare labels have the same weight",
    )
    processes: int = execution(
        1, ge=1, description="training processes on this machine, which share each batch; `reviewgen tune` uses one"
    )

    @field_validator("tasks")
    @classmethod
    def _check_tasks(cls, tasks: tuple[str, ...]) -> tuple[str, ...]:
        if tasks == ("aspect",):
            return tasks
        if not tasks or tasks[0] != "sentiment" or "aspect" in tasks or len(set(tasks)) != len(tasks):
            raise ValueError(
                "expected each task once, sentiment first, because the label tables and the gate read it; or aspect "
                "alone, because its input is a text and an aspect"
            )
        return tasks

    @model_validator(mode="after")
    def _check_aspect(self) -> "FinetuneSection":
        if self.tasks != ("aspect",):
            return self
        if self.labels != "gold":
            raise ValueError(f"labels: got {self.labels!r}; the task aspect has gold labels only")
        if self.augmentation or self.back_translation or self.mixup_alpha:
            raise ValueError(
                "tasks: aspect cannot be combined with augmentation, back_translation or mixup_alpha, because a varied "
                "text may have lost its aspect"
            )
        return self


class TuneSection(Section):
    """Configures the search of `reviewgen tune`: ranges with both ends included, and the number of trials."""

    trials: int = Field(20, ge=1, description="trials of the whole study, with those of earlier calls")
    unpruned_trials: int = Field(
        5, ge=1, description="trials before the first one may be stopped because it is below the median"
    )
    learning_rate: tuple[float, float] = Field((1e-5, 1e-3), description="range, searched on a logarithmic scale")
    batch_size: tuple[int, ...] = Field((16, 32, 64), description="values to choose from")
    epochs: tuple[int, int] = Field((1, 4), description="range")
    dropout: tuple[float, float] = Field((0.0, 0.3), description="range")
    weight_decay: tuple[float, float] = Field((0.0, 0.1), description="range")
    warmup_pct: tuple[float, float] = Field((0.0, 20.0), description="range, in percent")
    label_smoothing: tuple[float, float] = Field((0.0, 0.1), description="range")
    seed: int = Field(42, description="seed of the sampler that proposes settings")


class EvaluateSection(Section):
    """Configures how a model is scored and compared."""

    bootstrap_samples: int = Field(1000, ge=100, description="samples for each 95 % interval")
    robustness_rows: int = Field(500, ge=0, description="test rows scored with each perturbation; 0: no test")
    seed: int = Field(42, description="seed of the bootstrap and of the perturbations")


class RegisterSection(Section):
    """Configures when a new model becomes champion. Without a champion, only the limits of size and latency count."""

    min_f1_gain: float = Field(
        0.0,
        ge=-1,
        le=1,
        description="test F1 that a candidate must gain over the champion; a negative value allows a loss",
    )
    evidence: Literal["interval", "point"] = Field(
        "interval", description="value that must exceed min_f1_gain: the gain's lower 95 % bound, or the gain itself"
    )
    max_slice_drop: float = Field(
        0.05,
        ge=0,
        le=1,
        description="accuracy that no category or language may lose; for 100 rows, 0.05 is one error bar",
    )
    min_slice_rows: int = Field(
        100, ge=1, description="smaller slices are not checked, because chance changes them by as much"
    )
    max_size_mb: float | None = Field(
        None, gt=0, description="size of the model folder, in 10^6 bytes; not set: no limit"
    )
    max_latency_ms: float | None = Field(
        None, gt=0, description="latency of one text alone, on one thread of this machine; not set: no limit"
    )
