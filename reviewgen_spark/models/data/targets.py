"""The target of a row that has no label for a task."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


MISSING = -1  # the target of a row that has no label for a task
