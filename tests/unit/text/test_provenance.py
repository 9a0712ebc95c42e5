import json

import pytest

from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.text.requests.provenance import FIELDS, VISIBLE_LABELS, Aigc, aigc_metadata, labelled, parse_aigc


def test_the_metadata_has_the_seven_fields_of_the_standard() -> None:
    values = json.loads(aigc_metadata("很好用", "t1", "某店").to_json())
    assert list(values) == ["AIGC"]
    assert list(values["AIGC"]) == [
        "Label",
        "ContentProducer",
        "ProduceID",
        "ReservedCode1",
        "ContentPropagator",
        "PropagateID",
        "ReservedCode2",
    ]
    assert (values["AIGC"]["Label"], values["AIGC"]["ContentProducer"], values["AIGC"]["ProduceID"]) == (
        "1",
        "某店",
        "t1",
    )


def test_metadata_matches_its_own_text_only() -> None:
    metadata = aigc_metadata("很好用", "t1", "shop")
    assert parse_aigc(metadata.to_json()) == metadata
    assert metadata.fits("很好用")
    assert not metadata.fits("很好用!")
    for field in ("Label", "ContentProducer", "ProduceID"):
        assert not Aigc(**{**vars(metadata), field: "2"}).fits("很好用"), field


def test_a_request_without_a_text_has_metadata_too() -> None:
    assert aigc_metadata(None, "t1", "shop").fits(None)
    assert not aigc_metadata(None, "t1", "shop").fits("text")


@pytest.mark.parametrize("metadata", ["", "[]", "{}", '{"AIGC": 1}', '{"AIGC": {}}'])
def test_broken_metadata_is_refused(metadata: str) -> None:
    with pytest.raises(DataQualityError, match="AIGC metadata: expected"):
        parse_aigc(metadata)


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_refused(field: str) -> None:
    values = json.loads(aigc_metadata("x", "t1", "shop").to_json())
    del values["AIGC"][field]
    with pytest.raises(DataQualityError, match=f"in the fields {field}$"):
        parse_aigc(json.dumps(values))


@pytest.mark.parametrize("lang_code", ["zh", "en"])
def test_a_label_is_added_once(lang_code: str) -> None:
    shown = labelled("text", lang_code)  # type: ignore[arg-type]
    assert shown.startswith(VISIBLE_LABELS[lang_code]) and "AI" in shown  # type: ignore[index]
    assert labelled(shown, lang_code) == shown  # type: ignore[arg-type]
