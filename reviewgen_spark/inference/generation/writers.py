"""Who writes: requests in, a text or an error for each out. Templates, a shipped generator, or an endpoint."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reviewgen_spark.inference.labelling.batching import RowError
from reviewgen_spark.text.requests.request import TextRequest
from reviewgen_spark.text.similarity.copied_runs import CopyIndex
from reviewgen_spark.text.words.languages import LangCode


@dataclass(frozen=True)
class Written:
    """What became of a request.

    Attributes:
        text: as it was written, without a visible label; None with an error.
        error: why there is none; never holds a text.
        prompt_tokens: read; 0 where nobody counted.
        new_tokens: written.
        is_truncated: whether the text ended at its limit.
    """

    text: str | None = None
    error: RowError | None = None
    prompt_tokens: int = 0
    new_tokens: int = 0
    is_truncated: bool = False


class Writer(Protocol):
    """Writes texts; holds what it needs for that, and lives where it is called."""

    @property
    def copies(self) -> Mapping[LangCode, CopyIndex]:
        """What it was taught, by language, so that copies of it are known; empty where nobody can tell."""

    def write(self, requests: Sequence[TextRequest]) -> list[Written]:
        """Write a text for each request, in their order; one that fails harms no other."""


class WriterSpec(Protocol):
    """What travels to a worker instead of a writer, and what the rows say of who wrote them."""

    @property
    def model_name(self) -> str:
        """For the rows."""

    @property
    def model_version(self) -> int:
        """For the rows."""

    @property
    def prompt_version(self) -> str:
        """How it words a request; enters the prompt's fingerprint."""

    @property
    def decoding(self) -> Mapping[str, Any]:
        """What shapes a text besides prompt and seed."""

    @property
    def is_alone(self) -> bool:
        """Whether one writer must see all rows of a stage's batch, as its limits are counted over them."""

    @property
    def is_model(self) -> bool:
        """Whether it finds words of its own, whose claims must stand in the sources."""

    @property
    def is_seeded(self) -> bool:
        """Whether another seed may give another text, so that a failed one is worth asking for again."""

    def open(self) -> Writer:
        """The writer, in the process that calls it."""


def decoding_json(spec: WriterSpec) -> str:
    """The column `decoding`."""
    return json.dumps(spec.decoding, sort_keys=True, separators=(",", ":"))
