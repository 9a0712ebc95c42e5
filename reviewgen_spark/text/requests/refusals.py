"""Requests that are refused before anything is written: what they ask for is on a list, or they carry personal data.

Customers' reviews are not searched: they are material, and a review may say that it smells of fake reviews. What the
one who asks chose is: keywords, aspects, category, attributes, and for a draft the words of the buyer.
"""

from typing import NamedTuple

from reviewgen_spark.text.privacy import pii
from reviewgen_spark.text.requests.request import Request
from reviewgen_spark.text.words.phrase_lists import PhraseList


class Refusal(NamedTuple):
    """Why a request is refused: the kind of the list, and what it was found by; never the request's own words."""

    kind: str
    reason: str


_OF_A_SHOP = {"LANDLINE"}  # a hotline, which an answer may name


def refusal(request: Request, refused: PhraseList) -> Refusal | None:
    """Why a request is refused, or None.

    Args:
        request: what is asked for.
        refused: the list of conf/safety/refusals.tsv.
    """
    for name, words in _asked(request):
        for word in words:
            if found := refused.find(word):
                return Refusal(found[0].kind, f"{name}: asks for what is refused: {found[0].kind} ({found[0].phrase})")
            if kinds := set(pii.mask(word).counts) - (_OF_A_SHOP if name == "attributes" else set()):
                return Refusal("personal_data", f"{name}: holds personal data: {', '.join(sorted(kinds))}")
    return None


def _asked(request: Request) -> tuple[tuple[str, tuple[str, ...]], ...]:
    is_draft = request.purpose == "draft_for_verified_buyer"
    return (
        ("keywords", request.keywords),
        ("aspects", request.aspects),
        ("category", (request.category,) if request.category else ()),
        ("attributes", tuple(f"{pair.name} {pair.value}" for pair in request.attributes)),
        ("sources", tuple(source.text for source in request.sources) if is_draft else ()),
    )
