"""What `reply`, `generate` and `reviewgen write` share: who writes, who checks, and a batch written by them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark import StorageLevel

from reviewgen_spark.config import Config, LabelSection
from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.inference.generation.diversity import describe_texts
from reviewgen_spark.inference.generation.endpoint import endpoint_spec
from reviewgen_spark.inference.generation.generate import GenerationSettings, write_texts
from reviewgen_spark.inference.generation.template_writer import TemplateSpec
from reviewgen_spark.inference.generation.torch_writer import torch_spec
from reviewgen_spark.inference.generation.writers import WriterSpec
from reviewgen_spark.models.generator.generator_folder import read_generator
from reviewgen_spark.orchestration.resources.models import dictionaries, hashes_beside, label_model, safety_lists
from reviewgen_spark.orchestration.stage import Assets, Inputs
from reviewgen_spark.text.requests.templates import TEMPLATE_VERSION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from reviewgen_spark.models.registry.local_copies import Pinned
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


def writing(config: Config, writer: str, purposes: Iterable[str] = ()) -> Assets:
    """Everything that a stage needs in order to write; only what this writer heeds of `generation` is hashed.

    Args:
        config: the sections `generation`, `models` and `paths`.
        writer: template, torch or endpoint.
        purposes: what the stage is going to ask for.

    Raises:
        ConfigError: the generator was not taught one of the purposes.
        ModelNotFoundError: the writer is `torch`, and no generator is registered; or `generation.labeller` names a
            version that is not there.
    """
    from reviewgen_spark.models.registry.generators import resolve_generator

    section = config.generation
    generator = None
    if writer == "torch":
        generator = resolve_generator(section.name, section.alias, config.paths.tracking_uri)
        _require_taught(generator, purposes)
    labeller = _labeller(config)
    words, safety = dictionaries(config), safety_lists(config)
    hashes = {
        **words.hashes,
        **safety.hashes,
        "writer": writer,
        "settings": json.dumps(settings_of(config, writer), sort_keys=True),
        "generator": f"{generator.name}/{generator.version} {generator.sha256}" if generator else "",
        "labeller": labeller.model.sha256 if labeller else NO_LABELLER,
    }
    if labeller and labels_like_stage(config):
        hashes |= hashes_beside(config, labeller.model)
    found = Writing(writer, generator, labeller.model if labeller else None, words.value, safety.value)
    return Assets(hashes, found, (labeller.warning,) if labeller and labeller.warning else ())


def _require_taught(generator: "RegisteredModel", purposes: Iterable[str]) -> None:
    """Say at once what otherwise each row would say."""
    taught = read_generator(generator.path).purposes
    if untaught := [purpose for purpose in purposes if purpose not in taught]:
        raise ConfigError(
            f"{generator.name} version {generator.version} was taught {', '.join(taught)}, not {', '.join(untaught)}; "
            "ask for less, take the writer 'template' or 'endpoint', or train one with examples of it "
            "(finetune_generator.examples, `reviewgen run train_generator`)"
        )


def settings_of(config: Config, writer: str) -> dict[str, object]:
    """The keys of `generation` that shape what a writer writes."""
    part = config.generation.result_part()
    shared = {name: part[name] for name in ("max_attempts", "seed")}
    decoding, endpoint = part["decoding"], part["endpoint"]
    if writer == "torch":
        return {**shared, "precision": part["precision"], "decoding": decoding, "watermark": part["watermark"]}
    if writer == "endpoint":
        heard = {name: decoding[name] for name in ("temperature", "top_p", "max_new_tokens")}
        return {**shared, "decoding": heard, "endpoint": endpoint}
    return {**shared, "templates": TEMPLATE_VERSION}


def labels_like_stage(config: Config) -> bool:
    """Whether texts are checked by the model that labels reviews; it then runs as `label` configures it."""
    return config.generation.labeller == config.label.alias


def label_settings(config: Config) -> LabelSection:
    """How the labeller of generated texts runs. Another version than `label.alias` runs by torch alone."""
    if labels_like_stage(config):
        return config.label
    return config.label.model_copy(update={"runtime": "torch", "cascade": False})


def _labeller(config: Config) -> "Pinned | None":
    alias = config.generation.labeller
    if alias == NO_LABELLER:
        return None
    try:
        return label_model(config.model_copy(update={"label": label_settings(config)}), alias)
    except ModelNotFoundError:
        if alias.isdecimal():
            raise
        return None  # the checks then say so, row by row


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


def write_batch(inputs: Inputs, requests: "DataFrame", table: str) -> "DataFrame":
    """Write the requests of a stage's batch, once each, and report what came of them.

    Args:
        inputs: of the stage; its assets are what `writing` found.
        requests: see `transforms/text_requests.py`.
        table: that the rows are for.
    """
    found: Writing = inputs.assets
    spec = open_spec(inputs.config, found, requests.sparkSession)
    settings = settings_for(inputs.config, found)
    texts = write_texts(requests, table, spec, found.labeller, settings, inputs.fingerprint)
    # What is reported and what is written are one pass: without persist each would ask the writer again.
    texts = texts.persist(StorageLevel.DISK_ONLY)
    if found.labeller is None:
        inputs.report("no labeller is registered: texts are checked by word lists alone")
    for line in describe_texts(texts):
        inputs.report(line)
    return texts
