"""The target of a row that has no label for a task."""

MISSING = -1  # the target of a row that has no label for a task
