import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.text.requests.purposes import IN_SHOPS_NAME, PER_PRODUCT, PUBLISHABLE, PURPOSES
from reviewgen_spark.text.requests.request import (
    LENGTH_BOUNDS,
    LENGTHS,
    Attribute,
    Source,
    TextRequest,
    length_of,
    prompt_fingerprint,
    text_id,
)
from reviewgen_spark.text.words.languages import LANG_CODES

REPLY = TextRequest(
    "reply",
    "p1",
    "zh",
    record_id="r1",
    category="手机",
    sentiment="negative",
    stars=1,
    aspects=("电池",),
    keywords=("续航",),
    length="short",
    attributes=(Attribute("品牌", "某牌"),),
    sources=(Source("r1", "电池不行\n“半天”就没电"),),
    seed=7,
)


def test_a_request_survives_json() -> None:
    assert TextRequest.from_json(REPLY.to_json()) == REPLY
    assert REPLY.to_json().isascii() and "\n" not in REPLY.to_json()


def test_json_may_leave_out_defaults_and_write_attributes_as_an_object() -> None:
    line = '{"purpose": "product_copy", "product_id": "p1", "lang_code": "en", "attributes": {"colour": "red"}}'
    assert TextRequest.from_json(line) == TextRequest(
        "product_copy", "p1", "en", attributes=(Attribute("colour", "red"),)
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"purpose": "customer_review"}, "expected one of augmentation, summary, product_copy, reply, draft_for_"),
        ({"lang_code": "de"}, "lang_code: got 'de'; expected one of zh, en"),
        ({"length": "huge"}, "expected one of short, medium, long"),
        ({"sentiment": "mixed"}, "expected one of positive, negative"),
        ({"stars": 6}, "stars: got 6; expected 1 to 5"),
        ({"stars": True}, "stars: got True"),
        ({"stars": 5}, "contradict"),
        ({"seed": -1}, "seed: got -1"),
        ({"product_id": ""}, "product_id"),
        ({"record_id": ""}, "record_id"),
        ({"keywords": [" "]}, "keywords"),
        ({"keywords": "电池"}, "keywords: expected a list, got str"),
        ({"attributes": [["a"]]}, "pairs of a name and a value"),
        ({"attributes": {"a": 1}}, "both texts"),
        ({"sources": [{"text": "no id"}]}, "objects of record_id and text"),
        ({"sources": [{"record_id": "r", "text": "x"}] * 2}, "each record_id once"),
        ({"sources": []}, "at least one review"),
        ({"purpos": "reply"}, "did you mean 'purpose'"),
    ],
)
def test_a_wrong_request_names_the_expected_values(values: dict[str, object], expected: str) -> None:
    line = json.dumps({**json.loads(REPLY.to_json()), **values})
    with pytest.raises(ConfigError, match=expected):
        TextRequest.from_json(line)


@pytest.mark.parametrize("line", ["", "[]", "{", '{"purpose": "reply"}'])
def test_a_line_that_is_no_request_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="request: expected"):
        TextRequest.from_json(line)


def test_all_faults_are_reported_at_once_without_review_text() -> None:
    with pytest.raises(ConfigError) as raised:
        TextRequest("秘密评论" * 20, "p1", "de", stars=0, sources=(Source("r", "秘密"),))  # type: ignore[arg-type]
    assert len(str(raised.value).splitlines()) == 3
    assert "秘密" not in str(raised.value)


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        ("summary", "sources"),
        ("reply", "sources"),
        ("product_copy", "attributes"),
        ("draft_for_verified_buyer", "stars"),
    ],
)
def test_each_purpose_has_required_fields(purpose: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"^request: {expected}"):
        TextRequest(purpose, "p1", "zh")  # type: ignore[arg-type]


def test_a_draft_needs_the_buyers_own_words() -> None:
    with pytest.raises(ConfigError, match="own words"):
        TextRequest("draft_for_verified_buyer", "p1", "zh", stars=4)
    assert TextRequest("draft_for_verified_buyer", "p1", "zh", stars=4, keywords=("轻",)).stars == 4


def test_the_fingerprint_ignores_the_seed_and_the_text_id_does_not() -> None:
    seeded = replace(REPLY, seed=8)
    assert prompt_fingerprint(REPLY, "1") == prompt_fingerprint(seeded, "1")
    assert prompt_fingerprint(REPLY, "1") != prompt_fingerprint(REPLY, "2")
    ids = {
        text_id(request, version, name, number)
        for request in (REPLY, seeded, replace(REPLY, keywords=()))
        for version in ("1", "2")
        for name in ("template", "torch")
        for number in (1, 2)
    }
    assert len(ids) == 24


@given(st.text(max_size=600), st.sampled_from(LANG_CODES))
def test_every_text_has_a_length_and_bounds_leave_no_gap(text: str, lang_code: str) -> None:
    assert length_of(text, lang_code) in LENGTHS  # type: ignore[arg-type]
    bounds = list(LENGTH_BOUNDS[lang_code].values())  # type: ignore[index]
    assert all(high + 1 == low for (_, high), (low, _) in pairwise(bounds))


def test_purposes_are_fixed_and_customer_texts_are_not_publishable() -> None:
    assert sorted(PURPOSES) == ["augmentation", "draft_for_verified_buyer", "product_copy", "reply", "summary"]
    assert set(PURPOSES) >= (PER_PRODUCT | PUBLISHABLE | IN_SHOPS_NAME)
    assert {"augmentation", "draft_for_verified_buyer"}.isdisjoint(PUBLISHABLE)
