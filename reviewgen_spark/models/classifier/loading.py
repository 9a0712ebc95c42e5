"""Loads a classifier from a model folder, with its weights mapped from the file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.models.classifier.adapters import insert_bottlenecks
from reviewgen_spark.models.classifier.bert import BertClassifier, read_config
from reviewgen_spark.models.classifier.model_folder import AdapterSettings

Device = Literal["auto", "cpu", "cuda"]


def choose_device(device: Device) -> str:
    """Resolves `auto` on this machine. Call it on the machine that runs the model, not on the driver for the executors.

    Raises:
        ConfigError: the device is `cuda` but there is no GPU.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device 'cuda': torch sees no GPU on this machine; use 'auto' or 'cpu'")
    return device


def load_forward(folder: Path, adapter: AdapterSettings | None = None) -> Any:
    """Loads a classifier for prediction; plain BERT needs no `transformers`."""
    config = read_config(folder)
    return _load_mapped(lambda: BertClassifier(config), folder, adapter) if config else load_classifier(folder, adapter)


def load_classifier(folder: Path, adapter: AdapterSettings | None = None) -> Any:
    """Loads a classifier as a model of `transformers`, with its adapters if it has any."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    def build() -> Any:
        return AutoModelForSequenceClassification.from_config(AutoConfig.from_pretrained(folder))

    return _load_mapped(build, folder, adapter)


def _load_mapped(build: Callable[[], Any], folder: Path, adapter: AdapterSettings | None) -> Any:
    """Builds a classifier whose weights are memory-mapped from the file.

    The tensors of safetensors are views of the mapped file, and `assign` makes them the parameters. So processes that
    load one file share its pages, but `from_pretrained` copies them. Measured for a model of 70 MB: 0 against 32 MB
    private memory.
    """
    from safetensors.torch import load_file

    with parameters_on_meta():
        model = build()
        if adapter:
            insert_bottlenecks(model, adapter.size)
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=True, assign=True)
    model.requires_grad_(False)
    return model


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Builds modules whose parameters use no memory, but whose buffers (position ids) are real.

    `torch.device("meta")` would also move the buffers, which the file does not contain. `init_empty_weights` of
    accelerate does the same as this function.
    """
    register = torch.nn.Module.register_parameter

    def register_on_meta(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        if parameter is not None:
            parameter = torch.nn.Parameter(parameter.to("meta"), requires_grad=False)
        register(module, name, parameter)

    torch.nn.Module.register_parameter = register_on_meta  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        torch.nn.Module.register_parameter = register  # type: ignore[method-assign]
