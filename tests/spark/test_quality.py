"""Tests the quality rules of conf/quality.yaml on rows that break them and on rows that nearly do."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from reviewgen_spark.config import QualityRule, load_config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.quality import count_findings, judge_reviews

RULES = load_config("local").quality.rules
DELIVERED = datetime(2026, 1, 10)
Cleaned = Callable[..., DataFrame]


@pytest.fixture
def cleaned(spark: SparkSession) -> Cleaned:
    """Returns a function that makes rows like those of `clean_reviews`: valid except for the given values."""
    fields = [field for field in TABLES["silver_reviews"].columns if field.name != "quality_flags"]

    def make(*rows: dict[str, Any]) -> DataFrame:
        good = {
            "text_clean": "屏幕清晰，运行流畅，物流也快。",
            "rating": 5,
            "lang_code": "zh-hans",
            "created_at": datetime(2026, 1, 5),
            "review_id": "v",
            "product_id": "p",
            "batch_id": 1,
            "pii_counts": {},
            "rule_counts": {},
        }
        values = [{"record_id": f"r{index:03}", **good, **row} for index, row in enumerate(rows)]
        records = [tuple(value.get(field.name) for field in fields) for value in values]
        frame = spark.createDataFrame(records, StructType(fields), verifySchema=False)
        boilerplate_ids = [value["record_id"] for value in values if value.get("is_boilerplate")]
        return frame.withColumn("is_boilerplate", F.col("record_id").isin(boilerplate_ids))

    return make


def broken(rows: DataFrame) -> list[tuple[list[str], list[str]]]:
    judged = judge_reviews(rows, RULES, DELIVERED).orderBy("record_id").collect()
    return [(row.quality_errors, row.quality_flags) for row in judged]


CASES = [
    ({}, [], []),
    ({"created_at": datetime(1970, 1, 1)}, ["impossible_date"], []),
    ({"created_at": datetime(2026, 3, 1)}, ["impossible_date"], []),
    ({"created_at": datetime(2026, 1, 10, 12)}, [], []),  # clocks differ
    ({"updated_at": datetime(2026, 1, 1)}, [], ["edited_before_written"]),
    ({"text_clean": "#$%^&*()_+{}|<>~=@#$"}, ["binary_noise"], ["symbols"]),
    ({"text_clean": "！！！！！！！！！！"}, [], ["repetition", "symbols"]),
    ({"text_clean": None, "lang_code": None}, [], ["empty_text"]),
    ({"text_clean": "此用户没有填写评价", "is_boilerplate": True}, [], ["boilerplate"]),
    ({"text_clean": "好"}, [], ["too_short"]),
    ({"text_clean": "好评！"}, [], []),
    ({"text_clean": "性价比高" * 8}, [], ["repetition"]),
    ({"text_clean": "太差，退货了", "rating": 5}, [], ["rating_contradiction"]),
    ({"text_clean": "太差，退货了", "rating": 1}, [], []),
    ({"text_clean": "太差，退货了", "rating": None}, [], []),
    ({"text_clean": "非常满意，强烈推荐", "rating": 1}, [], ["rating_contradiction"]),
    ({"text_clean": "没有非常满意", "rating": 1}, [], []),
    ({"text_clean": "早餐太差，别的都好", "rating": 5}, [], []),
    ({"text_clean": "从不给差评人的店，无差评", "rating": 5}, [], []),
    ({"text_clean": "这家店都是刷单刷上去的排名", "rating": 1}, [], []),
    ({"text_clean": "招人刷单，一天两百"}, [], ["advertising"]),
    ({"text_clean": "Очень хорошо", "lang_code": "other"}, [], ["language"]),
    ({"text_clean": "便宜好货请加我[WECHAT]"}, [], ["advertising"]),
    ({"text_clean": "客服让我打[PHONE]"}, [], []),
    ({"text_clean": "[PHONE] [EMAIL]"}, [], []),  # masks do not count as symbols
]


def test_each_rule_reports_only_rows_that_break_it(cleaned: Cleaned) -> None:
    results = broken(cleaned(*[row for row, _, _ in CASES]))
    for (row, errors, flags), judged in zip(CASES, results, strict=True):
        assert judged == (errors, flags), row
    seen = {name for _, errors, flags in CASES for name in (*errors, *flags)}
    assert set(RULES) - seen == {"too_long", "flooding"}  # tested below


def test_a_text_above_the_limit_is_too_long(cleaned: Cleaned) -> None:
    words = "".join(chr(0x4E00 + index % 3000) for index in range(5001))
    assert broken(cleaned({"text_clean": words}, {"text_clean": words[:5000]})) == [([], ["too_long"]), ([], [])]


def test_flooding_counts_users_and_texts_by_day(cleaned: Cleaned) -> None:
    noon = [{"user_key": "u", "text_clean": f"第{index}次购买，很好"} for index in range(21)]
    next_day = [{"user_key": "u", "created_at": datetime(2026, 1, 6)}] * 2
    anonymous = [{"text_clean": "物流快"}] * 30
    pasted = [{"text_hash": "h", "text_clean": "这款手机拍照清楚，推荐大家购买"}] * 21
    results = broken(cleaned(*noon, *next_day, *anonymous, *pasted))
    expected = [([], ["flooding"])] * 21 + [([], [])] * 32 + [([], ["flooding"])] * 21
    assert results == expected


@pytest.mark.parametrize("when", ["char_counts > 3", "char_count >", "char_count"])
def test_an_invalid_condition_names_its_rule(cleaned: Cleaned, when: str) -> None:
    rules = {"mine": QualityRule(severity="warn", when=when, reason="a test")}
    with pytest.raises(ConfigError, match=r"quality.rules.mine.when"):
        judge_reviews(cleaned({}), rules, DELIVERED)


def test_disabled_rules_and_no_rules_find_nothing(cleaned: Cleaned) -> None:
    off = {name: rule.model_copy(update={"severity": "off"}) for name, rule in RULES.items()}
    for rules in (off, {}):
        row = judge_reviews(cleaned({"text_clean": None}), rules, DELIVERED).collect()[0]
        assert (row.quality_errors, row.quality_flags) == ([], [])


def test_findings_are_counted_by_rule(cleaned: Cleaned) -> None:
    rows = cleaned(
        {"text_clean": "好", "rule_counts": {"html": 3, "urls": 0}, "pii_counts": {"PHONE": 2}},
        {"text_clean": "差", "rule_counts": {"html": 1}},
        {"created_at": datetime(1970, 1, 1)},
    )
    counted = count_findings(judge_reviews(rows, RULES, DELIVERED)).collect()
    assert {(row.kind_code, row.name): (row.review_count, row.hit_count, row.row_count) for row in counted} == {
        ("warning", "too_short"): (2, 2, 3),
        ("error", "impossible_date"): (1, 1, 3),
        ("normalise", "html"): (2, 4, 3),
        ("mask", "PHONE"): (1, 2, 3),
    }
