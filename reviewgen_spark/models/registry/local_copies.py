"""Keeps a local copy of the last model of each alias: the fallback while the registry does not answer.

<folder>/<name>/<alias>.json    the note: the version, the hashes of its files, and a signature
<folder>/<name>/<sha256>/       the files

While the registry answers, only the hashes that it recorded count: a copy that differs is made again. While it does not
answer, only the note is left. So it is signed with a secret key, because a person who can change the copy can also
change the note. An earlier note with an earlier copy cannot be recognised.
"""

import hashlib
import hmac
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reviewgen_spark.errors import ModelNotFoundError, RegistryError
from reviewgen_spark.models.classifier.model_folder import MODEL_FILES, file_sha256, is_whole
from reviewgen_spark.models.registry.registry import (
    DamagedVersionError,
    RegisteredModel,
    download_file,
    recorded_hashes,
    require_files,
    resolve,
)

_FACTS = ("name", "version", "sha256", "corpus_fingerprint", "uri")
_SIGNATURE = "signature"


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
    key: bytes = b"",
) -> Pinned:
    """Returns the version that an alias refers to now, and keeps a copy of its files.

    The copy is the fallback for the registry, and for files of the registry that are damaged. It is checked against
    its sha256. It may be of a version that is no longer champion, because only the registry has the current aliases.

    Args:
        name: the registered name.
        alias: an alias, or a version's number.
        tracking_uri: the MLflow store.
        folder: where copies are kept.
        also: more files to get, logged with the version. The model's path is then the copy, because it has these files.
        serves: whether the copy may be used as the fallback.
        keeps: whether to copy the files of the model. False writes nothing. The registry must then have the files of
            `also`, but the model's path does not have them.
        key: the secret key of the notes' signatures. Without it they are not checked, and there is a warning.

    Raises:
        ModelNotFoundError: no version has the alias, or files are missing or damaged.
        RegistryError: the registry does not answer, and there is no copy or `serves` is false.
    """
    try:
        model = resolve(name, alias, tracking_uri)
    except RegistryError as error:
        if not serves:
            raise
        unchecked = "" if key else ". The signature of its note is not checked, because there is no secret key"
        copy = _read_copy(folder / name, alias, also, error, key)
        return Pinned(copy, f"{error}. The version pinned last is used{unchecked}")
    except DamagedVersionError as error:
        # The registry itself says which files are right, so the note does not matter.
        path = folder / name / error.version.sha256
        beside = recorded_hashes(error.version, also, tracking_uri)
        if not serves or set(beside) != set(also) or not is_whole(path, MODEL_FILES, error.version.sha256, beside):
            raise
        return Pinned(replace(error.version, path=path), f"{error}. The copy in {path} is used, which is undamaged")
    if not keeps:
        require_files(model, also, tracking_uri)
        return Pinned(model)
    try:
        model_copy = _copy_model(model, folder / name, alias, also, tracking_uri, key)
    except OSError as error:  # no write permission or a full disk: use the files of the registry
        if also:
            raise
        return Pinned(model, f"no copy of '{name}' version {model.version} could be kept ({type(error).__name__})")
    return Pinned(replace(model, path=model_copy) if also else model)


def _copy_model(
    model: RegisteredModel, folder: Path, alias: str, also: tuple[str, ...], tracking_uri: str, key: bytes
) -> Path:
    """Copies the files, writes the note, then removes copies that no alias uses; returns the folder of the copy."""
    folder.mkdir(parents=True, exist_ok=True)
    target, note = folder / model.sha256, folder / f"{alias}.json"
    hashes = recorded_hashes(model, also, tracking_uri)
    if set(also) - set(hashes) or not is_whole(target, MODEL_FILES, model.sha256, hashes):
        hashes |= _renew(model, target, also, hashes, tracking_uri)
    facts: dict[str, Any] = {name: getattr(model, name) for name in _FACTS} | {"also": hashes}
    if key:
        facts[_SIGNATURE] = _signature(facts, alias, key)
    if _read_note(note) != facts:
        new_note = note.with_suffix(".new")
        new_note.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        new_note.replace(note)
        notes = [_read_note(path) for path in folder.glob("*.json")]
        used = {str(content["sha256"]) for content in notes if content}
        for old in folder.iterdir() if None not in notes else ():  # a damaged note may belong to any copy
            if old.is_dir() and old.name not in used:
                shutil.rmtree(old, ignore_errors=True)
    return target


def _renew(
    model: RegisteredModel, target: Path, also: tuple[str, ...], hashes: Mapping[str, str], tracking_uri: str
) -> dict[str, str]:
    """Makes a copy again if it differs from the registry; returns the hashes of the files beside the model.

    A version that was registered by an earlier release has no `hashes`. The registry's own files are then compared.
    """
    staged = Path(tempfile.mkdtemp(prefix="staged-", dir=target.parent))
    try:
        for file in also:
            download_file(model, file, staged, tracking_uri)
            if hashes.get(file, "") not in ("", file_sha256(staged / file)):
                raise ModelNotFoundError(
                    f"'{model.name}' version {model.version}: its {file} is not the file that was registered; restore "
                    "it, or run `reviewgen run compress` again"
                )
        beside = {file: file_sha256(staged / file) for file in also}
        if not is_whole(target, MODEL_FILES, model.sha256, beside):
            for file in MODEL_FILES:
                shutil.copyfile(model.path / file, staged / file)
            shutil.rmtree(target, ignore_errors=True)
            staged.rename(target)
        return beside
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _read_copy(folder: Path, alias: str, also: tuple[str, ...], cause: RegistryError, key: bytes) -> RegisteredModel:
    note = folder / f"{alias}.json"
    if not note.exists():
        raise RegistryError(f"{cause}. No version of '{folder.name}' was pinned here before") from cause
    facts = _read_note(note)
    if facts is None:
        raise ModelNotFoundError(
            f"{cause}. The note {note} is empty or damaged; the next run in which the registry answers renews it"
        )
    if key and not hmac.compare_digest(str(facts.get(_SIGNATURE, "")), _signature(facts, alias, key)):
        raise ModelNotFoundError(
            f"{cause}. The note {note} has no valid signature: it was changed, is of an earlier release, or the secret "
            "key is another one. The next run in which the registry answers renews it"
        )
    path = folder / facts["sha256"]
    label = f"'{folder.name}' version {facts['version']}, pinned in {path}"
    if not is_whole(path, MODEL_FILES, facts["sha256"], {file: facts["also"].get(file, "") for file in also}):
        raise ModelNotFoundError(f"{cause}. {label}: files are missing, or differ from the sha256 kept with them")
    return RegisteredModel(path=path, **{name: facts[name] for name in _FACTS})


def _read_note(note: Path) -> dict[str, Any] | None:
    """Returns the content of a note; None if there is no note, or it is damaged."""
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_note = (
        isinstance(content, dict)
        and isinstance(content.get("version"), int)
        and isinstance(content.get("also"), dict)
        and all(isinstance(content.get(name), str) for name in _FACTS if name != "version")
    )
    # The hash is the name of a folder, so it must not lead to another place.
    return content if is_note and re.fullmatch("[0-9a-f]{64}", content["sha256"]) else None


def _signature(facts: Mapping[str, Any], alias: str, key: bytes) -> str:
    """Returns the keyed hash of a note, without its signature, and of its alias."""
    signed = {**facts, "alias": alias}
    signed.pop(_SIGNATURE, None)
    content = json.dumps(["reviewgen pinned model", signed], sort_keys=True)
    return hmac.new(key, content.encode(), hashlib.sha256).hexdigest()
