"""What `reply`, `generate` and `reviewgen write` share: who writes, who checks, and a batch written by them."""

from typing import TYPE_CHECKING

from reviewgen_spark.config import Config, LabelSection

if TYPE_CHECKING:
    from reviewgen_spark.models.registry.registry import RegisteredModel


from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Who writes and who checks, pinned once a run.

    Attributes:
        writer: template, torch or endpoint.
        generator: of the writer `torch`.
        labeller: that checks sentiment, category and toxicity; None where none is registered.
        dictionaries: folder of word lists.
        safety: folder of the lists of checks.
    """

    writer: str
    generator: "RegisteredModel | None"
    labeller: "RegisteredModel | None"
    dictionaries: Path
    safety: Path


def open_spec(config: Config, found: Writing, spark: "SparkSession | None" = None) -> WriterSpec:
    """Who writes, ready to travel; without a session it stays on this machine.

    Raises:
        ConfigError: an endpoint lacks its address or model.
        ModelNotFoundError: the generator's files are missing or damaged.
    """
    if found.writer == "endpoint":
        return endpoint_spec(config.generation)
    if found.writer == "torch":
        assert found.generator is not None
        return torch_spec(found.generator, config.generation, spark)
    return TemplateSpec()


def settings_for(config: Config, found: Writing) -> GenerationSettings:
    """The sections that shape generated texts, together."""
    return GenerationSettings(
        generation=config.generation,
        checks=config.checks,
        tokens=config.tokens,
        label=label_settings(config),
        producer=config.provenance.content_producer,
        safety=found.safety,
        dictionaries=found.dictionaries,
    )


def labels_like_stage(config: Config) -> bool:
    """Whether texts are checked by the model that labels reviews; it then runs as `label` configures it."""
    return config.generation.labeller == config.label.alias


def label_settings(config: Config) -> LabelSection:
    """How the labeller of generated texts runs. Another version than `label.alias` runs by torch alone."""
    if labels_like_stage(config):
        return config.label
    return config.label.model_copy(update={"runtime": "torch", "cascade": False})
