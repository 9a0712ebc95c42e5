"""Tests labelling while the registry is down: a checked local copy is used with a warning, or the run fails."""

import json
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ModelNotFoundError, RegistryError
from reviewgen_spark.models.classifier.model_folder import (
    MODEL_FILES,
    ONNX_FILE,
    file_sha256,
    folder_sha256,
    read_settings,
)
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.registry import local_copies
from reviewgen_spark.models.registry.local_copies import resolve_pinned
from reviewgen_spark.models.registry.registration import register
from reviewgen_spark.models.registry.registry import RegisteredModel
from reviewgen_spark.models.training.finetuning import FinetuneResult
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.resources.models import champion
from tests.conftest import ConfigFactory

SCORES = [Score("model", "test", "all", "f1", 0.9, 0.8, 0.95, 40)]


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch) -> str:
    """Returns the address of a server that refuses each call."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def add(config: Config, model: Path, fingerprint: str, files: tuple[Path, ...] = ()) -> RegisteredModel:
    return register(
        model, SCORES, fingerprint, {}, {}, config.models.name, config.paths.tracking_uri,
        Path(config.paths.model_artifacts), lambda champion: (True, "a test"), files=files,
    ).model  # fmt: skip


def test_the_last_pinned_model_is_used_with_a_warning(
    make_config: ConfigFactory, trained: FinetuneResult, down: str
) -> None:
    config, disconnected = make_config(), make_config(f"paths.mlflow_uri={down}")
    with pytest.raises(RegistryError, match=r"does not answer .*No version of 'review_sentiment' was pinned here"):
        champion(disconnected)
    model = add(config, trained.folder, "first")
    resolved = champion(config)
    assert (resolved.value, resolved.warnings) == (model, ())
    fallback = champion(disconnected)
    copy = Artifacts(config.paths.artifacts).pinned / "review_sentiment" / model.sha256
    assert fallback.value == replace(model, path=copy) and folder_sha256(copy) == model.sha256
    assert fallback.hashes == resolved.hashes  # so that no batch is labelled again
    [warning] = fallback.warnings
    assert f"the registry at {down} does not answer" in warning and "pinned last" in warning
    with pytest.raises(RegistryError, match="does not answer"):
        champion(make_config(f"paths.mlflow_uri={down}", "label.without_registry=refuse"))
    with pytest.raises(RegistryError, match="was pinned here before"):
        champion(make_config(f"paths.mlflow_uri={down}", "label.alias=compressed"))

    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelNotFoundError, match="differ from the sha256"):
        champion(disconnected)
    champion(config)  # the registry answers again, so the copy is replaced
    assert champion(disconnected).value.sha256 == model.sha256


def test_only_the_copy_of_the_alias_is_kept(
    make_config: ConfigFactory, trained: FinetuneResult, tmp_path: Path
) -> None:
    config = make_config()
    add(config, trained.folder, "first")
    champion(config)
    other = tmp_path / "other"
    other.mkdir()
    for file in trained.folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    settings = other / "reviewgen.json"
    settings.write_text(settings.read_text(encoding="utf-8") + "\n", encoding="utf-8")  # another hash
    second = add(config, other, "second")
    assert champion(config).value == second
    copies = Artifacts(config.paths.artifacts).pinned / "review_sentiment"
    assert {path.name for path in copies.iterdir()} == {"champion.json", second.sha256}
    assert {path.name for path in (copies / second.sha256).iterdir()} == set(MODEL_FILES)


def test_an_onnx_file_is_copied_with_its_version(
    make_config: ConfigFactory, trained: FinetuneResult, tmp_path: Path, down: str
) -> None:
    config = make_config("label.runtime=onnx")
    add(config, trained.folder, "without")
    with pytest.raises(ModelNotFoundError, match=r"version 1: its run has no model\.onnx .*compress"):
        champion(config)
    onnx = tmp_path / ONNX_FILE
    onnx.write_bytes(b"a graph")
    add(config, trained.folder, "with", (onnx,))
    resolved = champion(config)
    assert (resolved.value.path / ONNX_FILE).read_bytes() == b"a graph"
    assert champion(make_config("label.runtime=onnx", f"paths.mlflow_uri={down}")).hashes == resolved.hashes
    (resolved.value.path / ONNX_FILE).write_bytes(b"damaged")
    assert champion(config).hashes == resolved.hashes
    assert champion(make_config()).hashes.keys() == {"model", "version"}


def test_a_failed_copy_is_only_a_warning(make_config: ConfigFactory, trained: FinetuneResult) -> None:
    config = make_config()
    model = add(config, trained.folder, "first")
    occupied = Path(config.paths.root) / "occupied"
    occupied.write_text("")
    resolved = resolve_pinned(config.models.name, "champion", config.paths.tracking_uri, occupied)
    assert resolved.model == model and "no copy" in resolved.warning


def pinned(config: Config) -> Path:
    return Artifacts(config.paths.artifacts).pinned / "review_sentiment"


def test_a_damaged_note_is_named_and_written_again(
    make_config: ConfigFactory, trained: FinetuneResult, down: str
) -> None:
    config, cut_off = make_config(), make_config(f"paths.mlflow_uri={down}")
    add(config, trained.folder, "first")
    champion(config)
    note = pinned(config) / "champion.json"
    whole = note.read_text(encoding="utf-8")
    for content in ("", "{", "[]", "null", '{"version": 1}', "\x00\x01", whole[:-20]):
        note.write_text(content, encoding="utf-8")
        with pytest.raises(ModelNotFoundError, match=r"champion\.json is empty or damaged; the next run in which"):
            champion(cut_off)
    champion(config)
    assert note.read_text(encoding="utf-8") == whole


def test_a_damaged_note_keeps_the_copies_of_other_notes(
    make_config: ConfigFactory, trained: FinetuneResult, tmp_path: Path
) -> None:
    config = make_config()
    model = add(config, trained.folder, "first")
    champion(config)
    (pinned(config) / "other.json").write_text("", encoding="utf-8")
    other = pinned(config) / ("0" * 64)
    other.mkdir()
    (pinned(config) / "champion.json").unlink()
    champion(config)
    assert other.is_dir() and (pinned(config) / model.sha256).is_dir()


def test_a_copy_that_was_changed_with_its_note_is_refused(
    make_config: ConfigFactory, trained: FinetuneResult, down: str
) -> None:
    config, cut_off = make_config(), make_config(f"paths.mlflow_uri={down}")
    model = add(config, trained.folder, "first")
    champion(config)
    note, copy = pinned(config) / "champion.json", pinned(config) / model.sha256
    settings = copy / "reviewgen.json"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"threshold": 0.5', '"threshold": 0.9'))
    forged = folder_sha256(copy)
    assert forged != model.sha256
    copy.rename(copy.with_name(forged))
    text = note.read_text(encoding="utf-8")
    note.write_text(text.replace(model.sha256, forged), encoding="utf-8")
    with pytest.raises(ModelNotFoundError, match="has no valid signature"):
        champion(cut_off)
    unsigned = {name: value for name, value in json.loads(note.read_text()).items() if name != "signature"}
    note.write_text(json.dumps(unsigned))
    with pytest.raises(ModelNotFoundError, match="has no valid signature"):
        champion(cut_off)
    assert champion(config).value == model  # the registry's hash decides
    assert champion(cut_off).value.sha256 == model.sha256
    # a note of another alias is not this one's
    shutil.copyfile(note, note.with_name("compressed.json"))
    with pytest.raises(ModelNotFoundError, match="has no valid signature"):
        champion(make_config(f"paths.mlflow_uri={down}", "label.alias=compressed"))


def test_without_a_key_a_warning_says_that_the_note_is_not_checked(
    make_config: ConfigFactory, trained: FinetuneResult, down: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    add(config, trained.folder, "first")
    champion(config)
    monkeypatch.delenv("REVIEWGEN_USER_KEY")
    [warning] = champion(make_config(f"paths.mlflow_uri={down}")).warnings
    assert "signature of its note is not checked" in warning


def test_a_file_beside_the_version_that_was_changed_with_its_note_is_renewed(
    make_config: ConfigFactory, trained: FinetuneResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config("label.runtime=onnx")
    onnx = tmp_path / ONNX_FILE
    onnx.write_bytes(b"a graph")
    add(config, trained.folder, "with", (onnx,))
    note = pinned(config) / "champion.json"
    for has_recorded in (True, False):  # an earlier release recorded no hash: the registry's file is compared
        if not has_recorded:
            monkeypatch.setattr(local_copies, "recorded_hashes", lambda *arguments: {})
        asked = champion(config)
        file = asked.value.path / ONNX_FILE
        before = file_sha256(file)
        file.write_bytes(b"another")
        note.write_text(note.read_text(encoding="utf-8").replace(before, file_sha256(file)), encoding="utf-8")
        assert champion(config).hashes == asked.hashes
        assert file.read_bytes() == b"a graph"


def test_a_whole_copy_serves_while_the_files_of_the_registry_are_damaged(
    make_config: ConfigFactory, trained: FinetuneResult
) -> None:
    config = make_config()
    model = add(config, trained.folder, "first")
    asked = champion(config)
    copy = pinned(config) / model.sha256
    for damaged in ("reviewgen.json", "model.safetensors", "pyfunc.py", "MLmodel"):
        [file] = Path(config.paths.model_artifacts).rglob(damaged)
        content = file.read_bytes()
        file.write_bytes(content[:10] + bytes([content[10] ^ 0x80]) + content[11:])
        served = champion(config)
        assert served.hashes == asked.hashes and served.value.path == copy
        [warning] = served.warnings
        assert "version 1: " in warning and "is undamaged" in warning
        with pytest.raises(ModelNotFoundError, match="version 1: "):
            champion(make_config("label.without_registry=refuse"))
        copy.rename(copy.with_name("away"))
        with pytest.raises(ModelNotFoundError, match="version 1: "):
            champion(config)
        copy.with_name("away").rename(copy)
        file.write_bytes(content)


def test_a_file_that_is_added_beside_the_model_is_found(make_config: ConfigFactory, trained: FinetuneResult) -> None:
    config = make_config()
    add(config, trained.folder, "first")
    [code] = Path(config.paths.model_artifacts).rglob("pyfunc.py")
    (code.parent / "more.py").write_text("")
    with pytest.raises(ModelNotFoundError, match=r"the files beside the model .*pyfunc\.py, are not those"):
        champion(config)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 2}', b"\xff\xfe"])
def test_damaged_settings_are_named(trained: FinetuneResult, tmp_path: Path, content: bytes) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained.folder, model)
    (model / "reviewgen.json").write_bytes(content)
    with pytest.raises(ModelNotFoundError, match=r"reviewgen\.json: is damaged; .*reviewgen run train"):
        read_settings(model)
