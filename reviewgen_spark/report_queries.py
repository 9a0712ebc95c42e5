"""The report's aggregates, computed in Spark: a handful of rows each, however large the tables are."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.report_data import (
    Evaluation,
    Product,
    Promotion,
    ReportData,
    Score,
    Sentiment,
    SourceFile,
    StageTiming,
)
from reviewgen_spark.report_words import complaint_words
from reviewgen_spark.sections import ReportSection
from reviewgen_spark.transforms.views import current_unique_reviews

# Sizes of a group of equal texts: lower bound and name, largest first.
_GROUP_SIZES = ((10, "10 or more"), (4, "4 to 9"), (3, "3"), (2, "2"), (1, "1"))
_SCORE_BINS = 20
MAX_DAYS, MAX_FILES, MAX_CATEGORIES, MAX_PROMOTIONS = 60, 20, 12, 5


def collect(tables: Mapping[str, DataFrame], section: ReportSection) -> ReportData:
    """Aggregate the tables; each query returns a handful of rows, however large its table is.

    Args:
        tables: The tables that jobs/report.py names; any may be empty.
        section: Zone of the days, how many words and products.
    """
    reviews, clusters, labels = tables["silver_reviews"], tables["silver_review_clusters"], tables["gold_review_labels"]
    label_counts = labels.groupBy("model_name", "model_version").agg(F.count("*"), F.count("error")).collect()
    files, days = _volume(tables, section.timezone)
    states = _file_states(tables["ops_source_files"])
    copies = Counter({row[0]: row[1] for row in clusters.groupBy(F.col("duplicate_of").isNull()).count().collect()})
    current = current_unique_reviews(reviews, clusters).select("record_id", "category", "created_at")
    said = labels.where("sentiment_label IS NOT NULL").select("record_id", "sentiment_label", "sentiment_score")
    categories, sentiment_days = _sentiment(current.join(said, on="record_id", how="inner"), section.timezone)
    splits = tables["silver_review_splits"].select("record_id", "split").join(said, on="record_id", how="inner")
    totals = tables["gold_product_satisfaction"].agg(F.sum("positive_count"), F.sum("review_count")).collect()[0]
    refused = tables["bronze_reviews_quarantine"].where("feed_code = 'reviews' AND source_line IS NOT NULL")
    votes = tables["silver_weak_labels"].join(labels.select("record_id", "sentiment_label"), on="record_id", how="left")
    return ReportData(
        timezone=section.timezone,
        synthetic_columns=section.synthetic_columns,
        updated_at=tables["ops_stage_runs"].agg(F.max("at")).collect()[0][0],
        delivered=_delivered(tables["ops_source_files"]),
        bronze=sum(file.bronze for file in files),
        quarantined=sum(file.quarantined for file in files),
        redelivered=sum(file.redelivered for file in files),
        rejected_files=sum(state == "rejected" for state in states.values()),
        clean=sum(copies.values()),
        unique=copies[True],
        copies=copies[False],
        labelled=sum(row[2] - row[3] for row in label_counts),
        label_errors=sum(row[3] for row in label_counts),
        satisfaction_pct=100 * totals[0] / totals[1] if totals[1] else None,
        days=days,
        files=_with_states(files, states),
        quarantine=_counts(refused.select(F.explode("reasons").alias("reason")), F.col("reason")),
        languages=_counts(reviews, F.coalesce("lang_code", F.lit("no text"))),
        masks=_map_sums(reviews, "pii_counts"),
        quality_flags=_counts(reviews.select(F.explode("quality_flags").alias("flag")), F.col("flag")),
        rules=_counts(
            reviews.select(F.explode("rule_counts").alias("rule", "changes")).where("changes > 0"), F.col("rule")
        ),
        copy_groups=_copy_groups(clusters),
        splits=_fold(splits.groupBy(F.col("split").alias("name"), "sentiment_label").count().collect()),
        categories=categories,
        sentiment_days=sentiment_days,
        score_bins=_score_bins(said),
        words=complaint_words(tables["silver_tokens"], labels, section.top_words),
        evaluation=_evaluation(tables["ops_model_evaluations"]),
        best_products=_products(tables["gold_product_satisfaction"], section.top_products, best=True),
        worst_products=_products(tables["gold_product_satisfaction"], section.top_products, best=False),
        product_count=tables["gold_product_satisfaction"].count(),
        weak_votes={
            (row[0], row[1]): row[2] for row in votes.groupBy("weak_label", "sentiment_label").count().collect()
        },
        stages=_stages(tables["ops_stage_runs"]),
        models_in_use={(row.model_name, row.model_version): row[2] for row in label_counts},
        promotions=_promotions(tables["ops_model_promotions"]),
    )


def _counts(rows: DataFrame, by: Column) -> dict[str, int]:
    """Rows by a column, most frequent first."""
    found = rows.groupBy(by.alias("name")).count().orderBy(F.desc("count"), "name").collect()
    return {str(row[0]): row[1] for row in found}


def _map_sums(rows: DataFrame, column: str) -> dict[str, int]:
    """Sums of a map column by key, largest first."""
    sums = rows.select(F.explode(column).alias("name", "value")).groupBy("name").agg(F.sum("value").alias("total"))
    return {row[0]: row[1] for row in sums.where("total > 0").orderBy(F.desc("total"), "name").collect()}


def _day(column: str, timezone: str) -> Column:
    return F.date_format(F.from_utc_timestamp(F.col(column), timezone), "yyyy-MM-dd")


def _delivered(source_files: DataFrame) -> int:
    slices = source_files.where("state = 'reserved' AND feed_code = 'reviews'")
    total = slices.agg(F.sum(F.col("last_row") - F.col("first_row") + 1)).collect()[0][0]
    return int(total or 0)


def _file_states(source_files: DataFrame) -> dict[str, str]:
    reviews = source_files.where("feed_code = 'reviews'")
    rows = reviews.groupBy("path").agg(F.max_by("state", "sequence").alias("state")).collect()
    return {row.path: row.state for row in rows}


def _volume(tables: Mapping[str, DataFrame], timezone: str) -> tuple[list[SourceFile], dict[str, int]]:
    """Records by file and by day of writing; both from one pass over bronze."""
    bronze = tables["bronze_reviews"].groupBy("source_file", _day("created_at", timezone).alias("day")).count()
    refused = tables["bronze_reviews_quarantine"].where("feed_code = 'reviews' AND source_line IS NOT NULL")
    by_file: dict[str, Counter[str]] = defaultdict(Counter)
    by_day: Counter[str] = Counter()
    for row in bronze.collect():
        by_file[row.source_file]["bronze"] += row[2]
        by_day[row.day] += row[2]
    for kind, rows in (("quarantined", refused), ("redelivered", tables["bronze_redeliveries"])):
        for row in rows.groupBy("source_file").count().collect():
            by_file[row.source_file][kind] += row[1]
    files = [
        SourceFile(path, "reserved", counts["bronze"], counts["quarantined"], counts["redelivered"])
        for path, counts in sorted(by_file.items())
    ]
    return files, dict(sorted(by_day.items())[-MAX_DAYS:])


def _with_states(files: Sequence[SourceFile], states: Mapping[str, str]) -> tuple[SourceFile, ...]:
    """The files with their state, newest name first; refused ones have no records but are shown."""
    found = {file.path: file for file in files}
    whole = [
        replace(found.get(path, SourceFile(path, "", 0, 0, 0)), state=states.get(path, "reserved"))
        for path in sorted({*found, *states}, reverse=True)
    ]
    return tuple(whole[:MAX_FILES])


def _copy_groups(clusters: DataFrame) -> dict[str, int]:
    """How many texts stand how often."""
    sizes = clusters.groupBy("cluster_id").count().groupBy("count").agg(F.count("*").alias("groups")).collect()
    groups: Counter[str] = Counter()
    for row in sizes:
        groups[next(name for bound, name in _GROUP_SIZES if row[0] >= bound)] += row.groups
    return {name: groups[name] for _, name in reversed(_GROUP_SIZES) if groups[name]}


def _fold(rows: Iterable[tuple[str | None, str, int]]) -> tuple[Sentiment, ...]:
    """Rows of name, sentiment_label and count as one Sentiment a name, by name."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, label, count in rows:
        counts[name or "(none)"][label] += count
    return tuple(Sentiment(name, c["positive"], c["negative"]) for name, c in sorted(counts.items()))


def _sentiment(labelled: DataFrame, timezone: str) -> tuple[tuple[Sentiment, ...], tuple[Sentiment, ...]]:
    """Sentiment by category, largest first, and by day."""
    day = _day("created_at", timezone).alias("day")
    rows = labelled.groupBy("category", day, "sentiment_label").count().collect()
    categories = _fold([(row[0], row[2], row[3]) for row in rows])
    days = _fold([(row[1], row[2], row[3]) for row in rows])
    largest = sorted(categories, key=lambda group: -(group.positive + group.negative))
    return tuple(largest[:MAX_CATEGORIES]), days[-MAX_DAYS:]


def _score_bins(labels: DataFrame) -> tuple[int, ...]:
    """How many reviews have a probability of positive in each twentieth of 0 to 1."""
    place = F.least(F.floor(F.col("sentiment_score") * _SCORE_BINS), F.lit(_SCORE_BINS - 1)).alias("place")
    scored = labels.where("sentiment_score IS NOT NULL")
    found = {row[0]: row[1] for row in scored.groupBy(place).count().collect()}
    return tuple(found.get(index, 0) for index in range(_SCORE_BINS)) if found else ()


def _evaluation(evaluations: DataFrame) -> Evaluation | None:
    """The newest evaluation on the test split, or on validation where there is none."""
    newest = (
        evaluations.where("split IN ('test', 'validation')")
        .orderBy(F.desc("evaluated_at"), F.col("split"))
        .select("model_fingerprint", "split", "labels", "evaluated_at")
        .first()
    )
    if newest is None:
        return None
    same = [F.col(name) == F.lit(newest[name]) for name in ("model_fingerprint", "split", "labels")]
    rows = (
        evaluations.where(same[0] & same[1] & same[2] & (F.col("slice") == "all")).orderBy("model", "metric").collect()
    )
    scores = tuple(Score(row.model, row.metric, row.value, row.low, row.high) for row in rows if row.value is not None)
    row_count = max((row.row_count for row in rows), default=0)
    return Evaluation(newest.split, newest.labels, row_count, newest.evaluated_at, scores)


def _products(products: DataFrame, top: int, best: bool) -> tuple[Product, ...]:
    order = F.desc("satisfaction_score") if best else F.asc("satisfaction_score")
    rows = products.where("has_enough_reviews").orderBy(order, "product_id").limit(top).collect()
    return tuple(
        Product(
            row.product_id,
            row.category or "",
            row.review_count,
            row.satisfaction_pct,
            row.satisfaction_score,
            row.rating_mean,
        )
        for row in rows
    )


def _stages(runs: DataFrame) -> tuple[StageTiming, ...]:
    """Timings in the order in which the stages first ran; a stage's rows are those of its largest table."""
    done = F.col("state") == "succeeded"
    rows = F.when(done, F.coalesce(F.array_max(F.map_values("counts")), F.lit(0)))
    found = (
        runs.groupBy("stage")
        .agg(
            F.count(F.when(done, 1)).alias("runs"),
            F.count(F.when(F.col("state") == "failed", 1)).alias("failures"),
            F.coalesce(F.sum(rows), F.lit(0)).alias("rows"),
            F.coalesce(F.sum(F.when(done, F.col("seconds"))), F.lit(0.0)).alias("seconds"),
            F.coalesce(F.max_by("seconds", F.when(done, F.col("sequence"))), F.lit(0.0)).alias("last_seconds"),
            F.min("sequence").alias("first_sequence"),
        )
        .orderBy("first_sequence")
        .collect()
    )
    return tuple(StageTiming(r.stage, r.runs, r.failures, r.rows, r.seconds, r.last_seconds) for r in found)


def _promotions(promotions: DataFrame) -> tuple[Promotion, ...]:
    rows = promotions.orderBy(F.desc("decided_at")).limit(MAX_PROMOTIONS).collect()
    return tuple(
        Promotion(r.model_name, r.model_version, r.is_promoted, r.reason, r.decided_by, r.decided_at) for r in rows
    )
