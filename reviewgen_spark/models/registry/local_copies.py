"""Keeps a local copy of the last model of each alias: the fallback while the registry does not answer.

<folder>/<name>/<alias>.json    the version, and the hashes of its files
<folder>/<name>/<sha256>/       the files
"""

import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reviewgen_spark.errors import ModelNotFoundError, RegistryError
from reviewgen_spark.models.classifier.model_folder import MODEL_FILES, file_sha256, is_whole
from reviewgen_spark.models.registry.registry import RegisteredModel, download_file, require_files, resolve


@dataclass(frozen=True)
class Pinned:
    """Holds a model, and a warning about its origin; the warning is empty when the registry answered."""

    model: RegisteredModel
    warning: str = ""


def resolve_pinned(
    name: str,
    alias: str,
    tracking_uri: str,
    folder: Path,
    also: tuple[str, ...] = (),
    serves: bool = True,
    keeps: bool = True,
) -> Pinned:
    """Returns the version that an alias refers to now, and keeps a copy of its files.

    The copy is the fallback for the registry. It is checked against its sha256. It may be of a version that is no
    longer champion, because only the registry has the current aliases.

    Args:
        name: the registered name.
        alias: an alias, or a version's number.
        tracking_uri: the MLflow store.
        folder: where copies are kept.
        also: more files to get, logged with the version. The model's path is then the copy, because it has these files.
        serves: whether the copy may be used as the fallback.
        keeps: whether to copy the files of the model. False writes nothing. The registry must then have the files of
            `also`, but the model's path does not have them.

    Raises:
        ModelNotFoundError: no version has the alias, or files are missing or damaged.
        RegistryError: the registry does not answer, and there is no copy or `serves` is false.
    """
    try:
        model = resolve(name, alias, tracking_uri)
    except RegistryError as error:
        if not serves:
            raise
        return Pinned(_read_copy(folder / name, alias, also, error), f"{error}. The version pinned last is used")
    if not keeps:
        require_files(model, also, tracking_uri)
        return Pinned(model)
    try:
        copy = _copy_model(model, folder / name, alias, also, tracking_uri)
    except OSError as error:  # no write permission or a full disk: use the files of the registry
        if also:
            raise
        return Pinned(model, f"no copy of '{name}' version {model.version} could be kept ({type(error).__name__})")
    return Pinned(replace(model, path=copy) if also else model)


def _copy_model(model: RegisteredModel, folder: Path, alias: str, also: tuple[str, ...], tracking_uri: str) -> Path:
    """Copies the files, writes the note, then removes copies that no alias uses; returns the folder of the copy."""
    folder.mkdir(parents=True, exist_ok=True)
    target, note = folder / model.sha256, folder / f"{alias}.json"
    before = _read_note(note)
    hashes = before["also"] if before else {}
    if not is_whole(target, MODEL_FILES, model.sha256, {file: hashes.get(file, "") for file in also}):
        staged = Path(tempfile.mkdtemp(prefix="staged-", dir=folder))
        try:
            for file in MODEL_FILES:
                shutil.copyfile(model.path / file, staged / file)
            for file in also:
                download_file(model, file, staged, tracking_uri)
            shutil.rmtree(target, ignore_errors=True)
            staged.rename(target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    facts = {
        "name": model.name,
        "version": model.version,
        "sha256": model.sha256,
        "corpus_fingerprint": model.corpus_fingerprint,
        "uri": model.uri,
        "also": {file: file_sha256(target / file) for file in also},
    }
    if before != facts:
        new_note = note.with_suffix(".new")
        new_note.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        new_note.replace(note)
        used = {str(content["sha256"]) for content in map(_read_note, folder.glob("*.json")) if content}
        for old in folder.iterdir():
            if old.is_dir() and old.name not in used:
                shutil.rmtree(old, ignore_errors=True)
    return target


def _read_copy(folder: Path, alias: str, also: tuple[str, ...], cause: RegistryError) -> RegisteredModel:
    facts = _read_note(folder / f"{alias}.json")
    if facts is None:
        raise RegistryError(f"{cause}. No version of '{folder.name}' was pinned here before") from cause
    path = folder / str(facts["sha256"])
    label = f"'{folder.name}' version {facts['version']}, pinned in {path}"
    if not is_whole(path, MODEL_FILES, facts["sha256"], {file: facts["also"].get(file, "") for file in also}):
        raise ModelNotFoundError(f"{cause}. {label}: files are missing, or differ from the sha256 kept with them")
    names = ("name", "version", "sha256", "corpus_fingerprint", "uri")
    return RegisteredModel(path=path, **{name: facts[name] for name in names})


def _read_note(note: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content
