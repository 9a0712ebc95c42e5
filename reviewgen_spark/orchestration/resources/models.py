"""What stages need besides tables: the key of user_key, the dictionaries, the champion. Found once a run, hashed."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.shipping.ship import files_beside
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.stage import Assets, hash_files
from reviewgen_spark.text.privacy.erasure_keys import key_fingerprint
from reviewgen_spark.transforms.dictionaries import driver_dictionaries, driver_safety_lists

if TYPE_CHECKING:
    from reviewgen_spark.models.registry.local_copies import Pinned
    from reviewgen_spark.models.registry.registry import RegisteredModel

KEY_VARIABLE = "REVIEWGEN_USER_KEY"


def user_key(config: Config) -> Assets:
    """The secret key of user_key: from the environment, else from `clean.user_key_file`, made on first use.

    Raises:
        ConfigError: When neither is given.
    """
    value = os.environ.get(KEY_VARIABLE, "")
    if not value and config.clean.user_key_file:
        value = _key_file(Path(config.paths.root) / config.clean.user_key_file)
    if len(value) < 16:
        raise ConfigError(
            f"{KEY_VARIABLE}: {'not set' if not value else 'shorter than 16 characters'}; user ids are stored as keyed "
            f"hashes. Set it to a secret that never changes: export {KEY_VARIABLE}=$(openssl rand -hex 32)"
        )
    key = hashlib.blake2b(value.encode(), digest_size=32).digest()
    # Another key must re-compute user_key.
    return Assets({"user_key": key_fingerprint(key)}, key)


def _key_file(path: Path) -> str:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text(encoding="utf-8").strip()


def dictionaries(config: Config) -> Assets:
    """The folder of word lists, by the hash of its content."""
    folder = driver_dictionaries()
    return Assets({"dictionaries": hash_files(folder)}, folder)


def safety_lists(config: Config) -> Assets:
    """The folder of lists that generated texts are checked by, by the hash of its content."""
    folder = driver_safety_lists()
    return Assets({"safety": hash_files(folder)}, folder)


def word_and_safety_lists(config: Config) -> Assets:
    """Both folders of lists: what texts are read by, and what they are checked by."""
    words, safety = dictionaries(config), safety_lists(config)
    return Assets({**words.hashes, **safety.hashes}, (words.value, safety.value))


def corpus_labels(config: Config) -> Assets:
    """Only the choice of labels and tasks shapes a corpus; the other keys of `finetune` must not write it again."""
    section = config.finetune
    return Assets({"labels": section.labels, "tasks": ",".join(section.tasks)}, section)


def base_model(config: Config) -> Assets:
    """The base that fine-tuning starts from, by what it holds and not only by its name.

    Raises:
        ModelNotFoundError: Nothing was pre-trained yet, or the registry has no such model.
    """
    return _base(config, config.models.base, "models.base")


def _base(config: Config, base: str, key: str) -> Assets:
    from reviewgen_spark.errors import ModelNotFoundError

    if base == "pretrained":
        latest = Artifacts(config.paths.artifacts).latest("pretrain")
        if not latest.is_dir():
            raise ModelNotFoundError(
                f"{key}: 'pretrained', but {latest} is not there; make it with `reviewgen run pretrain`"
            )
        return Assets({"base": latest.resolve().name}, str(latest.resolve()))  # named by its fingerprint
    if base.startswith("models:/"):
        from reviewgen_spark.models.registry.registry import resolve

        name, at, which = base.removeprefix("models:/").replace("/", "@").partition("@")
        if not (name and at and which):
            raise ConfigError(f"{key}: {base!r}: expected models:/<name>@<alias> or models:/<name>/<version>")
        model = resolve(name, which, config.paths.tracking_uri)
        return Assets({"base": model.sha256}, str(model.path))
    if (Path(base).expanduser() / "config.json").is_file():
        return Assets({"base": hash_files(Path(base).expanduser())}, base)
    return Assets({}, base)


def label_model(config: Config, alias: str | None = None, name: str | None = None, keeps: bool = True) -> "Pinned":
    """Resolve the model that labels, with the files that `label.runtime` and `label.cascade` need.

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
    )


def champion(config: Config) -> Assets:
    """Resolve the model that labels, once a run.

    Raises:
        ModelNotFoundError: As `label_model`.
        RegistryError: As `label_model`.
    """
    pinned = label_model(config)
    model = pinned.model
    hashes = {"model": model.sha256, "version": f"{model.name}/{model.version}", **hashes_beside(config, model)}
    return Assets(hashes, model, (pinned.warning,) if pinned.warning else ())


def hashes_beside(config: Config, model: "RegisteredModel") -> dict[str, str]:
    """Hash the files beside a model that labelling by this configuration reads, by name."""
    from reviewgen_spark.models.registry.local_copies import file_sha256

    return {file: file_sha256(model.path / file) for file in files_beside(config.label)}


def teacher(config: Config) -> Assets:
    """The registered model that a student learns from, pinned.

    Raises:
        ModelNotFoundError: When no model has the alias or number.
    """
    from reviewgen_spark.models.registry.registry import resolve

    model = resolve(config.models.name, config.distil.teacher, config.paths.tracking_uri)
    return Assets({"teacher": model.sha256, "version": f"{model.name}/{model.version}"}, model)


def teacher_and_base(config: Config) -> Assets:
    """The teacher, and what the student begins as where that is no part of the teacher.

    Raises:
        ModelNotFoundError: When there is no such teacher or base.
    """
    found, base = teacher(config), _base(config, config.distil.base, "distil.base")
    return Assets({**found.hashes, **base.hashes}, (found.value, base.value))


def registry_and_teacher(config: Config) -> Assets:
    """Which registry, and the teacher in it that a compressed model names."""
    store, found = registry_store(config), teacher(config)
    return Assets({**store.hashes, **found.hashes}, found.value)


def registry_store(config: Config) -> Assets:
    """Which registry: a model must be registered again when the store that knew it is gone."""
    from reviewgen_spark.models.registry.registry import store_identity

    return Assets({"store": store_identity(config.paths.tracking_uri, config.models.name)})


def pretrains_generator(config: Config) -> Assets:
    """Whether the generator is to be fine-tuned from what is pre-trained here; else nothing is."""
    is_wanted = config.finetune_generator.base == "pretrained"
    return Assets({"wanted": str(is_wanted)}, is_wanted)


def generator_base(config: Config) -> Assets:
    """What a generator learns from beside its corpus: its base, examples of a file, the word lists of its keywords.

    The value is the file of examples, None where there is none.

    Raises:
        ConfigError: `finetune_generator.examples` names no file.
    """
    section = config.finetune_generator
    hashes = {"dictionaries": hash_files(driver_dictionaries())}
    folder = Path(section.base).expanduser()
    if (folder / "config.json").is_file():
        hashes["base"] = hash_files(folder)
    if not section.examples:
        return Assets(hashes)
    file = Path(config.paths.root) / section.examples
    if not file.is_file():
        raise ConfigError(
            f"finetune_generator.examples: {section.examples!r} is no file; expected JSON lines of request and text, "
            "by an absolute path or one below paths.root"
        )
    hashes["examples"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return Assets(hashes, file)


def generator_store(config: Config) -> Assets:
    """Which registry, as `registry_store`, by the name of generators."""
    from reviewgen_spark.models.registry.registry import store_identity

    return Assets({"store": store_identity(config.paths.tracking_uri, config.generation.name)})
