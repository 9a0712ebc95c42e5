"""Checks that sums of facts give the figures of full queries over whole tables, to the row."""

import random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from reviewgen_spark.config import ReportSection, SatisfactionSection
from reviewgen_spark.products.satisfaction import satisfaction_by_product
from reviewgen_spark.reports.nightly.report import collect
from reviewgen_spark.transforms.facts import current_product_facts, superseded_facts
from reviewgen_spark.transforms.views import mark_current
from tests.spark.full_queries import full_figures, full_satisfaction
from tests.spark.histories import TIMEZONE, History

STAGES = ("clean", "dedup", "split", "tokens", "weak_labels", "label")
REPORT = ReportSection(timezone=TIMEZONE)
SATISFACTION = SatisfactionSection(min_reviews=3)


def satisfaction(tables: dict[str, DataFrame]) -> DataFrame:
    counted = current_product_facts(tables["gold_product_facts"], superseded_facts(tables))
    return satisfaction_by_product(counted, SATISFACTION)


def by_product(rows: DataFrame) -> dict[str, Any]:
    return {row.product_id: row.asDict() for row in rows.collect()}


def check(history: History) -> None:
    """Compares all figures, and the superseded records, with those of full queries."""
    tables = history.tables()
    silver = {
        row.record_id
        for row in mark_current(tables["silver_reviews"], history.sources).where("NOT is_current").collect()
    }
    superseded = [row.record_id for row in tables["silver_superseded_reviews"].collect()]
    assert sorted(superseded) == sorted(silver)
    assert by_product(satisfaction(tables)) == by_product(full_satisfaction(tables, SATISFACTION, history.sources))
    full = full_figures(tables, REPORT, history.sources)
    sums = collect(tables, REPORT, history.sources)
    assert {name: getattr(sums, name) for name in full} == full


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sums_of_facts_are_the_figures_of_full_queries(spark: SparkSession, seed: int) -> None:
    draw = random.Random(seed)
    history = History(spark, draw)
    for night in range(3):
        for _ in range(draw.randint(1, 3)):
            history.deliver(draw.choice(["shop", "app"] if seed > 1 else ["shop"]), draw.randint(0, 30))
            batch = len(history.sources)
            for stage in STAGES:
                # A later stage may wait for the next night. Then this one is missing, or all after it.
                if night == 2 or draw.random() < 0.9:
                    history.run(stage, batch)
        for batch in draw.sample(sorted(history.sources), min(2, len(history.sources))):
            history.run(draw.choice(["label", "label", "split", "tokens"]), batch, model=2)
        if night > 0:
            history.erase(3)
        history.count()
    assert len(history.sources) >= 3
    check(history)
