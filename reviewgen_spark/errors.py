"""The exception tree, and the exit code each kind of failure ends a command with.

Every exception is also the builtin that a caller would expect to catch. Messages say where, what was got, what
was expected and what to do next; they never carry review text, user ids or secrets.
"""

from typing import ClassVar


class ReviewgenError(Exception):
    """The base of every error that the project raises on purpose."""

    exit_code: ClassVar[int] = 5


class ConfigError(ReviewgenError, ValueError):
    """The configuration is wrong; every fault is listed, one a line."""

    exit_code: ClassVar[int] = 2


class SchemaError(ReviewgenError, ValueError):
    """A table or a file does not have the columns it must have."""


class DataQualityError(ReviewgenError, ValueError):
    """Data is late, too little, or was refused whole; what could be published was published."""

    exit_code: ClassVar[int] = 3


class ModelNotFoundError(ReviewgenError, LookupError):
    """No model stands under the name, alias or path that was asked for."""


class RegistryError(ReviewgenError, ConnectionError):
    """The model registry gives no answer."""


class MissingExtraError(ReviewgenError, ImportError):
    """A library of an optional extra is not installed; the message names the extra."""


class RequestError(ReviewgenError, ValueError):
    """A request for a text asks for what cannot be written; its own row fails, and no other."""


class StageError(ReviewgenError, RuntimeError):
    """A stage failed on a batch. The cause is named by its class only: its message could hold review text."""


class ErrorShareError(StageError):
    """More rows of a model stage ended in an error than `max_error_pct` allows; nothing was published."""

    exit_code: ClassVar[int] = 4


class LeaseError(ReviewgenError, RuntimeError):
    """Another run holds the warehouse, or this run lost it."""
