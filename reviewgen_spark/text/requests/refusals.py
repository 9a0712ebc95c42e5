"""Refuses requests that contain refused phrases or personal data, before a text is generated.

Customers' reviews are not checked, because a review may itself complain about fake reviews. Only the fields that the
sender chose are checked: keywords, aspects, category and attributes, and for a draft also the words of the buyer.
"""

from typing import NamedTuple

from reviewgen_spark.text.privacy import pii
from reviewgen_spark.text.requests.request import TextRequest
from reviewgen_spark.text.words.phrase_lists import PhraseList


class Refusal(NamedTuple):
    """Holds the reason of a refusal: its kind and the phrase of the list, never words of the request."""

    kind: str
    reason: str


_ALLOWED_IN_ATTRIBUTES = {"LANDLINE"}  # the shop's hotline, which a text may contain


def refusal(request: TextRequest, refused: PhraseList) -> Refusal | None:
    """Returns the reason why a request is refused, or None.

    Args:
        request: The request to check.
        refused: The list of conf/safety/refusals.tsv.
    """
    for name, words in _checked_fields(request):
        for word in words:
            if matches := refused.find(word):
                return Refusal(
                    matches[0].kind, f"{name}: asks for what is refused: {matches[0].kind} ({matches[0].phrase})"
                )
            if kinds := set(pii.mask(word).counts) - (_ALLOWED_IN_ATTRIBUTES if name == "attributes" else set()):
                return Refusal("personal_data", f"{name}: holds personal data: {', '.join(sorted(kinds))}")
    return None


def _checked_fields(request: TextRequest) -> tuple[tuple[str, tuple[str, ...]], ...]:
    is_draft = request.purpose == "draft_for_verified_buyer"
    return (
        ("keywords", request.keywords),
        ("aspects", request.aspects),
        ("category", (request.category,) if request.category else ()),
        ("attributes", tuple(f"{pair.name} {pair.value}" for pair in request.attributes)),
        ("sources", tuple(source.text for source in request.sources) if is_draft else ()),
    )
