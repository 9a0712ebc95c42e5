import dataclasses
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import pytest

from reviewgen_spark.cli import main
from reviewgen_spark.config import EvaluateSection
from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.models.classifier.model_folder import folder_sha256
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.evaluation.curves import calibration_error
from reviewgen_spark.models.evaluation.evaluation import Score, evaluate, evaluate_with_curves, find_score
from reviewgen_spark.models.evaluation.robustness import PERTURBATIONS
from reviewgen_spark.models.registry.aliases import Decision, set_champion
from reviewgen_spark.models.registry.mlflow_store import download
from reviewgen_spark.models.registry.registration import register
from reviewgen_spark.models.registry.registry import list_models, read_file, resolve, store_identity
from reviewgen_spark.models.training.finetuning import FinetuneResult
from reviewgen_spark.reports.model_page import write_model_page

from .conftest import THINGS

MakeScores = Callable[[float], list[Score]]


@dataclasses.dataclass
class Registry:
    folder: Path
    uri: str
    model: Path

    def add(
        self,
        scores: list[Score],
        promoted: bool = True,
        fingerprint: str | None = None,
        files: Sequence[Path] = (),
    ) -> Decision:
        return register(
            self.model,
            scores,
            fingerprint or uuid.uuid4().hex,
            {"rows": 160},
            {"run": "test"},
            "sentiment",
            self.uri,
            self.folder / "artifacts",
            lambda champion: (promoted, f"instead of {champion and champion.version}"),
            files=files,
        )


@pytest.fixture
def registry(tmp_path: Path, trained: FinetuneResult) -> Registry:
    model = tmp_path / "model"
    shutil.copytree(trained.folder, model)
    return Registry(tmp_path, f"sqlite:///{tmp_path / 'store' / 'mlflow.db'}", model)


def test_a_version_is_promoted_and_rolled_back(registry: Registry, make_scores: MakeScores) -> None:
    first = registry.add(make_scores(0.80))
    assert (first.promoted, first.previous_version, first.model.version) == (True, None, 1)

    worse = registry.add(make_scores(0.79), promoted=False)
    assert (worse.promoted, worse.previous_version, worse.reason) == (False, 1, "instead of 1")
    assert resolve("sentiment", "champion", registry.uri) == first.model
    assert resolve("sentiment", "candidate", registry.uri).version == 2

    better = registry.add(make_scores(0.85))
    assert (better.promoted, better.previous_version) == (True, 1)
    assert resolve("sentiment", "champion", registry.uri) == better.model

    back = set_champion("sentiment", 1, registry.uri)
    assert (back.model, back.previous_version) == (first.model, 3)
    assert resolve("sentiment", "champion", registry.uri) == first.model
    assert [(entry.version, entry.aliases) for entry in list_models(registry.uri)] == [
        (3, ("candidate",)),
        (2, ()),
        (1, ("champion",)),
    ]


def test_a_repeated_registration_adds_no_version(registry: Registry, make_scores: MakeScores) -> None:
    first = registry.add(make_scores(0.80), fingerprint="f1")
    assert registry.add(make_scores(0.80), fingerprint="f1") == first
    registry.add(make_scores(0.85), fingerprint="f2")
    # the decision is repeated but not applied again: version 1 is not restored
    assert registry.add(make_scores(0.80), fingerprint="f1") == first
    assert resolve("sentiment", "champion", registry.uri).version == 2
    assert len(list_models(registry.uri)) == 2


def test_a_compressed_model_has_its_own_alias_and_names_its_teacher(
    registry: Registry, make_scores: MakeScores
) -> None:
    teacher = registry.add(make_scores(0.90)).model
    table = registry.folder / "compression.json"
    table.write_text("{}")

    def add(promoted: bool) -> Decision:
        return register(
            registry.model, make_scores(0.89), uuid.uuid4().hex, {}, {}, "sentiment", registry.uri,
            registry.folder / "artifacts", lambda current: (promoted, f"instead of {current and current.version}"),
            alias="compressed", teacher=teacher, files=[table],
        )  # fmt: skip

    refused = add(promoted=False)
    with pytest.raises(ModelNotFoundError, match="the alias 'compressed'"):
        resolve("sentiment", "compressed", registry.uri)
    first, second = add(promoted=True), add(promoted=True)
    assert [decision.reason for decision in (refused, first, second)] == ["instead of None"] * 2 + ["instead of 3"]
    assert (second.promoted, second.previous_version) == (True, 3)
    listed = [(entry.version, entry.aliases, entry.teacher) for entry in list_models(registry.uri)]
    assert listed == [
        (4, ("compressed",), "sentiment version 1"),
        (3, (), "sentiment version 1"),
        (2, (), "sentiment version 1"),
        (1, ("candidate", "champion"), ""),
    ]
    client = mlflow.MlflowClient(registry.uri, registry.uri)
    version = client.get_model_version("sentiment", "4")
    assert version.tags["teacher_sha256"] == teacher.sha256
    assert "compression.json" in {item.path for item in client.list_artifacts(version.run_id)}


@pytest.mark.parametrize("fails_at", ["set_model_version_tag", "set_registered_model_alias"])
def test_a_killed_registration_is_resumed_with_its_version(
    registry: Registry, make_scores: MakeScores, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    registry.add(make_scores(0.80), fingerprint="f1")
    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, fails_at, interrupt)
        with pytest.raises(KeyboardInterrupt):
            registry.add(make_scores(0.85), fingerprint="f2")
    assert resolve("sentiment", "champion", registry.uri).version == 1
    decision = registry.add(make_scores(0.85), fingerprint="f2")
    assert (decision.model.version, decision.promoted, decision.previous_version) == (2, True, 1)
    assert resolve("sentiment", "champion", registry.uri).version == 2


def test_files_keep_their_hash_and_damage_is_detected(registry: Registry, make_scores: MakeScores) -> None:
    model = registry.add(make_scores(0.80)).model
    assert resolve("sentiment", "champion", registry.uri).sha256 == model.sha256
    second = registry.add(make_scores(0.70), promoted=False).model
    assert second.sha256 == model.sha256  # the same files are the same model
    (registry.folder / "node").mkdir()
    assert folder_sha256(download(model.uri, registry.folder / "node")) == model.sha256  # as a node fetches it

    weights = second.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelNotFoundError, match="not those that were registered"):
        set_champion("sentiment", 2, registry.uri)
    assert resolve("sentiment", "champion", registry.uri).version == 1
    weights.unlink()
    with pytest.raises(ModelNotFoundError, match="cannot be read"):
        resolve("sentiment", "candidate", registry.uri)


def test_an_unknown_name_or_version_is_an_error(registry: Registry, make_scores: MakeScores) -> None:
    with pytest.raises(ModelNotFoundError, match="reviewgen run train"):
        resolve("sentiment", "champion", registry.uri)
    registry.add(make_scores(0.80))
    with pytest.raises(ModelNotFoundError, match="the alias 'shadow'"):
        resolve("sentiment", "shadow", registry.uri)
    with pytest.raises(ModelNotFoundError, match="has no version 9"):
        set_champion("sentiment", 9, registry.uri)


def test_the_identity_of_a_store_does_not_depend_on_its_versions(registry: Registry, make_scores: MakeScores) -> None:
    before = store_identity(registry.uri, "sentiment")
    registry.add(make_scores(0.80))
    assert store_identity(registry.uri, "sentiment") == before
    other = f"sqlite:///{registry.folder / 'other.db'}"
    assert store_identity(other, "sentiment") != before


def test_a_failure_leaves_no_version(
    registry: Registry, make_scores: MakeScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add(make_scores(0.80))
    monkeypatch.setattr("mlflow.MlflowClient.log_artifacts", lambda *args: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        registry.add(make_scores(0.90))
    assert [entry.version for entry in list_models(registry.uri)] == [1]


def test_the_pyfunc_model_predicts_like_the_predictor(registry: Registry, make_scores: MakeScores) -> None:
    model = registry.add(make_scores(0.80)).model
    texts = ["房间很好，很满意", "太差了，退货", "手机" * 40]
    mlflow.set_tracking_uri(registry.uri)
    try:
        loaded = mlflow.pyfunc.load_model("models:/sentiment@champion")
    finally:
        mlflow.set_tracking_uri(None)
    predictions = loaded.predict(pd.DataFrame({"text": [*texts, None, " "]}))
    assert predictions["sentiment_score"].tolist()[:3] == pytest.approx(
        Predictor(model.path).score_texts(texts), abs=1e-5
    )
    assert predictions["sentiment_label"].tolist()[:2] == ["positive", "negative"]
    assert predictions["sentiment_label"].tolist()[3:] == [None, None]
    assert loaded.metadata.get_input_schema().input_names() == ["text"]
    assert not list(model.path.parents[1].rglob("*.pkl"))


def test_no_review_text_reaches_mlflow(
    registry: Registry, corpus: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(registry.folder)
    scores = evaluate(registry.model, corpus, EvaluateSection(bootstrap_samples=100))
    registry.add(scores)
    canary = "这本书很好，房间很好".encode()
    texts = [part.encode() for part in ("这本书很好", "房间太差", "手机不错", "屏幕失望")]
    for path in registry.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [text for text in [canary, *texts] if text in content], path
    assert not (registry.folder / "mlruns").exists()
    output = capfd.readouterr()
    assert "INFO" not in output.err


def test_baselines_can_be_left_out(trained: FinetuneResult, corpus: Path) -> None:
    scores = evaluate(trained.folder, corpus, EvaluateSection(bootstrap_samples=100), "cpu", ("test",), baselines=False)
    assert {(score.model, score.split) for score in scores} == {("model", "test")}


def test_scores_cover_model_baselines_and_slices(trained: FinetuneResult, corpus: Path) -> None:
    scores = evaluate(trained.folder, corpus, EvaluateSection(bootstrap_samples=100))
    assert {score.model for score in scores} == {"model", "majority", "tfidf_logistic"}
    assert {score.split for score in scores} == {"validation", "test"}
    slices = {score.slice_name for score in scores}
    perturbed = {f"robust={name}" for name in ("none", *PERTURBATIONS)}
    lengths = {name for name in slices if name.startswith("length=")}
    assert {"all", "category=书", "category=酒店", "rating=5", "rating=1", "lang=zh"} == slices - perturbed - lengths
    assert perturbed <= slices and lengths == {"length=1-20", "length=21-60"}
    cells = [find_score(scores, cell) for cell in ("tn", "fp", "fn", "tp")]
    assert sum(cells) == 40
    assert find_score(scores, "accuracy") == (cells[0] + cells[3]) / 40
    assert find_score(scores, "f1", model="majority") in (0.0, pytest.approx(2 / 3))
    assert find_score(scores, "f1_gain_over_majority") > 0.2
    for score in scores:
        if score.low is not None and score.high is not None:
            assert score.low <= score.high


def test_extra_files_are_logged_and_read_back(registry: Registry, make_scores: MakeScores) -> None:
    page = registry.folder / "model_page.html"
    page.write_text("<h1>酒店</h1>", encoding="utf-8")
    registry.add(make_scores(0.80), files=[page])
    assert read_file("sentiment", "champion", "model_page.html", registry.uri) == "<h1>酒店</h1>"
    assert read_file("sentiment", "1", "model_page.html", registry.uri) == "<h1>酒店</h1>"
    registry.add(make_scores(0.85))
    with pytest.raises(ModelNotFoundError, match=r"version 2: its run has no model_page.html; .*reviewgen run train"):
        read_file("sentiment", "champion", "model_page.html", registry.uri)
    with pytest.raises(ModelNotFoundError, match="the alias 'shadow'"):
        read_file("sentiment", "shadow", "model_page.html", registry.uri)


def test_the_command_fetches_the_page_of_an_evaluation(
    registry: Registry, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, curves = evaluate_with_curves(registry.model, corpus, EvaluateSection(bootstrap_samples=100))
    assert (curves.split, curves.rows) == ("test", 40)
    assert curves.rankings["model"].auc == pytest.approx(find_score(scores, "auc"), abs=1e-6)
    baseline = curves.rankings["tfidf_logistic"].auc
    assert baseline == pytest.approx(find_score(scores, "auc", model="tfidf_logistic"), abs=1e-6)
    assert calibration_error(curves.calibrated) == pytest.approx(find_score(scores, "ece"), abs=1e-6)
    page = write_model_page(registry.model, scores, curves, 160, registry.folder)
    html = page.read_text(encoding="utf-8")
    assert "Reliability diagram" in html and not [thing for thing in THINGS if thing in html]  # no text of a review

    registry.add(scores, files=[page])
    out, store = registry.folder / "new" / "page.html", ["--set", f"paths.mlflow_uri={registry.uri}"]
    assert main(["models", "page", "sentiment@champion", "--out", str(out), *store]) == 0
    assert out.read_text(encoding="utf-8") == html
    assert str(out) in capsys.readouterr().out

    registry.add(scores)
    out.unlink()
    assert main(["models", "page", "sentiment@2", "--out", str(out), *store]) == 5
    assert "has no model_page.html" in capsys.readouterr().err
    assert main(["models", "page", "sentiment", "--out", str(out), *store]) == 2
    assert "expected NAME@ALIAS" in capsys.readouterr().err
    assert not out.exists()
