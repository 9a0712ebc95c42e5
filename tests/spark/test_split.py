from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import SplitSection
from reviewgen_spark.transforms.split import split_reviews
from tests.spark.conftest import values_by_id


def clusters(spark: SparkSession, count: int, partitions: int) -> DataFrame:
    return spark.range(0, count, 1, partitions).select(
        F.col("id").cast("string").alias("record_id"),
        F.concat(F.lit("c"), F.col("id").cast("string")).alias("cluster_id"),
        F.array().cast("array<string>").alias("near_clusters"),
        F.lit(1).cast("long").alias("batch_id"),
    )


def test_splits_have_the_configured_shares_and_copies_stay_together(spark: SparkSession) -> None:
    rows = split_reviews(clusters(spark, 20_000, 4), SplitSection())
    shares = {row["split"]: row["count"] / 20_000 for row in rows.groupBy("split").count().collect()}
    # three standard deviations of a binomial share at 20,000 rows are 0.85 points
    assert shares["train"] == pytest.approx(0.8, abs=0.0085)
    assert shares["validation"] == pytest.approx(0.1, abs=0.0064)
    one = clusters(spark, 50, 1).withColumn("cluster_id", F.lit("same"))
    assert split_reviews(one, SplitSection()).select("split").distinct().count() == 1


def test_the_split_does_not_depend_on_order_partitions_or_new_rows(spark: SparkSession) -> None:
    few = values_by_id(split_reviews(clusters(spark, 100, 1), SplitSection()), "split")
    many = values_by_id(split_reviews(clusters(spark, 1_000, 7).orderBy(F.desc("record_id")), SplitSection()), "split")
    assert few == {key: many[key] for key in few}
    other = values_by_id(split_reviews(clusters(spark, 100, 1), SplitSection(seed="split-2")), "split")
    assert other != few


def test_a_record_near_clusters_of_different_splits_has_none(spark: SparkSession) -> None:
    splits = values_by_id(split_reviews(clusters(spark, 200, 1), SplitSection()), "split")
    train = [f"c{key}" for key, split in splits.items() if split == "train"][:3]
    test = [f"c{key}" for key, split in splits.items() if split == "test"][:1]
    rows = spark.createDataFrame(
        [("alike", train[0], train[1:], 1), ("bridge", train[0], test, 1)],
        "record_id string, cluster_id string, near_clusters array<string>, batch_id long",
    )
    assert values_by_id(split_reviews(rows, SplitSection()), "split") == {"alike": "train", "bridge": "none"}


def test_benchmark_corpora_are_split_like_those_of_the_pipeline(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from corpora import split_of

    rows = [(f"r{number}", f"c{number}", []) for number in range(200)]
    clusters = spark.createDataFrame(rows, "record_id string, cluster_id string, near_clusters array<string>")
    splits = split_reviews(clusters.withColumn("batch_id", F.lit(1)), SplitSection(train_pct=75, validation_pct=5))
    expected = {name: split_of(name) for _, name, _ in rows}
    assert {row.cluster_id: row.split for row in splits.collect()} == expected
    assert set(expected.values()) == {"train", "validation", "test"}
