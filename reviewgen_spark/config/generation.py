"""Configures generated texts: their writers, decoding, checks and provenance."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from reviewgen_spark.config.section import Section, execution


class DecodingSection(Section):
    """Configures how a generator chooses tokens. An endpoint gets only temperature, top_p and max_new_tokens."""

    temperature: float = Field(
        0.8, ge=0, le=5, description="the logits are divided by it; 0: always the most probable token"
    )
    top_k: int = Field(50, ge=0, description="number of most probable tokens to draw from; 0 for all")
    top_p: float = Field(
        0.95, gt=0, le=1, description="of these, the most probable tokens up to this total probability"
    )
    repetition_penalty: float = Field(
        1.1, ge=1, le=10, description="tokens that the text already has become less probable by this factor"
    )
    no_repeat_ngram: int = Field(
        6, ge=0, description="no sequence of this number of tokens is repeated in a text; 0: no limit"
    )
    min_new_tokens: int = Field(1, ge=0, description="tokens of a text, at least")
    max_new_tokens: int = Field(128, ge=1, le=4096, description="tokens of a text, at most")

    @model_validator(mode="after")
    def _has_room(self) -> "DecodingSection":
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(f"min_new_tokens: got {self.min_new_tokens}, more than max_new_tokens")
        return self


class WatermarkSection(Section):
    """Configures the watermark SynthID-Text for generators of this project. It does not apply to endpoints."""

    keys: tuple[int, ...] = Field((), description="20 to 30 secret numbers; empty: no watermark")
    ngram: int = Field(5, ge=2, le=16, description="tokens that are hashed for each choice")


class EndpointSection(Section):
    """Configures a server with OpenAI's chat completions interface. Its key is read from the environment only."""

    url: str = execution("", description="address of the server, with /v1, such as http://localhost:8000/v1")
    model: str = Field("", description="name of the model on the server")
    version: int = Field(0, ge=0, description="raise it by hand if the server has another model under the same name")
    key_variable: str = execution(
        "REVIEWGEN_ENDPOINT_KEY", description="environment variable with the key; if it is not set, no key is sent"
    )
    extra: dict[str, Any] = Field(default_factory=dict, description="more fields of the request's body, such as top_k")
    concurrency: int = execution(8, ge=1, le=256, description="requests at a time")
    timeout_s: float = execution(60, gt=0, description="seconds that one request may take")
    retries: int = execution(
        4, ge=0, description="retries after 408, 429, 5xx, a broken connection or an invalid answer"
    )
    backoff_s: float = execution(0.5, gt=0, description="seconds before the first retry; doubled for each further one")
    max_wait_s: float = execution(
        30, gt=0, description="longest wait in seconds; if the server requests more, the row fails"
    )
    requests_per_minute: int | None = execution(
        None, ge=1, description="requests a minute, with retries; not set: no limit"
    )
    max_requests: int | None = Field(
        None, ge=0, description="requests of a batch, with retries; further rows fail; not set: no limit"
    )
    max_tokens: int | None = Field(
        None, ge=0, description="tokens read and written for a batch; further rows fail; not set: no limit"
    )
    give_up_after: int = execution(
        20, ge=1, description="after this number of consecutive failed rows, the other rows fail without a request"
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("expected a URL that begins with http:// or https://")
        return url.rstrip("/")


class GenerationSection(Section):
    """Configures the stages that write texts: the generator or endpoint, decoding, and the number of attempts.

    `reply` and `generate` compute again when a key of their writer changes.
    """

    name: str = Field("review_generator", description="name of the registered generator")
    alias: str = Field("generator", description="alias or version of the generator")
    precision: Literal["float32", "bfloat16", "int8"] = Field(
        "float32", description="precision of the generator's weights and activations"
    )
    decoding: DecodingSection = DecodingSection()
    watermark: WatermarkSection = WatermarkSection()
    endpoint: EndpointSection = EndpointSection()
    max_attempts: int = Field(3, ge=1, description="attempts for a text that fails its checks, each with the next seed")
    labeller: str = Field(
        "champion", description="alias or version of models.name that checks sentiment and toxicity; or none"
    )
    seed: int = Field(
        1, ge=0, le=2**31, description="each text has its own seed, computed from this one and its request"
    )
    weights: Literal["broadcast", "localcache"] = execution("broadcast", description="as label.weights")
    broadcast_max_mb: int = execution(512, ge=1, description="a larger model is shipped by localcache")
    tokens_per_batch: int = execution(
        8_192, ge=64, description="tokens of a batch: rows x (longest prompt + longest text)"
    )
    window_rows: int = execution(2_048, ge=1, description="rows that are sorted by length together")
    partitions: int | None = execution(
        None,
        ge=1,
        description="tasks of a batch; not set: one for each core. A writer with its own limits has one task",
    )
    device: Literal["auto", "cpu", "cuda"] = execution(
        "auto", description="device of the generator and the labeller; auto uses a GPU if the worker has one"
    )
    threads: int = execution(
        1, ge=1, description="torch threads of a worker; `reviewgen write` is one process and uses all cores"
    )

    @model_validator(mode="after")
    def _can_be_marked(self) -> "GenerationSection":
        if self.watermark.keys and self.decoding.temperature == 0:
            raise ValueError("watermark.keys: a watermark needs random choices; set decoding.temperature above 0")
        return self


class ChecksSection(Section):
    """Configures the limits for publishing a generated text; docs/experiments.md has the figures behind them."""

    length_tolerance_pct: float = Field(
        50, ge=0, le=100, description="accepted deviation from the requested length, in percent"
    )
    min_language_score: float = Field(
        0.6, ge=0, le=1, description="below this score, another detected language is not reliable"
    )
    max_repetition: float = Field(0.2, ge=0, le=1, description="share of n-grams that occurred before in the text")
    max_toxicity: float = Field(0.5, ge=0, le=1, description="probability of toxicity by the labeller")
    max_contradiction: float = Field(
        0.7, ge=0, le=1, description="probability of the opposite of the requested sentiment"
    )
    max_copied_zh: int = Field(
        15, ge=1, description="consecutive characters that a source or the training data has too"
    )
    max_copied_en: int = Field(8, ge=1, description="consecutive words that a source or the training data has too")


class ProvenanceSection(Section):
    """Configures the producer in the metadata of generated texts by GB 45438-2025: names or codes."""

    content_producer: str = Field("reviewgen", min_length=1, description="provider of the generating service")
    content_propagator: str = execution("", description="distributor of an export; empty: the platform fills it in")


class ReplySection(Section):
    """Configures which reviews get a reply, and which writer writes it."""

    writer: Literal["template", "torch", "endpoint"] = Field(
        "template", description="template: fixed sentences; torch: the generator of this project; endpoint: a server"
    )
    max_stars: int = Field(
        2, ge=1, le=5, description="reviews with at most this number of stars are complaints, whatever their text says"
    )
    length: Literal["short", "medium", "long"] = Field("medium", description="length of a reply")
    max_error_pct: float = Field(
        5.0, ge=0, le=100, description="share of replies with an `error`, in percent, above which nothing is published"
    )


class GenerateSection(Section):
    """Configures which texts are generated in bulk, from which sources, and by which writer."""

    writer: Literal["template", "torch", "endpoint"] = Field(
        "torch", description="template: fixed sentences; torch: the generator of this project; endpoint: a server"
    )
    purposes: tuple[Literal["augmentation", "product_copy"], ...] = Field(
        ("augmentation",),
        min_length=1,
        description="purposes of the texts; product_copy with the writer torch needs a generator trained for it "
        "(finetune_generator.examples)",
    )
    augmentation_pct: float = Field(5.0, ge=0, le=100, description="share of the training reviews that are varied")
    keywords: int = Field(5, ge=0, description="keywords of a product or a review in its request, at most")
    sources: int = Field(5, ge=1, description="reviews of a product that are sources of its copy, at most")
    length: Literal["short", "medium", "long"] = Field("medium", description="length of product copy")
    max_error_pct: float = Field(
        10.0,
        ge=0,
        le=100,
        description="share of texts with an `error`, in percent, above which nothing is published; also for "
        "`reviewgen write`",
    )
