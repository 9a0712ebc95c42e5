"""Computes the report's aggregates of labels and splits in Spark. Each has few rows."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.reports.nightly.figures import Sentiment, SplitBalance, VoterScore
from reviewgen_spark.transforms.gold_labels import label_records
from reviewgen_spark.transforms.review_keys import Sources

MAX_DAYS, MAX_CATEGORIES = 60, 12
_SCORE_BINS = 20
_ATTRIBUTES = ("category", "rating", "lang_code")
# Names of the labels computed from all votes; they are listed after the voters.
MODEL, MAJORITY = "label model", "majority vote"


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


def cramers_v(counts: Mapping[tuple[str, str | None], int]) -> float:
    """Measures how far two attributes depend on each other, 0 (not at all) to 1 (Cramér 1946).

    A value below 0.1 counts as negligible.

    >>> cramers_v({("train", "a"): 80, ("test", "a"): 20, ("train", "b"): 40, ("test", "b"): 10})
    0.0
    """
    total = sum(counts.values())
    rows, columns = Counter[str](), Counter[str | None]()
    for (row, column), count in counts.items():
        rows[row] += count
        columns[column] += count
    least = min(len(rows), len(columns)) - 1
    if not total or least < 1:
        return 0.0
    squares = sum(
        (counts.get((row, column), 0) - rows[row] * columns[column] / total) ** 2
        / (rows[row] * columns[column] / total)
        for row in rows
        for column in columns
    )
    return sqrt(squares / (total * least))


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
