"""Defines a finding of `reviewgen doctor`, and the exit code of several findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """Holds one line of `reviewgen doctor`.

    Attributes:
        level: Result of the check.
        subject: Name of the checked thing, such as java.
        message: Result in words.
        next_step: Advice; empty if nothing has to be done.
        is_configuration: Whether a setting is wrong.
    """

    level: Literal["ok", "warn", "fail"]
    subject: str
    message: str
    next_step: str = ""
    is_configuration: bool = False

    def line(self) -> str:
        """Returns the line as it is printed.

        >>> Finding("warn", "disk", "2 GiB free", "make room").line()
        'warn  disk: 2 GiB free; make room'
        """
        return f"{self.level:<4}  {self.subject}: {self.message}" + (f"; {self.next_step}" if self.next_step else "")


def exit_code(findings: Sequence[Finding]) -> int:
    """Returns 0 if no check failed, 2 if a setting is wrong, and 5 for any other failure.

    A wrong setting comes first, because it may cause the other failures.
    """
    failures = [finding for finding in findings if finding.level == "fail"]
    if any(finding.is_configuration for finding in failures):
        return 2
    return 5 if failures else 0
