"""Defines the exceptions of the project, and the exit code of each.

Each exception also inherits from the builtin that a caller would expect to catch. A message gives the file or setting,
the value, the expected value and the next step. It never contains review text, user ids or secrets.
"""

from typing import ClassVar


class ReviewgenError(Exception):
    """Is the base of every error that the project raises on purpose. Each argument is one line of its message."""

    exit_code: ClassVar[int] = 5

    def __str__(self) -> str:
        """Returns the lines of the message."""
        return "\n".join(str(line) for line in self.args)


class ConfigError(ReviewgenError, ValueError):
    """Reports a wrong configuration; every fault is an argument, and a line of the message."""

    exit_code: ClassVar[int] = 2


class SchemaError(ReviewgenError, ValueError):
    """Reports a table or a file without the expected columns."""


class DamagedTableError(ReviewgenError, OSError):
    """Reports a table that is gone or damaged; the message names table, file and remedy."""


class DataQualityError(ReviewgenError, ValueError):
    """Reports data that is late, too small or refused; all other data was written."""

    exit_code: ClassVar[int] = 3


class ModelNotFoundError(ReviewgenError, LookupError):
    """Reports that no model has the given name, alias or path."""


class DamagedModelError(ModelNotFoundError):
    """Reports a registered model whose files are missing, or are not those that were registered."""


class RegistryError(ReviewgenError, ConnectionError):
    """Reports that the model registry does not answer."""


class MissingExtraError(ReviewgenError, ImportError):
    """Reports a missing library of an optional extra; the message names the extra."""


class RequestError(ReviewgenError, ValueError):
    """Reports a request for a text that cannot be written; only its own row fails."""


class StageError(ReviewgenError, RuntimeError):
    """Reports a stage that failed. The cause is given by class only, because its message could contain review text."""


class ErrorShareError(StageError):
    """Reports that more rows of a model stage failed than `max_error_pct` allows; nothing was written."""

    exit_code: ClassVar[int] = 4


class LeaseError(ReviewgenError, RuntimeError):
    """Reports that another run holds the lease of the warehouse, or that this run lost it."""
