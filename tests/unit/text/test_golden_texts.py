"""Checks the cleaned golden texts, so that a changed rule is detected.

Each line of golden_texts.jsonl was written by hand: an input, and its expected output.
"""

import json
from pathlib import Path

import pytest

from reviewgen_spark.config import CleanSection
from reviewgen_spark.text.cleaning.cleaner import Cleaner

GOLDEN = Path(__file__).parents[2] / "fixtures" / "golden_texts.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def cleaner() -> Cleaner:
    return Cleaner(CleanSection())


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["input"][:30]))
def test_a_golden_text_is_cleaned_as_expected(cleaner: Cleaner, case: dict[str, object]) -> None:
    row = cleaner.clean(str(case["input"]))
    assert row.text_clean == case["text_clean"]
    assert row.lang_code == case["lang_code"]
    assert row.pii_counts == case["pii_counts"]


def test_the_golden_file_has_300_cases_and_covers_every_mask_and_language() -> None:
    assert len(CASES) >= 300
    assert {case["lang_code"] for case in CASES} == {"zh-hans", "zh-hant", "en", "mixed", "other"}
    types = {name for case in CASES for name in case["pii_counts"]}
    assert types == {
        "EMAIL",
        "ID_CARD",
        "BANK_CARD",
        "TRACKING",
        "ORDER",
        "WECHAT",
        "QQ",
        "PHONE",
        "LANDLINE",
        "PLATE",
        "ADDRESS",
        "NAME",
    }
