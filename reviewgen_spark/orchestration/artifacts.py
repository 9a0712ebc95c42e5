"""The folder `paths.artifacts`: what stages make besides tables.

<stage>/<fingerprint>                what a run of a stage made, whole or not there
<stage>/latest                       a link to the newest of them
_staging/<name>                      what is being written
_checkpoints/<stage>/<fingerprint>   of a training that can be gone on with
_pinned                              copies of registered models, to label by when no registry answers
"""

import shutil
from pathlib import Path

PINNED, STAGING, CHECKPOINTS = "_pinned", "_staging", "_checkpoints"


class Artifacts:
    """Paths below the folder, and the few steps that change it."""

    def __init__(self, root: str | Path) -> None:
        """Name the folder, `paths.artifacts`; it need not be there."""
        self.root = Path(root)

    def folder(self, stage: str, fingerprint: str) -> Path:
        """Where what a stage made lies, if it did."""
        return self.root / stage / fingerprint

    def latest(self, stage: str) -> Path:
        """The link to what a stage made last; there is none before."""
        return self.root / stage / "latest"

    def staging(self, name: str) -> Path:
        """Where something is written before it is published; not made here."""
        return self.root / STAGING / name

    def checkpoints(self, stage: str, fingerprint: str) -> Path:
        """Where a training keeps what it goes on from."""
        return self.root / CHECKPOINTS / stage / fingerprint

    @property
    def pinned(self) -> Path:
        """Copies of registered models."""
        return self.root / PINNED

    def made(self) -> list[Path]:
        """What all stages made, a folder each, named by its fingerprint."""
        stages = [folder for folder in self.root.iterdir() if folder.is_dir()] if self.root.is_dir() else []
        found = [made for stage in stages if not stage.name.startswith("_") for made in stage.iterdir()]
        return sorted(folder for folder in found if folder.is_dir() and not folder.is_symlink())

    def publish(self, stage: str, fingerprint: str, staged: Path) -> None:
        """Move what was staged to its place; from then on it is there whole, and the latest."""
        target = self.folder(stage, fingerprint)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        staged.rename(target)
        # People and bookmarks want one place that is always the newest.
        link = target.parent / f"latest-{staged.name}"
        link.symlink_to(target.name)
        link.replace(self.latest(stage))

    def remove(self, folder: Path) -> None:
        """Remove one of `made`, and the link that named it."""
        shutil.rmtree(folder)
        latest = self.latest(folder.parent.name)
        if latest.is_symlink() and not latest.exists():
            latest.unlink()

    def remove_unfinished(self) -> None:
        """Remove what is staged, and what trainings would go on from."""
        for name in (CHECKPOINTS, STAGING):
            shutil.rmtree(self.root / name, ignore_errors=True)
