"""Tests that an artifact is published completely or not at all, and that `latest` links to the newest one."""

from pathlib import Path

from reviewgen_spark.orchestration.artifacts import Artifacts


def publish(artifacts: Artifacts, stage: str, fingerprint: str, content: str) -> Path:
    staged = artifacts.staging(f"{stage}-run")
    staged.mkdir(parents=True)
    (staged / "file").write_text(content, encoding="utf-8")
    artifacts.publish(stage, fingerprint, staged)
    assert not staged.exists()
    return artifacts.folder(stage, fingerprint)


def test_the_last_published_artifact_is_the_latest(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    assert artifacts.made() == [] and not artifacts.latest("corpus").exists()
    one = publish(artifacts, "corpus", "one", "1")
    two = publish(artifacts, "corpus", "two", "2")
    assert artifacts.latest("corpus").resolve() == two
    publish(artifacts, "corpus", "one", "once more")
    assert artifacts.latest("corpus").resolve() == one and (one / "file").read_text(encoding="utf-8") == "once more"
    artifacts.checkpoints("corpus", "three").mkdir(parents=True)
    artifacts.pinned.mkdir()
    assert artifacts.made() == [one, two]


def test_the_latest_link_is_removed_with_its_last_artifact(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    one, two = publish(artifacts, "corpus", "one", "1"), publish(artifacts, "corpus", "two", "2")
    artifacts.remove(one)
    assert artifacts.latest("corpus").resolve() == two
    artifacts.remove(two)
    assert not artifacts.latest("corpus").is_symlink() and artifacts.made() == []


def test_unfinished_folders_are_removed_and_artifacts_stay(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifact = publish(artifacts, "finetune", "one", "1")
    artifacts.checkpoints("finetune", "two").mkdir(parents=True)
    artifacts.staging("finetune-run").mkdir(parents=True)
    artifacts.pinned.mkdir()
    artifacts.remove_unfinished()
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["_pinned", "finetune"] and artifact.is_dir()
