"""Computes the report's aggregates in Spark. Each has few rows, however large the tables are."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from types import MappingProxyType
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from reviewgen_spark.config import ReportSection
from reviewgen_spark.reports.nightly import label_queries
from reviewgen_spark.reports.nightly.complaint_words import complaint_words
from reviewgen_spark.reports.nightly.fact_sums import Keys, Sums, add_up
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
from reviewgen_spark.transforms.ingest.batch_plan import active_slices
from reviewgen_spark.transforms.links import GROUP_SIZES
from reviewgen_spark.transforms.review_keys import Sources

MAX_FILES, MAX_PROMOTIONS = 20, 5


def collect(
    tables: Mapping[str, DataFrame], section: ReportSection, sources: Sources = MappingProxyType({})
) -> ReportData:
    """Adds up the facts of all batches, and reads the small tables. No table of reviews is read whole.

    Figures of one table come from one query if possible, because on small tables a query costs its planning. The
    tables ops_stage_runs, ops_source_files and ops_model_promotions are small, and are counted on the driver.

    Args:
        tables: The tables that jobs/report.py names; any may be empty.
        section: Time zone of the days, and the numbers of words and products.
        sources: Source of each batch.
    """
    sums = add_up(tables, section.timezone)
    parts = (
        _volume(sums, tables["ops_source_files"]),
        _reviews(sums),
        _copies(sums),
        label_queries.labels(sums),
        label_queries.splits_and_votes(sums),
        label_queries.sentiment(sums),
        label_queries.split_balance(sums),
        label_queries.voters(sums, tables, sources),
        _products(tables["gold_product_satisfaction"], section.top_products),
        _stages(tables["ops_stage_runs"]),
    )
    promotions = sorted(tables["ops_model_promotions"].collect(), key=lambda row: row.decided_at, reverse=True)
    return ReportData(
        timezone=section.timezone,
        synthetic_columns=section.synthetic_columns,
        words=complaint_words(tables["gold_word_facts"], section.top_words),
        evaluation=_evaluation(tables["ops_model_evaluations"], promotions),
        promotions=_promotions(promotions),
        **{name: value for part in parts for name, value in part.items()},
    )


def _volume(sums: Sums, source_files: DataFrame) -> dict[str, Any]:
    """Counts records by file and by day of writing, and reads the decisions about the files."""
    by_file: dict[str, Counter[str]] = defaultdict(Counter)
    for (result, path), count in sums["file"].items():
        by_file[str(path)][str(result)] += count
    # Each slice of a file has a row of its own. The last row of a file has the decision.
    decided = sorted(source_files.where("feed_code = 'reviews'").collect(), key=lambda row: row.sequence)
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
        "days": dict(sorted(_by_name(sums["day"]).items())[-MAX_DAYS:]),
        "files": tuple(files[:MAX_FILES]),
    }


def _utc(collected: datetime) -> datetime:
    """Converts a collected timestamp to UTC. PySpark gives it without a zone, in the driver's local time."""
    return collected.astimezone(UTC)


def _by_count(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sorts counts, largest first, then by name."""
    return dict(sorted(counts, key=lambda item: (-item[1], item[0])))


def _by_name(counts: Mapping[Keys, int]) -> dict[str, int]:
    """Returns counts with a single key."""
    return {str(name): count for (name,), count in counts.items() if name is not None}


def _reviews(sums: Sums) -> dict[str, Any]:
    """Returns what was refused, and languages, masks, warnings and rules of clean reviews, most frequent first.

    A record may be refused for several reasons, and a review may break several rules.
    """
    kinds = {
        "quarantine": "refusal",
        "quality_errors": "quality_error",
        "languages": "language",
        "masks": "mask",
        "quality_flags": "quality_flag",
        "rules": "rule",
    }
    return {
        "broken": sum(sums["broken"].values()),
        **{name: _by_count(_by_name(sums[kind]).items()) for name, kind in kinds.items()},
    }


def _copies(sums: Sums) -> dict[str, Any]:
    """Counts texts by how often they occur, and records that are copies."""
    records, groups = _by_name(sums["copy"]), _by_name(sums["copy_group"])
    unique, copies = records.get("unique", 0), records.get("copy", 0)
    return {
        "clean": unique + copies,
        "unique": unique,
        "copies": copies,
        "copy_groups": {name: groups[name] for _, name in reversed(GROUP_SIZES) if name in groups},
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
