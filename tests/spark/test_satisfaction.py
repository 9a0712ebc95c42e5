from datetime import date

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import SatisfactionSection
from reviewgen_spark.products.satisfaction import satisfaction_by_product
from reviewgen_spark.transforms.facts import product_facts
from tests.spark.conftest import Table


def labelled(table: Table, *rows: tuple[str, str | None]) -> DataFrame:
    """Returns labelled reviews of these products."""
    reviews = table(
        "silver_reviews",
        *({"record_id": str(i), "product_id": p, "category": "图书", "rating": 4} for i, (p, _) in enumerate(rows)),
    )
    labels = table(
        "gold_review_labels",
        *(
            {"record_id": str(i), "sentiment_label": label, "model_name": "m", "model_version": 1, "fingerprint": "f"}
            for i, (_, label) in enumerate(rows)
        ),
    )
    return reviews.join(labels.drop("batch_id"), on="record_id", how="inner").withColumn("is_unique", F.lit(True))


def satisfaction(rows: DataFrame, section: SatisfactionSection) -> DataFrame:
    return satisfaction_by_product(product_facts(rows), section)


def test_satisfaction_is_shrunk_to_the_shop_mean(table: Table) -> None:
    rows = labelled(table, ("p", "positive"), ("q", "negative"), ("q", "negative"), ("q", "positive"), ("q", None))
    by_product = {r.product_id: r for r in satisfaction(rows, SatisfactionSection(min_reviews=3)).collect()}
    # shop mean 2/4, prior weight 10: p (1 + 5) / 11, q (1 + 5) / 13
    assert by_product["p"].satisfaction_score == pytest.approx(6 / 11)
    assert by_product["q"].satisfaction_score == pytest.approx(6 / 13)
    assert by_product["q"].review_count == 3 and by_product["q"].satisfaction_pct == pytest.approx(100 / 3)
    assert (by_product["p"].has_enough_reviews, by_product["q"].has_enough_reviews) == (False, True)
    assert by_product["p"].first_review_date == date(2026, 1, 5)


def test_satisfaction_uses_the_labels_of_one_model(table: Table) -> None:
    rows = labelled(table, *[("p", "positive")] * 3, ("q", "negative"), ("q", "positive"), ("r", "negative"))
    # A new model has labelled records 4 and 5: one review of q, and all of r.
    half = rows.withColumn("model_version", F.when(F.col("record_id") >= "4", 2).otherwise(1))
    by_product = {row.product_id: row for row in satisfaction(half, SatisfactionSection()).collect()}
    assert {row.model_version for row in by_product.values()} == {1}
    assert {name: (row.review_count, row.coverage_pct) for name, row in by_product.items()} == {
        "p": (3, 100),
        "q": (1, 50),
    }
    even = rows.withColumn("model_version", F.when(F.col("record_id") >= "3", 2).otherwise(1))
    by_product = {row.product_id: row for row in satisfaction(even, SatisfactionSection()).collect()}
    # With equal counts the newer model is used.
    assert {name: row.model_version for name, row in by_product.items()} == {"q": 2, "r": 2}
