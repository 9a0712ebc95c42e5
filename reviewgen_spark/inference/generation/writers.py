"""Declares what every writer offers. A writer turns each request into a text or an error.

The writers are sentence templates, a shipped generator, and a model server.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reviewgen_spark.inference.labelling.batching import RowError
from reviewgen_spark.text.requests.request import TextRequest
from reviewgen_spark.text.similarity.copied_runs import CopyIndex
from reviewgen_spark.text.words.languages import LangCode


@dataclass(frozen=True)
class WriterOutput:
    """Holds the text that a writer wrote for a request, or the error.

    Attributes:
        text: the text without its visible label; None with an error.
        error: why there is no text; it never contains a text.
        prompt_tokens: tokens of the prompt; 0 if they were not counted.
        new_tokens: tokens of the text; 0 if they were not counted.
        is_truncated: whether the text was cut off at its token limit.
    """

    text: str | None = None
    error: RowError | None = None
    prompt_tokens: int = 0
    new_tokens: int = 0
    is_truncated: bool = False


class Writer(Protocol):
    """Writes texts. It holds what it needs, such as a loaded model, and is used in the process that opened it."""

    @property
    def copies(self) -> Mapping[LangCode, CopyIndex]:
        """Returns an index of its training texts for each language, to find copies; empty if they are unknown."""

    def write(self, requests: Sequence[TextRequest]) -> list[WriterOutput]:
        """Writes a text for each request, in their order. A request that fails does not affect the others."""


class WriterSpec(Protocol):
    """Describes a writer. It is sent to workers, which open the writer, and it fills columns of the rows."""

    @property
    def model_name(self) -> str:
        """Returns the name that is written into the rows."""

    @property
    def model_version(self) -> int:
        """Returns the version that is written into the rows."""

    @property
    def prompt_version(self) -> str:
        """Returns the version of the prompt's wording, a part of the prompt's fingerprint."""

    @property
    def decoding(self) -> Mapping[str, Any]:
        """Returns the settings that shape a text besides prompt and seed."""

    @property
    def is_alone(self) -> bool:
        """Returns whether one writer must get all rows of a stage's batch, because its limits count over them."""

    @property
    def is_model(self) -> bool:
        """Returns whether it words texts freely, so that the sources must support each claim."""

    @property
    def is_seeded(self) -> bool:
        """Returns whether another seed may give another text, so that a failed text is worth another attempt."""

    def open(self) -> Writer:
        """Opens the writer in the process that calls this method."""


def decoding_json(spec: WriterSpec) -> str:
    """Returns the value of the column `decoding`: compact JSON with sorted keys."""
    return json.dumps(spec.decoding, sort_keys=True, separators=(",", ":"))
