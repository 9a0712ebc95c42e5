"""Computes satisfaction and the report's figures from whole tables, as before there were facts.

It is the reference of test_facts.py: the sums of facts must give the same figures, to the row.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import ReportSection, SatisfactionSection
from reviewgen_spark.reports.nightly.complaint_words import MIN_REVIEWS, _over_represented
from reviewgen_spark.reports.nightly.figures import Sentiment, SourceFile, SplitBalance, VoterScore, Word
from reviewgen_spark.reports.nightly.label_queries import MAX_CATEGORIES, MAX_DAYS, cramers_v
from reviewgen_spark.reports.nightly.queries import MAX_FILES
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.facts import day_of
from reviewgen_spark.transforms.gold_labels import label_records
from reviewgen_spark.transforms.ingest.batch_plan import active_slices
from reviewgen_spark.transforms.review_keys import Sources
from reviewgen_spark.transforms.views import VIEWS, mark_current

_GROUP_SIZES = ((10, "10 times or more"), (4, "4 to 9 times"), (3, "3 times"), (2, "twice"), (1, "once"))
_SCORE_BINS = 20
_ATTRIBUTES = ("category", "rating", "lang_code")
MODEL, MAJORITY = "label model", "majority vote"


def full_satisfaction(tables: Mapping[str, DataFrame], section: SatisfactionSection, sources: Sources) -> DataFrame:
    """Computes gold_product_satisfaction from whole tables."""
    return satisfaction_by_product(VIEWS["gold_labelled_reviews"](tables.__getitem__, sources), section)


def full_figures(tables: Mapping[str, DataFrame], section: ReportSection, sources: Sources) -> dict[str, Any]:
    """Computes the figures of ReportData that now come from facts, from whole tables."""
    reviews = gather(tables, sources, section.timezone).persist()
    parts = (
        _volume(tables, section.timezone),
        _refusals(tables["bronze_reviews_quarantine"]),
        _reviews(tables["silver_reviews"]),
        _broken(tables["silver_reviews_quarantine"]),
        _copies(reviews),
        labels(tables["gold_review_labels"]),
        splits_and_votes(reviews),
        sentiment(reviews),
        split_balance(reviews),
        voters(tables["silver_weak_labels"], tables["ops_weak_voters"], reviews, tables["bronze_gold_labels"], sources),
        {"words": complaint_words(tables["silver_tokens"], reviews, section.top_words)},
    )
    reviews.unpersist()
    return {name: value for part in parts for name, value in part.items()}


def satisfaction_by_product(labelled: DataFrame, section: SatisfactionSection) -> DataFrame:
    """Rolls the labels of unique current reviews up to products.

    `satisfaction_score` shrinks a product's share towards the shop's mean, as if `prior_weight` average reviews had
    been added. So few reviews change it little. It is the posterior mean of a beta-binomial model with a prior of that
    weight.

    Source: Gelman et al., Bayesian Data Analysis, 3rd ed., section 5.1.

    While a new model's labels replace an old one's, batch by batch, only one model version counts: the one that has
    labelled the most reviews. If two have labelled equally many, the newer counts. Scores of two models are never
    mixed. `coverage_pct` is the share of a product's labels by that version. A product without such labels is left out.

    Args:
        labelled: product_id, category, rating, created_at, sentiment_label, model_name, model_version; rows without
            a label are not counted.
        section: `prior_weight`, `min_reviews`.
    """
    version = F.struct("model_name", "model_version")
    # Reviews are read and joined once, because the rest reads one row for each product and model version.
    rolled = (
        labelled.where(F.col("sentiment_label").isNotNull())
        .groupBy("product_id", "model_name", "model_version")
        .agg(
            F.mode("category", deterministic=True).alias("category"),
            F.count("*").alias("review_count"),
            F.count_if(F.col("sentiment_label") == "positive").alias("positive_count"),
            F.avg("rating").alias("rating_mean"),
            F.to_date(F.min("created_at")).alias("first_review_date"),
            F.to_date(F.max("created_at")).alias("last_review_date"),
        )
        .persist()
    )
    by_version = rolled.groupBy(version.alias("version")).agg(
        F.sum("review_count").alias("count"), F.sum("positive_count").alias("positive_count")
    )
    pinned = by_version.agg(
        F.max_by(
            F.struct("version", (F.col("positive_count") / F.col("count")).alias("shop_mean")),
            F.struct("count", "version.model_version"),
        ).alias("pinned")
    )
    labelled_counts = rolled.groupBy("product_id").agg(F.sum("review_count").alias("labelled_count"))
    weight = F.lit(section.prior_weight)
    return (
        rolled.crossJoin(F.broadcast(pinned))
        .where(version == F.col("pinned.version"))
        .join(labelled_counts, on="product_id", how="inner")
        .withColumn("coverage_pct", 100.0 * F.col("review_count") / F.col("labelled_count"))
        .withColumn("satisfaction_pct", 100.0 * F.col("positive_count") / F.col("review_count"))
        .withColumn(
            "satisfaction_score",
            (F.col("positive_count") + weight * F.col("pinned.shop_mean")) / (F.col("review_count") + weight),
        )
        .withColumn("has_enough_reviews", F.col("review_count") >= section.min_reviews)
        .select(*TABLES["gold_product_satisfaction"].columns.names)
    )


def gather(tables: Mapping[str, DataFrame], sources: Sources, timezone: str) -> DataFrame:
    """Joins reviews, clusters, splits, labels and weak labels by record_id, one row a clean review.

    Every figure that combines two of these tables reads the result. Separate joins would shuffle and sort a table
    several times. The result contains no text.

    The columns: record_id, review_id, batch_id, category, rating, lang_code; day, of writing in `timezone`; is_current;
    cluster_id, duplicate_of, near_clusters, all null before `dedup`; is_unique; split; has_weak (true or null),
    weak_label; sentiment_label. A column is null if its table has no row of the review.
    """
    reviews = mark_current(tables["silver_reviews"], sources).select(
        "record_id",
        "review_id",
        "batch_id",
        "category",
        "rating",
        "lang_code",
        day_of("created_at", timezone).alias("day"),
        "is_current",
    )
    clusters = tables["silver_review_clusters"].select("record_id", "cluster_id", "duplicate_of", "near_clusters")
    splits = tables["silver_review_splits"].select("record_id", "split")
    weak = tables["silver_weak_labels"].select("record_id", "weak_label", F.lit(True).alias("has_weak"))
    labels = tables["gold_review_labels"].select("record_id", "sentiment_label")
    joined = reviews
    for part in (clusters, splits, weak, labels):
        joined = joined.join(part, on="record_id", how="left")
    return joined.withColumn("is_unique", F.expr("cluster_id IS NOT NULL AND duplicate_of IS NULL"))


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


def labels(labels: DataFrame) -> dict[str, Any]:
    """Counts labels and errors by model version, and the scores in each twentieth of 0 to 1."""
    score_bin = F.floor(F.col("sentiment_score") * _SCORE_BINS).alias("bin")
    failed = F.col("error").isNotNull().alias("failed")
    rows = labels.groupBy("model_name", "model_version", failed, score_bin).count().collect()
    bins: Counter[int] = Counter()
    models: Counter[tuple[str, int]] = Counter()
    for name, version, _, bin_index, count in rows:
        models[name, version] += count
        if bin_index is not None:
            bins[min(bin_index, _SCORE_BINS - 1)] += count  # a score of exactly 1
    return {
        "labelled": sum(row[4] for row in rows if not row.failed),
        "label_errors": sum(row[4] for row in rows if row.failed),
        "models_in_use": dict(sorted(models.items())),
        "score_bins": tuple(bins[index] for index in range(_SCORE_BINS)) if bins else (),
    }


def splits_and_votes(reviews: DataFrame) -> dict[str, Any]:
    """Counts the model's labels by split, and by weak label."""
    rows = reviews.groupBy("split", "has_weak", "weak_label", "sentiment_label").count().collect()
    votes: Counter[tuple[str | None, str | None]] = Counter()
    for row in rows:
        if row.has_weak:
            votes[row.weak_label, row.sentiment_label] += row[4]
    return {
        "splits": _fold((row.split, row.sentiment_label, row[4]) for row in rows if row.sentiment_label),
        "weak_votes": dict(votes),
    }


def _fold(rows: Iterable[tuple[str | None, str, int]]) -> tuple[Sentiment, ...]:
    """Groups rows of name, sentiment_label and count into one Sentiment a name, sorted by name."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, label, count in rows:
        counts[name or "(none)"][label] += count
    return tuple(Sentiment(name, c["positive"], c["negative"]) for name, c in sorted(counts.items()))


def sentiment(reviews: DataFrame) -> dict[str, Any]:
    """Counts sentiment by category, largest first, and by day, in current reviews that are no copy."""
    labelled = reviews.where("is_current AND is_unique AND sentiment_label IS NOT NULL")
    rows = labelled.groupBy("category", "day", "sentiment_label").count().collect()
    categories = _fold([(row[0], row[2], row[3]) for row in rows])
    days = _fold([(row[1], row[2], row[3]) for row in rows])
    largest = sorted(categories, key=lambda group: -(group.positive + group.negative))
    return {"categories": tuple(largest[:MAX_CATEGORIES]), "sentiment_days": days[-MAX_DAYS:]}


def split_balance(reviews: DataFrame) -> dict[str, Any]:
    """Counts reviews by split and copies in two splits (0 is expected), and measures the balance of the splits."""
    facts = F.explode(
        F.array(
            *(
                F.struct(F.lit(name).alias("attribute"), F.col(name).cast("string").alias("value"))
                for name in _ATTRIBUTES
            )
        )
    )
    rows = (
        reviews.where("is_unique AND split IS NOT NULL")
        .select("split", facts.alias("fact"))
        .groupBy("split", "fact.attribute", "fact.value")
        .count()
        .collect()
    )
    counts: dict[str, dict[tuple[str, str | None], int]] = {name: {} for name in _ATTRIBUTES}
    sizes: Counter[str] = Counter()
    for split, attribute, value, count in rows:
        sizes[split] += count if attribute == _ATTRIBUTES[0] else 0
        if split != "none":
            counts[attribute][split, value] = count
    # Pairs of a record with the first-seen records of its cluster and of near clusters. Most records have no pair.
    assigned = reviews.where("split != 'none'")
    others = F.array_except(F.concat(F.array("cluster_id"), "near_clusters"), F.array("record_id"))
    linked = assigned.select("split", F.explode(others).alias("other"))
    straddling = linked.join(
        assigned.select(F.col("record_id").alias("other"), F.col("split").alias("other_split")), "other"
    ).where("split != other_split")
    return {
        "split_sizes": {name: sizes[name] for name in ("train", "validation", "test", "none") if sizes[name]},
        "split_balance": tuple(SplitBalance(name, cramers_v(counts[name])) for name in _ATTRIBUTES if counts[name]),
        "straddling": straddling.count(),
    }


def voters(
    weak_labels: DataFrame, estimates: DataFrame, reviews: DataFrame, gold_labels: DataFrame, sources: Sources
) -> dict[str, Any]:
    """Counts votes and conflicts of each voter, and measures its accuracy: estimated, and against gold labels."""
    all_votes = F.map_concat(
        F.coalesce("votes", F.create_map().cast("map<string, string>")),
        F.map_filter(
            F.create_map(F.lit(MODEL), F.col("weak_label"), F.lit(MAJORITY), F.col("majority_label")),
            lambda _, label: label.isNotNull(),
        ),
    )
    # The few gold labels are joined with reviews first, then with votes. So not every vote is joined with its review.
    gold = label_records(reviews, gold_labels.where("task = 'sentiment'"), sources).select(
        "record_id", F.col("label").alias("gold")
    )
    disputed = F.size(F.array_distinct(F.map_values("votes"))) > 1
    rows = (
        weak_labels.join(gold, "record_id", "left")
        .select(F.explode(all_votes).alias("voter", "label"), disputed.alias("is_disputed"), "gold")
        .groupBy("voter")
        .agg(
            F.count("*").alias("votes"),
            F.sum(F.col("is_disputed").cast("long")).alias("conflicts"),
            F.count("gold").alias("gold"),
            F.sum((F.col("label") == F.col("gold")).cast("long")).alias("right"),
        )
        .collect()
    )
    newest = estimates.groupBy("voter").agg(F.max_by("estimated_accuracy", "batch_id").alias("accuracy"))
    estimated = {row.voter: row.accuracy for row in newest.collect()}
    scores = [
        VoterScore(row.voter, row.votes, row.conflicts, estimated.get(row.voter), row.gold, row.right or 0)
        for row in rows
    ]
    last = (MODEL, MAJORITY)
    return {"voters": tuple(sorted(scores, key=lambda score: (score.name in last, score.name == MAJORITY, score.name)))}


def complaint_words(tokens: DataFrame, labels: DataFrame, top: int) -> tuple[Word, ...]:
    """Finds the content words that are over-represented in negative reviews against positive ones.

    Source: Monroe, Colaresi, Quinn, Fightin' Words (2008): the z-score of the log-odds ratio under an
    informative Dirichlet prior, here the words' shares in all reviews. A review counts a word once, so that
    a single review has little effect.

    Args:
        tokens: silver_tokens: record_id, content_words.
        labels: record_id, sentiment_label; rows with neither sentiment are left out.
        top: How many words, most over-represented first; only those with a positive z.
    """
    sentiments = labels.where(F.col("sentiment_label").isin("positive", "negative")).select(
        "record_id", "sentiment_label"
    )
    is_negative = (F.col("sentiment_label") == "negative").cast("long")
    words = (
        tokens.join(sentiments, on="record_id", how="inner")
        .select(is_negative.alias("negative"), F.explode(F.array_distinct("content_words")).alias("word"))
        .groupBy("word")
        .agg(F.sum("negative").alias("negative"), F.sum(1 - F.col("negative")).alias("positive"))
        .where(F.col("negative") + F.col("positive") >= MIN_REVIEWS)
        # masks such as [PHONE], and numbers, are no complaint
        .where(~F.col("word").rlike(r"^(\[[A-Z_]+\]|[\d.,:%]+)$"))
        .persist()
    )
    try:
        return _over_represented(words, top)
    finally:
        words.unpersist()
