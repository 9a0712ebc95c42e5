from reviewgen_spark.config import Config
from reviewgen_spark.transforms.clean import clean_reviews
from tests.spark.conftest import Table, bronze, values_by_id


def test_clean_masks_normalises_and_hashes_the_user(table: Table, config: Config) -> None:
    cleaned = clean_reviews(bronze(table), config.clean, b"key")
    assert "user_id" not in cleaned.columns
    found = {row.record_id: row for row in cleaned.collect()}
    assert "13800000000" not in found["a"].text_clean and "[PHONE]" in found["a"].text_clean
    assert "<b>" not in found["a"].text_clean
    assert found["a"].title_clean == "A级"
    assert found["a"].pii_counts == {"PHONE": 1}
    assert found["a"].lang_code == "zh-hans"
    assert found["a"].user_key == found["c"].user_key != found["d"].user_key
    assert found["b"].user_key is None
    assert found["b"].text_clean is None and not found["b"].is_boilerplate
    assert found["c"].text_clean is None and found["c"].text_hash is None
    assert found["d"].is_boilerplate


def test_another_key_gives_other_user_keys(table: Table, config: Config) -> None:
    one = values_by_id(clean_reviews(bronze(table), config.clean, b"key"), "user_key")
    other = values_by_id(clean_reviews(bronze(table), config.clean, b"other"), "user_key")
    assert one["a"] != other["a"]
