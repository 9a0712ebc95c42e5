"""Tests the registration of generators in a real MLflow store."""

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
    """Returns one store for all tests, because creating one takes seconds; each test uses its own model name."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow/mlflow.db"


def put(folder: Path, name: str, fingerprint: str, uri: str) -> Decision:
    scores = [
        Score("generator", "test", "all", "bits_per_character", 3.5, 3.4, 3.6, 40),
        Score("ngram", "test", "all", "bits_per_character", 4.5, 4.4, 4.6, 40),
    ]
    root = Path(uri.removeprefix("sqlite:///")).parent / "artifacts"
    tags = {"reviewgen.corpus": "corpus-1"}
    return register_generator(folder, scores, fingerprint, tags, name, "generator", uri, root)


def test_the_newest_has_the_alias_and_a_rerun_adds_no_version(tmp_path: Path, uri: str) -> None:
    for number, seed in enumerate((1, 2), start=1):
        make_generator(tmp_path / str(number), seed=seed)
        decision = put(tmp_path / str(number), "newest", f"f{number}", uri)
        assert (decision.model.version, decision.previous_version) == (number, number - 1 or None)
        again = put(tmp_path / str(number), "newest", f"f{number}", uri)
        assert again == decision
    resolved = resolve_generator("newest", "generator", uri)
    assert resolved.version == 2 and resolved.sha256 == generator_sha256(tmp_path / "2") == generator_sha256(
        resolved.path
    )
    assert resolve_generator("newest", "1", uri).sha256 == generator_sha256(tmp_path / "1")
    assert load_generator(resolved.path).settings.base == "random:causal"
    assert [(entry.version, entry.corpus_fingerprint) for entry in list_models(uri, "newest")] == [
        (2, "corpus-1"),
        (1, "corpus-1"),
    ]


def test_the_run_has_corpus_scores_and_model_card(tmp_path: Path, uri: str) -> None:
    make_generator(tmp_path / "g")
    decision = put(tmp_path / "g", "run", "f1", uri)
    client = MlflowClient(uri, uri)
    run = client.get_run(client.get_model_version("run", str(decision.model.version)).run_id)
    assert run.data.tags["reviewgen.corpus"] == "corpus-1"
    assert run.data.metrics["test/generator/bits_per_character"] == 3.5
    card = Path(client.download_artifacts(run.info.run_id, "model_card.md", str(tmp_path))).read_text()
    assert "Never as a customer's review" in card and "| ngram | 40 | bits_per_character | 4.5000 |" in card


def test_a_generator_with_changed_files_is_refused(tmp_path: Path, uri: str) -> None:
    make_generator(tmp_path / "g")
    resolved = put(tmp_path / "g", "files", "f1", uri).model
    with (resolved.path / "model.safetensors").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelNotFoundError, match="not those that were registered"):
        resolve_generator("files", "generator", uri)
    (resolved.path / "generator.json").unlink()
    with pytest.raises(ModelNotFoundError, match="cannot be read"):
        resolve_generator("files", "generator", uri)


def test_a_missing_generator_names_the_training_pipeline(uri: str) -> None:
    with pytest.raises(ModelNotFoundError, match="reviewgen run train_generator"):
        resolve_generator("none", "generator", uri)


def test_a_purpose_without_training_fails_before_the_run(tmp_path: Path, uri: str) -> None:
    from reviewgen_spark.config import load_config
    from reviewgen_spark.orchestration.resources.writers import writing

    make_generator(tmp_path / "generator", purposes=("augmentation",))
    put(tmp_path / "generator", "untaught", "f1", uri)
    overrides = [
        f"paths.root={tmp_path}",
        f"paths.mlflow_uri={uri}",
        "generation.name=untaught",
        "generation.labeller=none",
    ]
    config = load_config("local", overrides)
    assert writing(config, "torch", ("augmentation",)).value.generator.version == 1
    with pytest.raises(ConfigError, match="was trained for augmentation, not product_copy; remove the purpose"):
        writing(config, "torch", ("augmentation", "product_copy"))
    assert writing(config, "template", ("product_copy",)).value.generator is None
