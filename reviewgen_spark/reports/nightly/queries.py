"""Computes the report's aggregates in Spark. Each has few rows, however large the tables are."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from types import MappingProxyType
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from reviewgen_spark.config import ReportSection
from reviewgen_spark.reports.nightly import label_queries
from reviewgen_spark.reports.nightly.complaint_words import complaint_words
from reviewgen_spark.reports.nightly.figures import (
    Evaluation,
    ModelScore,
    Product,
    Promotion,
    ReportData,
    SourceFile,
    StageTiming,
)
from reviewgen_spark.reports.nightly.label_queries import MAX_DAYS
from reviewgen_spark.reports.nightly.review_facts import day_of, gather
from reviewgen_spark.transforms.ingest.batch_plan import active_slices
from reviewgen_spark.transforms.review_keys import Sources

# Sizes of a group of equal texts: lower bound and name, largest first.
_GROUP_SIZES = ((10, "10 times or more"), (4, "4 to 9 times"), (3, "3 times"), (2, "twice"), (1, "once"))
MAX_FILES, MAX_PROMOTIONS = 20, 5


def collect(
    tables: Mapping[str, DataFrame], section: ReportSection, sources: Sources = MappingProxyType({})
) -> ReportData:
    """Aggregates the tables. Each query returns few rows, however large its table is.

    Figures of one table come from one query if possible, because on small tables a query costs its planning. The
    tables ops_stage_runs, ops_source_files and ops_model_promotions are small, and are counted on the driver.

    Args:
        tables: The tables that jobs/report.py names; any may be empty.
        section: Time zone of the days, and the numbers of words and products.
        sources: Source of each batch.
    """
    reviews = gather(tables, sources, section.timezone).persist(StorageLevel.MEMORY_AND_DISK)  # most queries read it
    try:
        parts = (
            _volume(tables, section.timezone),
            _refusals(tables["bronze_reviews_quarantine"]),
            _reviews(tables["silver_reviews"]),
            _broken(tables["silver_reviews_quarantine"]),
            _copies(reviews),
            label_queries.labels(tables["gold_review_labels"]),
            label_queries.splits_and_votes(reviews),
            label_queries.sentiment(reviews),
            label_queries.split_balance(reviews),
            label_queries.voters(
                tables["silver_weak_labels"], tables["ops_weak_voters"], reviews, tables["bronze_gold_labels"], sources
            ),
            _products(tables["gold_product_satisfaction"], section.top_products),
            _stages(tables["ops_stage_runs"]),
        )
        words = complaint_words(tables["silver_tokens"], reviews, section.top_words)
    finally:
        reviews.unpersist()
    promotions = sorted(tables["ops_model_promotions"].collect(), key=lambda row: row.decided_at, reverse=True)
    return ReportData(
        timezone=section.timezone,
        synthetic_columns=section.synthetic_columns,
        words=words,
        evaluation=_evaluation(tables["ops_model_evaluations"], promotions),
        promotions=_promotions(promotions),
        **{name: value for part in parts for name, value in part.items()},
    )


def _volume(tables: Mapping[str, DataFrame], timezone: str) -> dict[str, Any]:
    """Counts records by file and by day of writing, and reads the decisions about the files."""
    refused = tables["bronze_reviews_quarantine"].where("feed_code = 'reviews' AND source_line IS NOT NULL")
    no_day = F.lit(None).cast("string").alias("day")
    records = (
        tables["bronze_reviews"]
        .select(F.lit("bronze").alias("kind"), "source_file", day_of("created_at", timezone).alias("day"))
        .unionByName(refused.select(F.lit("quarantined").alias("kind"), "source_file", no_day))
        .unionByName(tables["bronze_redeliveries"].select(F.lit("redelivered").alias("kind"), "source_file", no_day))
    )
    by_file: dict[str, Counter[str]] = defaultdict(Counter)
    by_day: Counter[str] = Counter()
    for kind, path, day, count in records.groupBy("kind", "source_file", "day").count().collect():
        by_file[path][kind] += count
        if day is not None:
            by_day[day] += count
    # Each slice of a file has a row of its own. The last row of a file has the decision.
    decided = sorted(tables["ops_source_files"].where("feed_code = 'reviews'").collect(), key=lambda row: row.sequence)
    states = {row.path: row.state for row in decided}
    files = [
        SourceFile(
            path,
            states.get(path, "reserved"),
            by_file[path]["bronze"],
            by_file[path]["quarantined"],
            by_file[path]["redelivered"],
        )
        for path in sorted({*by_file, *states}, reverse=True)
    ]
    return {
        "delivered": sum(row.last_row - row.first_row + 1 for row in active_slices(decided)),
        "bronze": sum(file.bronze for file in files),
        "quarantined": sum(file.quarantined for file in files),
        "redelivered": sum(file.redelivered for file in files),
        "rejected_files": sum(file.state == "rejected" for file in files),
        "days": dict(sorted(by_day.items())[-MAX_DAYS:]),
        "files": tuple(files[:MAX_FILES]),
    }


def _utc(collected: datetime) -> datetime:
    """Converts a collected timestamp to UTC. PySpark gives it without a zone, in the driver's local time."""
    return collected.astimezone(UTC)


def _by_count(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sorts counts, largest first, then by name."""
    return dict(sorted(counts, key=lambda item: (-item[1], item[0])))


def _refusals(quarantine: DataFrame) -> dict[str, Any]:
    records = quarantine.where("feed_code = 'reviews' AND source_line IS NOT NULL")
    rows = records.select(F.explode("reasons").alias("reason")).groupBy("reason").count().collect()
    return {"quarantine": _by_count((row[0], row[1]) for row in rows)}


def _reviews(reviews: DataFrame) -> dict[str, Any]:
    """Counts languages, masks, warnings and rules in one pass: each review becomes rows of (kind, name, amount)."""

    def facts(kind: str, names: Column, amount: Callable[[Column], Column]) -> Column:
        return F.transform(
            F.coalesce(names, F.array().cast("array<string>")),
            lambda name: F.struct(F.lit(kind).alias("kind"), name.alias("name"), amount(name).alias("amount")),
        )

    one = F.lit(1)
    every = F.concat(
        facts("languages", F.array(F.coalesce("lang_code", F.lit("no text"))), lambda _: one),
        facts("masks", F.map_keys("pii_counts"), lambda name: F.element_at("pii_counts", name)),
        facts("quality_flags", F.col("quality_flags"), lambda _: one),
        facts("rules", F.map_keys("rule_counts"), lambda name: (F.element_at("rule_counts", name) > 0).cast("int")),
    )
    rows = (
        reviews.select(F.explode(every).alias("fact"))
        .groupBy("fact.kind", "fact.name")
        .agg(F.sum("fact.amount").alias("total"))
        .where("total > 0")
        .collect()
    )
    return {
        kind: _by_count((row.name, row.total) for row in rows if row.kind == kind)
        for kind in ("languages", "masks", "quality_flags", "rules")
    }


def _broken(quarantine: DataFrame) -> dict[str, Any]:
    """Counts reviews that broke a quality rule of severity error, and reviews by rule. A review may break several."""
    # Each review has exactly one first reason, so the number of first reasons is the number of reviews.
    numbered_rules = F.posexplode("reasons").alias("position", "rule")
    rows = (
        quarantine.select(numbered_rules)
        .groupBy("rule")
        .agg(F.count("*"), F.sum((F.col("position") == 0).cast("int")))
        .collect()
    )
    return {
        "broken": sum(first for _, _, first in rows),
        "quality_errors": _by_count((rule, count) for rule, count, _ in rows),
    }


def _copies(reviews: DataFrame) -> dict[str, Any]:
    """Counts texts by how often they occur, and records that are copies."""
    rows = (
        reviews.where("cluster_id IS NOT NULL")
        .groupBy("cluster_id")
        .agg(F.count("*").alias("size"), F.count("duplicate_of").alias("copies"))
        .groupBy("size")
        .agg(F.count("*").alias("groups"), F.sum("copies").alias("copies"))
        .collect()
    )
    groups: Counter[str] = Counter()
    for row in rows:
        groups[next(name for bound, name in _GROUP_SIZES if row["size"] >= bound)] += row.groups
    clean, copies = sum(row["size"] * row.groups for row in rows), sum(row.copies for row in rows)
    return {
        "clean": clean,
        "unique": clean - copies,
        "copies": copies,
        "copy_groups": {name: groups[name] for _, name in reversed(_GROUP_SIZES) if groups[name]},
    }


def _evaluation(evaluations: DataFrame, promotions: Sequence[Row]) -> Evaluation | None:
    """Returns the champion's newest evaluation, on the test split, or on validation if there is none."""
    champion = next((row for row in promotions if row.is_promoted and row.alias is None), None)
    if champion is not None:
        # The decision on a champion set by hand has no fingerprint. The earlier one, of its registration, has it.
        version = (champion.model_name, champion.model_version)
        same = [row.model_fingerprint for row in promotions if (row.model_name, row.model_version) == version]
        known = next((fingerprint for fingerprint in same if fingerprint is not None), None)
        if known is not None:
            evaluations = evaluations.where(F.col("model_fingerprint") == known)
    newest_first = (F.desc("evaluated_at"), F.col("split"), F.col("model"), F.col("metric"))
    overall = (F.col("slice") == "all") & F.col("split").isin("test", "validation")
    # An evaluation has about forty such rows a split. The split test sorts before validation.
    rows = evaluations.where(overall).orderBy(*newest_first).limit(500).collect()
    if not rows:
        return None
    first = rows[0]
    same = [row for row in rows if (row.fingerprint, row.split) == (first.fingerprint, first.split)]
    scores = tuple(
        ModelScore(row.model, row.metric, row.value, row.low, row.high) for row in same if row.value is not None
    )
    row_count = max(row.row_count for row in same)
    return Evaluation(first.split, first.labels, row_count, _utc(first.evaluated_at), scores)


def _products(products: DataFrame, top: int) -> dict[str, Any]:
    """Returns the best and the worst products with enough reviews, and the satisfaction over all products."""
    count, positive, reviews = products.agg(F.count("*"), F.sum("positive_count"), F.sum("review_count")).collect()[0]
    enough = products.where("has_enough_reviews").select(
        "product_id", "category", "review_count", "satisfaction_pct", "satisfaction_score", "rating_mean"
    )
    ends = {"best": F.desc("satisfaction_score"), "worst": F.asc("satisfaction_score")}
    rows = reduce(
        DataFrame.unionByName,
        [enough.orderBy(order, "product_id").limit(top).withColumn("end", F.lit(end)) for end, order in ends.items()],
    ).collect()
    by_end = {end: [Product(*row[:-1]) for row in rows if row.end == end] for end in ends}
    return {
        "product_count": count,
        "satisfaction_pct": 100 * positive / reviews if reviews else None,
        "best_products": tuple(sorted(by_end["best"], key=lambda p: (-p.satisfaction_score, p.product_id))),
        "worst_products": tuple(sorted(by_end["worst"], key=lambda p: (p.satisfaction_score, p.product_id))),
    }


def _stages(runs: DataFrame) -> dict[str, Any]:
    """Returns timings in the order of the first runs of the stages. A stage's rows are those of its largest table."""
    rows = sorted(runs.collect(), key=lambda row: row.sequence)
    by_stage: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_stage[row.stage].append(row)
    timings = []
    for stage, stage_runs in by_stage.items():
        done = [row for row in stage_runs if row.state == "succeeded"]
        seconds = [row.seconds or 0.0 for row in done]
        failures = sum(row.state == "failed" for row in stage_runs)
        largest = sum(max((row.counts or {}).values(), default=0) for row in done)
        timings.append(StageTiming(stage, len(done), failures, largest, sum(seconds), seconds[-1] if seconds else 0.0))
    return {"updated_at": max((_utc(row.at) for row in rows), default=None), "stages": tuple(timings)}


def _promotions(promotions: Sequence[Row]) -> tuple[Promotion, ...]:
    rows = [row for row in promotions if row.alias is None][:MAX_PROMOTIONS]
    return tuple(
        Promotion(r.model_name, r.model_version, r.is_promoted, r.reason, r.decided_by, _utc(r.decided_at))
        for r in rows
    )
