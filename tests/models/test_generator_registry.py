"""Generators in a real MLflow store."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.generator.generator_folder import generator_sha256, load_generator
from reviewgen_spark.models.registry.aliases import Decision
from reviewgen_spark.models.registry.generators import register_generator, resolve_generator
from reviewgen_spark.models.registry.registry import list_models
from tests.models.generators import make_generator


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store for all tests, as MLflow takes seconds to make one; each test has a name of its own."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow/mlflow.db"


def put(folder: Path, name: str, fingerprint: str, uri: str) -> Decision:
    scores = [
        Score("generator", "test", "all", "bits_per_character", 3.5, 3.4, 3.6, 40),
        Score("ngram", "test", "all", "bits_per_character", 4.5, 4.4, 4.6, 40),
    ]
    root = Path(uri.removeprefix("sqlite:///")).parent / "artifacts"
    tags = {"reviewgen.corpus": "corpus-1"}
    return register_generator(folder, scores, fingerprint, tags, name, "generator", uri, root)


def test_the_newest_has_the_alias_and_a_rerun_makes_no_other_version(tmp_path: Path, uri: str) -> None:
    for number, seed in enumerate((1, 2), start=1):
        make_generator(tmp_path / str(number), seed=seed)
        decision = put(tmp_path / str(number), "newest", f"f{number}", uri)
        assert (decision.model.version, decision.previous_version) == (number, number - 1 or None)
        again = put(tmp_path / str(number), "newest", f"f{number}", uri)
        assert again == decision
    found = resolve_generator("newest", "generator", uri)
    assert found.version == 2 and found.sha256 == generator_sha256(tmp_path / "2") == generator_sha256(found.path)
    assert resolve_generator("newest", "1", uri).sha256 == generator_sha256(tmp_path / "1")
    assert load_generator(found.path).settings.base == "random:causal"
    assert [(entry.version, entry.corpus_fingerprint) for entry in list_models(uri, "newest")] == [
        (2, "corpus-1"),
        (1, "corpus-1"),
    ]


def test_the_run_says_where_it_comes_from(tmp_path: Path, uri: str) -> None:
    make_generator(tmp_path / "g")
    decision = put(tmp_path / "g", "run", "f1", uri)
    client = MlflowClient(uri, uri)
    run = client.get_run(client.get_model_version("run", str(decision.model.version)).run_id)
    assert run.data.tags["reviewgen.corpus"] == "corpus-1"
    assert run.data.metrics["test/generator/bits_per_character"] == 3.5
    card = Path(client.download_artifacts(run.info.run_id, "model_card.md", str(tmp_path))).read_text()
    assert "Never as a customer's review" in card and "| ngram | 40 | bits_per_character | 4.5000 |" in card


def test_files_that_changed_are_not_written_with(tmp_path: Path, uri: str) -> None:
    make_generator(tmp_path / "g")
    found = put(tmp_path / "g", "files", "f1", uri).model
    with (found.path / "model.safetensors").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelNotFoundError, match="not those that were registered"):
        resolve_generator("files", "generator", uri)
    (found.path / "generator.json").unlink()
    with pytest.raises(ModelNotFoundError, match="cannot be read"):
        resolve_generator("files", "generator", uri)


def test_no_generator_says_how_to_make_one(uri: str) -> None:
    with pytest.raises(ModelNotFoundError, match="reviewgen run train_generator"):
        resolve_generator("none", "generator", uri)


def test_a_purpose_that_was_not_taught_ends_a_run_before_it_starts(tmp_path: Path, uri: str) -> None:
    from reviewgen_spark.config import load_config
    from reviewgen_spark.orchestration.resources.writers import writing

    make_generator(tmp_path / "generator", purposes=("augmentation",))
    put(tmp_path / "generator", "untaught", "f1", uri)
    given = [
        f"paths.root={tmp_path}",
        f"paths.mlflow_uri={uri}",
        "generation.name=untaught",
        "generation.labeller=none",
    ]
    config = load_config("local", given)
    assert writing(config, "torch", ("augmentation",)).value.generator.version == 1
    with pytest.raises(ConfigError, match="was trained for augmentation, not product_copy; remove the purpose"):
        writing(config, "torch", ("augmentation", "product_copy"))
    assert writing(config, "template", ("product_copy",)).value.generator is None
