"""Configures how the champion labels reviews."""

from typing import Literal

from pydantic import Field, model_validator

from reviewgen_spark.config.section import Section, execution


class LabelSection(Section):
    """Configures how the champion is shipped and run. Precision is a result field, because it shapes scores."""

    alias: str = Field("champion", description="alias or version of models.name that labels")
    max_chars: int = Field(20_000, ge=1, description="a longer text is not read by the model and gets an `error`")
    precision: Literal["float32", "bfloat16", "int8"] = Field(
        "float32", description="of weights and activations; int8, linear layers in 8 bits, is for CPUs"
    )
    runtime: Literal["torch", "onnx"] = Field(
        "torch",
        description="onnx runs the model.onnx that was registered with a compressed model; needs the extra onnx, on "
        "executors too",
    )
    cascade: bool = Field(
        False,
        description="the n-gram classifier that was registered with a compressed model answers what it is sure of, and "
        "the model reads the rest: several times faster",
    )
    embeddings: bool = Field(False, description="also write gold_review_embeddings, from the same pass")
    max_error_pct: float = Field(
        1.0, ge=0, le=100, description="share of rows with an `error`, in percent, above which nothing is published"
    )
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
    partitions: int | None = execution(None, ge=1, description="tasks of a batch; not set: one for each core")
    device: Literal["auto", "cpu", "cuda"] = execution("auto", description="auto takes a GPU where the worker sees one")
    threads: int = execution(
        1, ge=1, description="of torch or ONNX Runtime in a worker; cores are Spark's to share out"
    )

    @model_validator(mode="after")
    def _fit_the_cascade(self) -> "LabelSection":
        if self.cascade and (self.embeddings or self.weights != "broadcast"):
            raise ValueError(
                "cascade: goes with weights broadcast, and without embeddings: they need the model for every review"
            )
        return self

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
