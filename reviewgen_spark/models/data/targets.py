"""Defines the target of a row without a label for a task."""

MISSING = -1  # the target of a row without a label for a task
