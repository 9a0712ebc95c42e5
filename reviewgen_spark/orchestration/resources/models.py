"""Resolves the models and registries of stages once a run, with their hashes for the fingerprint."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.shipping.ship import files_beside
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.resources.user_key import signing_key
from reviewgen_spark.orchestration.stage import Resources, hash_files
from reviewgen_spark.transforms.dictionaries import driver_dictionaries

if TYPE_CHECKING:
    from reviewgen_spark.models.registry.local_copies import Pinned
    from reviewgen_spark.models.registry.registry import RegisteredModel


def corpus_labels(config: Config) -> Resources:
    """Returns the labels and tasks of `finetune`, because its other keys do not change a corpus."""
    section = config.finetune
    return Resources({"labels": section.labels, "tasks": ",".join(section.tasks)}, section)


def base_model(config: Config) -> Resources:
    """Resolves the base of fine-tuning, and hashes its content as well as its name.

    Raises:
        ModelNotFoundError: Nothing was pre-trained yet, or the registry has no such model.
    """
    return _base(config, config.models.base, "models.base")


def _base(config: Config, base: str, key: str) -> Resources:
    from reviewgen_spark.errors import ModelNotFoundError

    if base == "pretrained":
        latest = Artifacts(config.paths.artifacts).latest("pretrain")
        if not latest.is_dir():
            raise ModelNotFoundError(
                f"{key}: 'pretrained', but {latest} does not exist; make it with `reviewgen run pretrain`"
            )
        folder = latest.resolve()  # named by its fingerprint
        return Resources({"base": folder.name}, str(folder))
    if base.startswith("models:/"):
        from reviewgen_spark.models.registry.registry import resolve

        name, at, alias_or_version = base.removeprefix("models:/").replace("/", "@").partition("@")
        if not (name and at and alias_or_version):
            raise ConfigError(f"{key}: {base!r}: expected models:/<name>@<alias> or models:/<name>/<version>")
        model = resolve(name, alias_or_version, config.paths.tracking_uri)
        return Resources({"base": model.sha256}, str(model.path))
    if (Path(base).expanduser() / "config.json").is_file():
        return Resources({"base": hash_files(Path(base).expanduser())}, base)
    return Resources({}, base)


def label_model(config: Config, alias: str | None = None, name: str | None = None, keeps: bool = True) -> "Pinned":
    """Resolves the model that labels, with the files that `label.runtime` and `label.cascade` need.

    Every command that labels calls this one: the stage, `estimate`, `doctor`, `evaluate`, `write` and the SQL
    functions.

    Args:
        config: The sections `label`, `models` and `paths`.
        alias: An alias or the number of a version. The default is `label.alias`.
        name: The registered name. The default is `models.name`.
        keeps: Whether to copy the model for runs without the registry. False writes nothing.

    Raises:
        ModelNotFoundError: No version has the alias, its files are damaged, or its run lacks one of those files.
        RegistryError: The registry does not answer, and no copy may be used.
    """
    from reviewgen_spark.models.registry.local_copies import resolve_pinned

    section = config.label
    return resolve_pinned(
        name or config.models.name,
        alias or section.alias,
        config.paths.tracking_uri,
        Artifacts(config.paths.artifacts).pinned,
        also=files_beside(section),
        serves=section.without_registry == "pinned",
        keeps=keeps,
        key=signing_key(config),
    )


def champion(config: Config) -> Resources:
    """Resolves the model that labels, once a run.

    Raises:
        ModelNotFoundError: As for `label_model`.
        RegistryError: As for `label_model`.
    """
    pinned = label_model(config)
    model = pinned.model
    hashes = {"model": model.sha256, "version": f"{model.name}/{model.version}", **hashes_beside(config, model)}
    return Resources(hashes, model, (pinned.warning,) if pinned.warning else ())


def hashes_beside(config: Config, model: "RegisteredModel") -> dict[str, str]:
    """Returns hashes of the files beside a model that this configuration reads for labelling, by name."""
    from reviewgen_spark.models.classifier.model_folder import file_sha256

    return {file: file_sha256(model.path / file) for file in files_beside(config.label)}


def teacher(config: Config) -> Resources:
    """Resolves the registered model that a student is trained on.

    Raises:
        ModelNotFoundError: When no model has the alias or number.
    """
    from reviewgen_spark.models.registry.registry import resolve

    model = resolve(config.models.name, config.distil.teacher, config.paths.tracking_uri)
    return Resources({"teacher": model.sha256, "version": f"{model.name}/{model.version}"}, model)


def teacher_and_base(config: Config) -> Resources:
    """Resolves the teacher, and the base of the student if it is not a part of the teacher.

    Raises:
        ModelNotFoundError: When there is no such teacher or base.
    """
    resolved, base = teacher(config), _base(config, config.distil.base, "distil.base")
    return Resources({**resolved.hashes, **base.hashes}, (resolved.value, base.value))


def registry_and_teacher(config: Config) -> Resources:
    """Returns the registry's identity, and the teacher of a compressed model."""
    store, resolved = registry_store(config), teacher(config)
    return Resources({**store.hashes, **resolved.hashes}, resolved.value)


def registry_store(config: Config) -> Resources:
    """Returns the registry's identity, because a model must be registered again in a new registry."""
    from reviewgen_spark.models.registry.registry import store_identity

    return Resources({"store": store_identity(config.paths.tracking_uri, config.models.name)})


def pretrains_generator(config: Config) -> Resources:
    """Returns whether the generator starts from a pre-trained model; else the stage does nothing."""
    is_pretrained = config.finetune_generator.base == "pretrained"
    return Resources({"wanted": str(is_pretrained)}, is_pretrained)


def generator_base(config: Config) -> Resources:
    """Resolves what a generator uses besides its corpus: its base, a file of examples, and the word lists of keywords.

    The value is the file of examples, or None.

    Raises:
        ConfigError: `finetune_generator.examples` is not a file.
    """
    section = config.finetune_generator
    hashes = {"dictionaries": hash_files(driver_dictionaries())}
    folder = Path(section.base).expanduser()
    if (folder / "config.json").is_file():
        hashes["base"] = hash_files(folder)
    if not section.examples:
        return Resources(hashes)
    file = Path(config.paths.root) / section.examples
    if not file.is_file():
        raise ConfigError(
            f"finetune_generator.examples: {section.examples!r} is not a file; expected JSON lines of request and "
            "text, by an absolute path or one below paths.root"
        )
    hashes["examples"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return Resources(hashes, file)


def generator_store(config: Config) -> Resources:
    """Returns the registry's identity, as `registry_store`, for the name of generators."""
    from reviewgen_spark.models.registry.registry import store_identity

    return Resources({"store": store_identity(config.paths.tracking_uri, config.generation.name)})
