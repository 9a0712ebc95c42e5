"""Prepares the writer and the checks for `reply`, `generate` and `reviewgen write`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.config import Config, LabelSection
from reviewgen_spark.inference.generation.endpoint import endpoint_spec
from reviewgen_spark.inference.generation.generate import GenerationSettings
from reviewgen_spark.inference.generation.template_writer import TemplateSpec
from reviewgen_spark.inference.generation.torch_writer import torch_spec
from reviewgen_spark.inference.generation.writers import WriterSpec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from reviewgen_spark.models.registry.registry import RegisteredModel

NO_LABELLER = "none"


@dataclass(frozen=True)
class Writing:
    """Holds the writer and the labeller of a run, resolved once a run.

    Attributes:
        writer: template, torch or endpoint.
        generator: the model of the writer `torch`; None for other writers.
        labeller: the model that labels texts for the checks; None if none is registered.
        dictionaries: folder of word lists.
        safety: folder of the word lists of the checks.
    """

    writer: str
    generator: "RegisteredModel | None"
    labeller: "RegisteredModel | None"
    dictionaries: Path
    safety: Path


def open_spec(config: Config, writing: Writing, spark: "SparkSession | None" = None) -> WriterSpec:
    """Returns the spec of the writer. With a session, the model is shipped to the executors.

    Raises:
        ConfigError: an endpoint lacks its address or model.
        ModelNotFoundError: the generator's files are missing or damaged.
    """
    if writing.writer == "endpoint":
        return endpoint_spec(config.generation)
    if writing.writer == "torch":
        assert writing.generator is not None
        return torch_spec(writing.generator, config.generation, spark)
    return TemplateSpec()


def settings_for(config: Config, writing: Writing) -> GenerationSettings:
    """Collects the sections that shape generated texts."""
    return GenerationSettings(
        generation=config.generation,
        checks=config.checks,
        tokens=config.tokens,
        label=label_settings(config),
        producer=config.provenance.content_producer,
        safety=writing.safety,
        dictionaries=writing.dictionaries,
    )


def labels_like_stage(config: Config) -> bool:
    """Returns whether the model that labels reviews also checks texts. It then runs as `label` configures it."""
    return config.generation.labeller == config.label.alias


def label_settings(config: Config) -> LabelSection:
    """Returns how the labeller of generated texts runs. Another alias than `label.alias` runs by torch alone."""
    if labels_like_stage(config):
        return config.label
    return config.label.model_copy(update={"runtime": "torch", "cascade": False})
