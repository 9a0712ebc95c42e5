"""Writes texts from sentence templates, without a model. Equal requests give equal texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reviewgen_spark.errors import RequestError
from reviewgen_spark.inference.generation.writers import WriterOutput
from reviewgen_spark.inference.labelling.batching import RowError
from reviewgen_spark.text.requests.request import TextRequest
from reviewgen_spark.text.requests.templates import TEMPLATE_VERSION, fill_template
from reviewgen_spark.text.similarity.copied_runs import CopyIndex
from reviewgen_spark.text.words.languages import LangCode


@dataclass(frozen=True)
class TemplateSpec:
    """Describes the templates of this version."""

    model_name = "template"
    model_version = TEMPLATE_VERSION
    prompt_version = "template"
    is_alone = False
    is_model = False
    is_seeded = True

    @property
    def decoding(self) -> Mapping[str, Any]:
        """Returns no settings, because only prompt and seed shape a text."""
        return {}

    def open(self) -> "TemplateWriter":
        """Opens a writer."""
        return TemplateWriter()


class TemplateWriter:
    """Fills templates."""

    copies: Mapping[LangCode, CopyIndex] = {}

    def write(self, requests: Sequence[TextRequest]) -> list[WriterOutput]:
        """Fills a template for each request."""
        return [_write(request) for request in requests]


def _write(request: TextRequest) -> WriterOutput:
    try:
        return WriterOutput(fill_template(request))
    except RequestError as error:
        return WriterOutput(error=RowError("UnsupportedPurpose", str(error)))
