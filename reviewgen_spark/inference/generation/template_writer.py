"""Texts from templates: no model, no waiting, and the same again for the same request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reviewgen_spark.errors import RequestError
from reviewgen_spark.inference.generation.writers import Written
from reviewgen_spark.inference.labelling.batching import RowError
from reviewgen_spark.text.requests.request import TextRequest
from reviewgen_spark.text.requests.templates import TEMPLATE_VERSION, fill_template
from reviewgen_spark.text.similarity.copied_runs import CopyIndex
from reviewgen_spark.text.words.languages import LangCode


@dataclass(frozen=True)
class TemplateSpec:
    """The templates of this version."""

    model_name = "template"
    model_version = TEMPLATE_VERSION
    prompt_version = "template"
    is_alone = False
    is_model = False
    is_seeded = True

    @property
    def decoding(self) -> Mapping[str, Any]:
        """Nothing but the seed."""
        return {}

    def open(self) -> "TemplateWriter":
        """A writer."""
        return TemplateWriter()


class TemplateWriter:
    """Fills templates."""

    copies: Mapping[LangCode, CopyIndex] = {}

    def write(self, requests: Sequence[TextRequest]) -> list[Written]:
        """Fill a template for each request."""
        return [_write(request) for request in requests]


def _write(request: TextRequest) -> Written:
    try:
        return Written(fill_template(request))
    except RequestError as error:
        return Written(error=RowError("UnsupportedPurpose", str(error)))
