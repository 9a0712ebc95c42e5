"""Adds to cleaned reviews the names of the quality rules that each one breaks."""

from collections.abc import Mapping
from datetime import datetime

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import QualityRule
from reviewgen_spark.errors import ConfigError

_MASK = r"\[[A-Z_]+\]"


def judge_reviews(reviews: DataFrame, rules: Mapping[str, QualityRule], delivered_at: datetime | None) -> DataFrame:
    """Adds `quality_errors` and `quality_flags`, the sorted names of the rules of each severity that a review breaks.

    Rows in = rows out. A condition that is null, for example because the rating is missing, breaks no rule.

    Args:
        reviews: Cleaned reviews of a batch: silver_reviews without quality_flags, and is_boilerplate. It is read
            several times, so persist it.
        rules: The rules by name; conf/quality.yaml lists what a condition may name.
        delivered_at: When the batch was reserved, in UTC. If it is null, rules that name it hold for no row.

    Raises:
        ConfigError: A condition is not SQL, or names a column that does not exist.
    """
    columns = reviews.columns
    measured = _count_same_day(_count_same_day(reviews, "user_key", "user_day_count"), "text_hash", "text_day_count")
    measured = measured.select("*", *(column.alias(name) for name, column in _measures(delivered_at).items()))
    broken: dict[str, list[Column]] = {"error": [], "warn": []}
    for name, rule in sorted(rules.items()):
        if rule.severity != "off":
            _check(measured, name, rule)
            broken[rule.severity].append(F.when(F.expr(rule.when), F.lit(name)))
    return measured.select(
        *columns,
        _names(broken["error"]).alias("quality_errors"),
        _names(broken["warn"]).alias("quality_flags"),
    )


def _count_same_day(reviews: DataFrame, key: str, name: str) -> DataFrame:
    """Adds the number of reviews that share a key and a day; 1 if the key is null.

    It groups and joins, because a window would shuffle every text.
    """
    day = F.to_date("created_at").alias("day")
    shared = reviews.where(F.col(key).isNotNull()).groupBy(key, day).agg(F.count(F.lit(1)).alias(name))
    joined = reviews.withColumn("day", F.to_date("created_at")).join(
        shared.where(F.col(name) > 1), [key, "day"], "left"
    )
    return joined.withColumn(name, F.coalesce(name, F.lit(1))).drop("day")


def _measures(delivered_at: datetime | None) -> dict[str, Column]:
    text = F.coalesce(F.regexp_replace("text_clean", _MASK, "字"), F.lit(""))
    length, marks = F.length(text), F.length(F.regexp_replace(text, r"[\p{L}\p{N}\s]", ""))
    return {
        "char_count": length,
        "distinct_char_count": F.size(F.array_distinct(F.split(text, ""))),
        "symbol_pct": F.when(length > 0, 100 * marks / length),
        "delivered_at": F.lit(delivered_at).cast("timestamp"),
    }


def _names(columns: list[Column]) -> Column:
    return F.filter(F.array(*columns).cast("array<string>"), lambda name: name.isNotNull())


def _check(measured: DataFrame, name: str, rule: QualityRule) -> None:
    try:
        kind = measured.select(F.expr(rule.when)).schema[0].dataType.simpleString()
    except PySparkException as error:
        known = ", ".join(measured.columns)
        raise ConfigError(
            f"conf/quality.yaml: quality.rules.{name}.when: {error.getCondition()}: not a condition over one review; "
            f"it may name {known}"
        ) from None
    if kind != "boolean":
        raise ConfigError(f"conf/quality.yaml: quality.rules.{name}.when: gives {kind}, expected a condition")


def count_findings(judged: DataFrame) -> DataFrame:
    """Counts for each batch the reviews that each rule matched and the masks; returns rows of ops_clean_metrics.

    Args:
        judged: The result of `judge_reviews`.
    """
    total = judged.groupBy("batch_id").agg(F.count(F.lit(1)).alias("row_count"))
    parts = [
        judged.select("batch_id", F.lit(kind).alias("kind_code"), F.explode(column).alias("name")).withColumn(
            "hits", F.lit(1)
        )
        for kind, column in (("error", "quality_errors"), ("warning", "quality_flags"))
    ] + [
        judged.select("batch_id", F.lit(kind).alias("kind_code"), F.explode(column).alias("name", "hits"))
        for kind, column in (("normalise", "rule_counts"), ("mask", "pii_counts"))
    ]
    findings = parts[0].unionByName(parts[1]).unionByName(parts[2]).unionByName(parts[3]).where("hits > 0")
    counted = findings.groupBy("batch_id", "kind_code", "name").agg(
        F.count(F.lit(1)).alias("review_count"), F.sum("hits").alias("hit_count")
    )
    return counted.join(total, "batch_id")
