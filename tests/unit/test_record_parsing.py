from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewgen_spark.transforms.ingest.record_parsing import ReviewParser, parse_gold_label

GOOD = {
    "review_id": "r1",
    "product_id": "p1",
    "user_id": 42,
    "rating": "5",
    "text": "很好",
    "created_at": "2026-01-05T08:00:00",
}


def parser() -> ReviewParser:
    return ReviewParser("shop", ZoneInfo("Asia/Shanghai"))


def test_a_valid_record_gets_typed_values() -> None:
    values = parser().parse({**GOOD, "channel": "app", "score": 1.5}).values
    assert values["user_id"] == "42"
    assert values["rating"] == 5
    assert values["created_at"] == datetime(2026, 1, 5, 0, 0, tzinfo=UTC)
    assert values["extra"] == {"channel": '"app"', "score": "1.5"}
    assert values["text_raw"] == "很好"
    assert len(values["record_id"]) == 32


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({"product_id": None}, ("product_id_missing",)),
        ({"product_id": ""}, ("product_id_missing",)),
        ({"product_id": [1]}, ("product_id_wrong_type",)),
        ({"text": ["三"]}, ("text_wrong_type",)),
        ({"text": True}, ("text_wrong_type",)),
        ({"rating": "five"}, ("rating_wrong_type",)),
        ({"rating": True}, ("rating_wrong_type",)),
        ({"rating": 4.5}, ("rating_wrong_type",)),
        ({"rating": float("inf")}, ("rating_wrong_type",)),
        ({"rating": 9}, ("rating_out_of_range",)),
        ({"created_at": "yesterday"}, ("created_at_wrong_type",)),
        ({"created_at": None}, ("created_at_missing",)),
        ({"created_at": "0001-01-01T00:00:00"}, ("created_at_wrong_type",)),
        ({"rating": 0, "product_id": None}, ("product_id_missing", "rating_out_of_range")),
    ],
)
def test_a_bad_value_gives_its_reasons(change: dict[str, object], reasons: tuple[str, ...]) -> None:
    assert parser().parse({**GOOD, **change}).reasons == reasons


def test_an_empty_text_is_kept_and_an_empty_rating_is_none() -> None:
    values = parser().parse({**GOOD, "text": "", "rating": ""}).values
    assert values["text_raw"] == ""
    assert values["rating"] is None


def test_equal_instants_in_two_time_zones_give_one_record_id() -> None:
    local = parser().parse(GOOD).values["record_id"]
    offset = parser().parse({**GOOD, "created_at": "2026-01-05T00:00:00+00:00"}).values["record_id"]
    later = parser().parse({**GOOD, "created_at": "2026-01-05T08:00:01"}).values["record_id"]
    assert local == offset != later


def test_anonymous_copies_have_different_ids_and_keep_them_when_redelivered() -> None:
    anonymous = {key: value for key, value in GOOD.items() if key != "review_id"}
    first, second = parser(), parser()
    ids = [first.parse(anonymous).values["record_id"] for _ in range(3)]
    redelivered = [second.parse(anonymous).values["record_id"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert ids == redelivered


def test_record_ids_depend_on_field_boundaries() -> None:
    one = parser().parse({**GOOD, "text": "a", "title": "bc"}).values["record_id"]
    other = parser().parse({**GOOD, "text": "ab", "title": "c"}).values["record_id"]
    assert one != other


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.dictionaries(st.sampled_from([*GOOD, "title", "category", "updated_at", "other"]), json_values))
def test_no_record_raises(record: dict[str, object]) -> None:
    parsed = parser().parse(record)
    assert bool(parsed.values) != bool(parsed.reasons)


def test_gold_labels_are_parsed() -> None:
    good = parse_gold_label({"review_id": 7, "task": "sentiment", "label": "positive"})
    typed = {"review_id": "7", "task": "sentiment", "label": "positive", "source": "unknown"}
    assert good.values == {**typed, "review_source": None}
    assert parse_gold_label({"review_id": "7", "task": "sentiment"}).reasons == ("label_missing",)


def test_aspect_labels_are_parsed() -> None:
    def parse(task: str, label: str) -> object:
        parsed_label = parse_gold_label({"review_id": "7", "task": task, "label": label})
        return parsed_label.reasons or (parsed_label.values["task"], parsed_label.values["label"])

    assert parse("aspect: 电池 ", "neutral") == ("aspect:电池", "neutral")
    assert parse("aspect:a:b", "negative") == ("aspect:a:b", "negative")
    assert parse("aspect: ", "good") == ("aspect_missing", "polarity_unknown")
    assert parse("aspectual", "good") == ("aspectual", "good")
