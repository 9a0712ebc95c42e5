"""Tests labelling while the registry is down: a checked local copy is used with a warning, or the run fails."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ModelNotFoundError, RegistryError
from reviewgen_spark.models.classifier.model_folder import MODEL_FILES, ONNX_FILE, folder_sha256
from reviewgen_spark.models.evaluation.evaluation import Score
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
    pinned = resolve_pinned(config.models.name, "champion", config.paths.tracking_uri, occupied)
    assert pinned.model == model and "no copy" in pinned.warning
