"""Resolves the writer and the labeller of texts, with their hashes for the fingerprint."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.inference.generation.setup import NO_LABELLER, Writing, label_settings, labels_like_stage
from reviewgen_spark.models.generator.generator_folder import read_generator
from reviewgen_spark.orchestration.resources.models import hashes_beside, label_model
from reviewgen_spark.orchestration.resources.word_lists import dictionaries, safety_lists
from reviewgen_spark.orchestration.stage import Resources
from reviewgen_spark.text.requests.templates import TEMPLATE_VERSION

if TYPE_CHECKING:
    from reviewgen_spark.models.registry.local_copies import Pinned
    from reviewgen_spark.models.registry.registry import RegisteredModel


def writing(config: Config, writer: str, purposes: Iterable[str] = ()) -> Resources:
    """Resolves everything that a stage needs to write texts. Of `generation`, only the keys of this writer are hashed.

    Args:
        config: The sections `generation`, `models` and `paths`.
        writer: template, torch or endpoint.
        purposes: The purposes of the stage's requests.

    Raises:
        ConfigError: The generator was not trained for one of the purposes.
        ModelNotFoundError: The writer is `torch`, and no generator is registered. Or `generation.labeller` is the
            number of a version that does not exist.
    """
    from reviewgen_spark.models.registry.generators import resolve_generator

    section = config.generation
    generator = None
    if writer == "torch":
        generator = resolve_generator(section.name, section.alias, config.paths.tracking_uri)
        _require_purposes(generator, purposes)
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
    resolved = Writing(writer, generator, labeller.model if labeller else None, words.value, safety.value)
    return Resources(hashes, resolved, (labeller.warning,) if labeller and labeller.warning else ())


def _require_purposes(generator: "RegisteredModel", purposes: Iterable[str]) -> None:
    """Checks that the generator was trained for all purposes, because otherwise each row would fail."""
    trained = read_generator(generator.path).purposes
    if missing := [purpose for purpose in purposes if purpose not in trained]:
        raise ConfigError(
            f"{generator.name} version {generator.version} was trained for {', '.join(trained)}, not "
            f"{', '.join(missing)}; remove the purpose, use the writer 'template' or 'endpoint', or train a generator "
            "with examples of it "
            "(finetune_generator.examples, `reviewgen run train_generator`)"
        )


def settings_of(config: Config, writer: str) -> dict[str, object]:
    """Returns the keys of `generation` that shape the texts of a writer."""
    part = config.generation.result_part()
    shared = {name: part[name] for name in ("max_attempts", "seed")}
    decoding, endpoint = part["decoding"], part["endpoint"]
    if writer == "torch":
        return {**shared, "precision": part["precision"], "decoding": decoding, "watermark": part["watermark"]}
    if writer == "endpoint":
        accepted = {name: decoding[name] for name in ("temperature", "top_p", "max_new_tokens")}
        return {**shared, "decoding": accepted, "endpoint": endpoint}
    return {**shared, "templates": TEMPLATE_VERSION}


def _labeller(config: Config) -> "Pinned | None":
    alias = config.generation.labeller
    if alias == NO_LABELLER:
        return None
    try:
        return label_model(config.model_copy(update={"label": label_settings(config)}), alias)
    except ModelNotFoundError:
        if alias.isdecimal():
            raise
        return None  # the checks then report it, row by row
