from reviewgen_spark.config import Config
from reviewgen_spark.transforms.clean import clean_reviews
from tests.spark.conftest import Table, bronze, values_by_id


def test_clean_masks_normalises_and_hashes_the_user(table: Table, config: Config) -> None:
    cleaned = clean_reviews(bronze(table), config.clean, b"key")
    assert "user_id" not in cleaned.columns
    rows = {row.record_id: row for row in cleaned.collect()}
    assert "13800000000" not in rows["a"].text_clean and "[PHONE]" in rows["a"].text_clean
    assert "<b>" not in rows["a"].text_clean
    assert rows["a"].title_clean == "A级"
    assert rows["a"].pii_counts == {"PHONE": 1}
    assert rows["a"].lang_code == "zh-hans"
    assert rows["a"].user_key == rows["c"].user_key != rows["d"].user_key
    assert rows["b"].user_key is None
    assert rows["b"].text_clean is None and not rows["b"].is_boilerplate
    assert rows["c"].text_clean is None and rows["c"].text_hash is None
    assert rows["d"].is_boilerplate


def test_another_key_gives_other_user_keys(table: Table, config: Config) -> None:
    one = values_by_id(clean_reviews(bronze(table), config.clean, b"key"), "user_key")
    other = values_by_id(clean_reviews(bronze(table), config.clean, b"other"), "user_key")
    assert one["a"] != other["a"]
