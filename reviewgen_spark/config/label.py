"""Configures how the champion labels reviews."""

from typing import Literal

from pydantic import Field, model_validator

from reviewgen_spark.config.section import Section, execution


class LabelSection(Section):
    """Configures how the champion is shipped and run. Precision is a result field, because it shapes scores."""

    alias: str = Field("champion", description="alias or version of models.name to label with")
    max_chars: int = Field(20_000, ge=1, description="a longer text is not read by the model and gets an `error`")
    precision: Literal["float32", "bfloat16", "int8"] = Field(
        "float32", description="precision of weights and activations; int8 stores linear layers in 8 bits, for CPUs"
    )
    runtime: Literal["torch", "onnx"] = Field(
        "torch",
        description="onnx runs the model.onnx that was registered with a compressed model; needs the extra onnx, on "
        "executors too",
    )
    cascade: bool = Field(
        False,
        description="the n-gram classifier of a compressed model labels reviews if it is certain, and the model "
        "labels the rest; this is several times faster",
    )
    embeddings: bool = Field(False, description="also write gold_review_embeddings, in the same pass")
    max_error_pct: float = Field(
        1.0, ge=0, le=100, description="share of rows with an `error`, in percent, above which nothing is published"
    )
    weights: Literal["broadcast", "localcache"] = execution(
        "broadcast",
        description="ship the model from the driver, or let each node read it from the registry's artifact store",
    )
    broadcast_max_mb: int = execution(512, ge=1, description="a larger model is shipped by localcache")
    without_registry: Literal["pinned", "refuse"] = execution(
        "pinned",
        description="if the registry does not answer or is damaged: label with the version pinned last, or stop",
    )
    compile: bool = execution(
        False, description="compile the model by torch.compile; needs a C++ compiler on the executors"
    )
    tokens_per_batch: int = execution(
        2048, ge=64, description="tokens of a batch: rows x longest row; use 32768 on a GPU"
    )
    window_rows: int = execution(8_192, ge=1, description="rows that are sorted by length together")
    partitions: int | None = execution(None, ge=1, description="tasks of a batch; not set: one for each core")
    device: Literal["auto", "cpu", "cuda"] = execution("auto", description="auto uses a GPU if the worker has one")
    threads: int = execution(
        1, ge=1, description="threads of torch or ONNX Runtime in a worker; Spark distributes the cores"
    )

    @model_validator(mode="after")
    def _check_cascade(self) -> "LabelSection":
        if self.cascade and (self.embeddings or self.weights != "broadcast"):
            raise ValueError(
                "cascade: needs weights broadcast, and embeddings off, because they need the model for every review"
            )
        return self

    @model_validator(mode="after")
    def _check_runtime(self) -> "LabelSection":
        if self.runtime == "torch":
            return self
        required = {"precision": "float32", "embeddings": False, "compile": False, "weights": "broadcast"}
        faults = [f"{name} {getattr(self, name)!r}" for name, value in required.items() if getattr(self, name) != value]
        faults += ["device 'cuda'"] if self.device == "cuda" else []
        if faults:
            raise ValueError(
                f"runtime: onnx cannot be combined with {', '.join(faults)}, because its file is in float32, gives "
                "labels only, is broadcast, and runs on CPUs"
            )
        return self
