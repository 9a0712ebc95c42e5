"""Configures generated texts: their writers, decoding, checks and provenance."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from reviewgen_spark.config.section import Section, execution


class DecodingSection(Section):
    """Configures how a generator chooses tokens. An endpoint gets only temperature, top_p and max_new_tokens."""

    temperature: float = Field(0.8, ge=0, le=5, description="logits are divided by it; 0: the most probable token")
    top_k: int = Field(50, ge=0, description="most probable tokens that a draw may take; 0 for all")
    top_p: float = Field(0.95, gt=0, le=1, description="of these, those that together are so probable")
    repetition_penalty: float = Field(1.1, ge=1, le=10, description="what the text already has is made less likely")
    no_repeat_ngram: int = Field(6, ge=0, description="no run of so many tokens comes twice in a text; 0 for any")
    min_new_tokens: int = Field(1, ge=0, description="tokens that a text has at least before it may end")
    max_new_tokens: int = Field(128, ge=1, le=4096, description="tokens of a text, at most")

    @model_validator(mode="after")
    def _has_room(self) -> "DecodingSection":
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(f"min_new_tokens: got {self.min_new_tokens}, more than max_new_tokens")
        return self


class WatermarkSection(Section):
    """Configures the watermark SynthID-Text of a generator of this project; an endpoint has its own."""

    keys: tuple[int, ...] = Field((), description="secret numbers, 20 to 30 of them; empty: no watermark")
    ngram: int = Field(5, ge=2, le=16, description="tokens whose hash decides")


class EndpointSection(Section):
    """Configures a server with OpenAI's chat completions interface. Its key is read from the environment only."""

    url: str = execution("", description="up to and with /v1, such as http://localhost:8000/v1")
    model: str = Field("", description="as the server names it")
    version: int = Field(0, ge=0, description="counted by hand: the server may change what stands behind a name")
    key_variable: str = execution("REVIEWGEN_ENDPOINT_KEY", description="variable with the key; not set: no key")
    extra: dict[str, Any] = Field(default_factory=dict, description="more of the request's body, such as top_k")
    concurrency: int = execution(8, ge=1, le=256, description="requests at a time")
    timeout_s: float = execution(60, gt=0, description="seconds that one request may take")
    retries: int = execution(4, ge=0, description="after 408, 429, 5xx, a broken connection or a broken answer")
    backoff_s: float = execution(0.5, gt=0, description="before the first retry; doubles with each")
    max_wait_s: float = execution(30, gt=0, description="longest wait; a server that asks for more fails the row")
    requests_per_minute: int | None = execution(
        None, ge=1, description="limit of the rate, retries included; not set: none"
    )
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
    """Configures the stages that write texts: the generator or endpoint, decoding, and the number of attempts.

    `reply` and `generate` compute again when a key changes that their writer reads.
    """

    name: str = Field("review_generator", description="of the registered generator")
    alias: str = Field("generator", description="or its version")
    precision: Literal["float32", "bfloat16", "int8"] = Field(
        "float32", description="of the generator's weights and activations"
    )
    decoding: DecodingSection = DecodingSection()
    watermark: WatermarkSection = WatermarkSection()
    endpoint: EndpointSection = EndpointSection()
    max_attempts: int = Field(
        3, ge=1, description="a text that fails its checks is asked for again, with the next seed"
    )
    labeller: str = Field("champion", description="alias of models.name that checks sentiment and toxicity; or none")
    seed: int = Field(
        1, ge=0, le=2**31, description="each text draws from a seed of its own, made of this one and its request"
    )
    weights: Literal["broadcast", "localcache"] = execution("broadcast", description="as label.weights")
    broadcast_max_mb: int = execution(512, ge=1, description="a bigger model goes by localcache")
    tokens_per_batch: int = execution(8_192, ge=64, description="rows x (longest prompt + longest text)")
    window_rows: int = execution(2_048, ge=1, description="rows that are sorted by length together")
    partitions: int | None = execution(
        None,
        ge=1,
        description="tasks of a batch; not set: one for each core. A writer with limits of its own has one task",
    )
    device: Literal["auto", "cpu", "cuda"] = execution(
        "auto", description="of the generator and the labeller; auto takes a GPU where the worker sees one"
    )
    threads: int = execution(
        1, ge=1, description="of torch in a worker; `reviewgen write`, which is one process, uses all cores"
    )

    @model_validator(mode="after")
    def _can_be_marked(self) -> "GenerationSection":
        if self.watermark.keys and self.decoding.temperature == 0:
            raise ValueError("watermark.keys: a watermark needs a choice; set decoding.temperature above 0")
        return self


class ChecksSection(Section):
    """Configures the limits for publishing a generated text; docs/experiments.md has the figures behind them."""

    length_tolerance_pct: float = Field(50, ge=0, le=100, description="over or under the length that was asked for")
    min_language_score: float = Field(0.6, ge=0, le=1, description="below it, another language is only a guess")
    max_repetition: float = Field(0.2, ge=0, le=1, description="share of n-grams that stood before in the text")
    max_toxicity: float = Field(0.5, ge=0, le=1, description="probability by the labeller")
    max_contradiction: float = Field(0.7, ge=0, le=1, description="probability of the sentiment not asked for")
    max_copied_zh: int = Field(15, ge=1, description="characters in a row as in a source or in training data")
    max_copied_en: int = Field(8, ge=1, description="words in a row, likewise")


class ProvenanceSection(Section):
    """Configures the producer in the metadata of generated texts by GB 45438-2025: names or codes."""

    content_producer: str = Field("reviewgen", min_length=1, description="who offers the generating service")
    content_propagator: str = execution("", description="who spreads an export; empty leaves it to the platform")


class ReplySection(Section):
    """Configures which reviews get a reply, and which writer writes it."""

    writer: Literal["template", "torch", "endpoint"] = Field(
        "template", description="template: fixed sentences; torch: the generator of this project; endpoint: a server"
    )
    max_stars: int = Field(2, ge=1, le=5, description="reviews with so many stars at most complain, whatever they say")
    length: Literal["short", "medium", "long"] = Field("medium", description="of a reply")
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
        description="product_copy by the writer torch needs a generator that learnt it (finetune_generator.examples)",
    )
    augmentation_pct: float = Field(5.0, ge=0, le=100, description="share of the training reviews that are varied")
    keywords: int = Field(5, ge=0, description="of a product or a review, that its request names")
    sources: int = Field(5, ge=1, description="reviews of a product, that its copy rests on")
    length: Literal["short", "medium", "long"] = Field("medium", description="of product copy")
    max_error_pct: float = Field(
        10.0,
        ge=0,
        le=100,
        description="share of texts with an `error`, in percent, that is still published; also for `reviewgen write`",
    )
