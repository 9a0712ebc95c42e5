"""What stages make is there whole or not at all, and the latest of it is known."""

from pathlib import Path

from reviewgen_spark.orchestration.artifacts import Artifacts


def publish(artifacts: Artifacts, stage: str, fingerprint: str, content: str) -> Path:
    staged = artifacts.staging(f"{stage}-run")
    staged.mkdir(parents=True)
    (staged / "file").write_text(content, encoding="utf-8")
    artifacts.publish(stage, fingerprint, staged)
    assert not staged.exists()
    return artifacts.folder(stage, fingerprint)


def test_what_is_published_is_the_latest(tmp_path: Path) -> None:
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


def test_a_link_does_not_outlive_what_it_names(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    one, two = publish(artifacts, "corpus", "one", "1"), publish(artifacts, "corpus", "two", "2")
    artifacts.remove(one)
    assert artifacts.latest("corpus").resolve() == two
    artifacts.remove(two)
    assert not artifacts.latest("corpus").is_symlink() and artifacts.made() == []


def test_what_is_half_done_goes_and_the_rest_stays(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    made = publish(artifacts, "finetune", "one", "1")
    artifacts.checkpoints("finetune", "two").mkdir(parents=True)
    artifacts.staging("finetune-run").mkdir(parents=True)
    artifacts.pinned.mkdir()
    artifacts.remove_unfinished()
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["_pinned", "finetune"] and made.is_dir()
