"""A registry that is missing, mistyped, of a wrong kind or does not answer: what is said, and what is not created."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reviewgen_spark.cli import main
from reviewgen_spark.config import load_config
from reviewgen_spark.errors import ConfigError, ModelNotFoundError, RegistryError
from reviewgen_spark.models.registry.aliases import set_champion
from reviewgen_spark.models.registry.generators import resolve_generator
from reviewgen_spark.models.registry.mlflow_store import open_client
from reviewgen_spark.models.registry.registry import list_models, read_file, resolve, store_identity
from reviewgen_spark.operations.doctor.doctor import find_champion

READERS: list[Callable[[str], object]] = [
    lambda uri: list_models(uri, "m"),
    lambda uri: resolve("m", "champion", uri),
    lambda uri: read_file("m", "champion", "page.html", uri),
    lambda uri: resolve_generator("m", "generator", uri),
    lambda uri: set_champion("m", 1, uri),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("address", ["sqlite:///{}/mlflow.db", "file://{}", "{}"])
def test_a_reader_creates_no_registry_and_names_it(
    read: Callable[[str], object], address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    missing = tmp_path / "mistyped" / "it's #1"
    with pytest.raises(ModelNotFoundError, match=r"there is no registry at .*mistyped.*correct the address"):
        read(address.format(missing))
    assert list(tmp_path.iterdir()) == []


def test_a_writer_creates_it_and_names_a_place_where_it_cannot(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/it's #1 50%/mlflow.db"
    assert store_identity(uri, "m") == store_identity(uri, "m")
    assert list_models(uri, "m") == []
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"paths.mlflow_uri: .*/file cannot be created"):
        store_identity(f"sqlite:///{tmp_path}/file/mlflow.db", "m")


def test_a_folder_is_no_registry_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    for uri in (str(tmp_path / "mlruns"), (tmp_path / "mlruns").as_uri()):
        with pytest.raises(ConfigError, match=r"is a folder, .*such as sqlite:////.*mlruns/mlflow.db"):
            store_identity(uri, "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("use", [*READERS, lambda uri: store_identity(uri, "m")])
def test_a_dead_registry_is_said_in_words_without_its_password(
    use: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"does not answer .*start it, or set paths.mlflow_uri") as raised:
        use("http://admin:secret@127.0.0.1:9")
    assert "secret" not in str(raised.value)
    (tmp_path / "mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(RegistryError, match="does not answer"):
        use(f"sqlite:///{tmp_path}/mlflow.db")


def test_an_error_of_the_caller_is_not_blamed_on_the_registry(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.raises(ZeroDivisionError), open_client(uri, creates=True):
        _ = 1 / 0
    with pytest.raises(ModelNotFoundError, match="has no version 7"):
        set_champion("m", 7, uri)


def test_models_list_of_a_new_root_and_of_a_mistyped_registry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--set", f"paths.root={tmp_path}"]
    assert main(["models", "list", *root]) == 0
    assert "no model yet" in capsys.readouterr().out
    assert main(["models", "list", *root, "--set", f"paths.mlflow_uri=sqlite:///{tmp_path}/typo/mlflow.db"]) == 5
    assert f"{tmp_path}/typo/mlflow.db does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_doctor_names_a_mistyped_registry_as_a_wrong_setting(tmp_path: Path) -> None:
    mistyped = [f"paths.root={tmp_path}", f"paths.mlflow_uri=sqlite:///{tmp_path}/typo/mlflow.db"]
    finding = find_champion(load_config("local", mistyped)).finding
    assert (finding.level, finding.is_configuration) == ("fail", True) and "typo" in finding.message
    assert find_champion(load_config("local", mistyped[:1])).finding.level == "warn"
