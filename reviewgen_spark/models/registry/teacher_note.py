"""Writes and checks the note beside a distilled student: the name, version and hash of its teacher."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.errors import StageError

if TYPE_CHECKING:
    from reviewgen_spark.models.registry.registry import RegisteredModel

TEACHER_LOGITS, TEACHER = "teacher_logits.npy", "teacher.json"


def note_teacher(folder: Path, teacher: "RegisteredModel") -> None:
    """Writes the name, version and hash of the teacher into the folder of a student."""
    facts = {"name": teacher.name, "version": teacher.version, "sha256": teacher.sha256}
    (folder / TEACHER).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def check_teacher(stage: str, folder: Path, teacher: "RegisteredModel") -> None:
    """Checks that a student was distilled from this teacher, because the champion may have changed since.

    Raises:
        StageError: the student was distilled from another teacher.
    """
    note = json.loads((folder / TEACHER).read_text(encoding="utf-8"))
    if note["sha256"] != teacher.sha256:
        raise StageError(
            f"{stage}: the student was distilled from {note['name']} version {note['version']}, and distil.teacher is "
            f"now version {teacher.version}; run `reviewgen run compress`, which distils again"
        )
