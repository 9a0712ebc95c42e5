"""Manages the folder `paths.artifacts`, which holds the files of stages.

<stage>/<fingerprint>                files of a finished run; they appear only when all are written
<stage>/latest                       a link to the newest of these folders
_staging/<name>                      files that are being written
_checkpoints/<stage>/<fingerprint>   checkpoints of unfinished trainings, to resume from
_pinned                              copies of registered models, for labelling without the registry
"""

import shutil
from pathlib import Path

PINNED, STAGING, CHECKPOINTS = "_pinned", "_staging", "_checkpoints"


class Artifacts:
    """Returns paths below the folder, publishes staged files and removes old ones."""

    def __init__(self, root: str | Path) -> None:
        """Sets the folder, `paths.artifacts`, which need not exist."""
        self.root = Path(root)

    def folder(self, stage: str, fingerprint: str) -> Path:
        """Returns the folder of a finished run; it exists only if the run succeeded."""
        return self.root / stage / fingerprint

    def latest(self, stage: str) -> Path:
        """Returns the link to the newest folder of a stage; it exists after the first run."""
        return self.root / stage / "latest"

    def staging(self, name: str) -> Path:
        """Returns the folder for files that are not published yet; it is not created here."""
        return self.root / STAGING / name

    def checkpoints(self, stage: str, fingerprint: str) -> Path:
        """Returns the folder where a training keeps its checkpoints."""
        return self.root / CHECKPOINTS / stage / fingerprint

    @property
    def pinned(self) -> Path:
        """Returns the folder with copies of registered models."""
        return self.root / PINNED

    def made(self) -> list[Path]:
        """Returns the folders of all finished runs, each named by its fingerprint."""
        stages = [folder for folder in self.root.iterdir() if folder.is_dir()] if self.root.is_dir() else []
        folders = [folder for stage in stages if not stage.name.startswith("_") for folder in stage.iterdir()]
        return sorted(folder for folder in folders if folder.is_dir() and not folder.is_symlink())

    def publish(self, stage: str, fingerprint: str, staged: Path) -> None:
        """Moves a staged folder to its final path, and makes `latest` point to it."""
        target = self.folder(stage, fingerprint)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        staged.rename(target)
        # Users and bookmarks need one path to the newest files.
        link = target.parent / f"latest-{staged.name}"
        link.symlink_to(target.name)
        link.replace(self.latest(stage))

    def remove(self, folder: Path) -> None:
        """Removes one of the folders of `made`, and the link to it."""
        shutil.rmtree(folder)
        latest = self.latest(folder.parent.name)
        if latest.is_symlink() and not latest.exists():
            latest.unlink()

    def remove_staged(self) -> None:
        """Removes all staged files."""
        shutil.rmtree(self.root / STAGING, ignore_errors=True)

    def remove_unfinished(self) -> None:
        """Removes all staged files and all checkpoints."""
        self.remove_staged()
        shutil.rmtree(self.root / CHECKPOINTS, ignore_errors=True)
