"""Computes the report's figures of labels and splits, from sums of facts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.reports.nightly.fact_sums import Sums
from reviewgen_spark.reports.nightly.figures import Sentiment, SplitBalance, VoterScore
from reviewgen_spark.transforms.dataframes import rows_that_share
from reviewgen_spark.transforms.facts import ATTRIBUTES, LABEL_MODEL, MAJORITY, SCORE_BINS, all_votes
from reviewgen_spark.transforms.gold_labels import label_records
from reviewgen_spark.transforms.review_keys import Sources

MAX_DAYS, MAX_CATEGORIES = 60, 12


def labels(sums: Sums) -> dict[str, Any]:
    """Counts labels and errors by model version, and the scores in each twentieth of 0 to 1."""
    bins: Counter[int] = Counter()
    models: Counter[tuple[str, int]] = Counter()
    failed: Counter[bool] = Counter()
    for (name, version, has_failed, bin_index), count in sums["label"].items():
        models[str(name), int(version or 0)] += count
        failed[has_failed == "true"] += count
        if bin_index is not None:
            bins[min(int(bin_index), SCORE_BINS - 1)] += count  # a score of exactly 1
    return {
        "labelled": failed[False],
        "label_errors": failed[True],
        "models_in_use": dict(sorted(models.items())),
        "score_bins": tuple(bins[index] for index in range(SCORE_BINS)) if bins else (),
    }


def splits_and_votes(sums: Sums) -> dict[str, Any]:
    """Counts the model's labels by split, and by weak label."""
    votes: Counter[tuple[str | None, str | None]] = Counter()
    for (_, has_weak, weak_label, label), count in sums["split_label"].items():
        if has_weak:
            votes[weak_label, label] += count
    by_split = ((split, label, count) for (split, _, _, label), count in sums["split_label"].items() if label)
    return {"splits": _fold(by_split), "weak_votes": dict(votes)}


def _fold(rows: Iterable[tuple[str | None, str | None, int]]) -> tuple[Sentiment, ...]:
    """Groups rows of name, sentiment_label and count into one Sentiment a name, sorted by name."""
    counts: dict[str, Counter[str | None]] = defaultdict(Counter)
    for name, label, count in rows:
        counts[name or "(none)"][label] += count
    return tuple(Sentiment(name, c["positive"], c["negative"]) for name, c in sorted(counts.items()))


def sentiment(sums: Sums) -> dict[str, Any]:
    """Counts sentiment by category, largest first, and by day, in current reviews that are no copy."""
    categories, days = (
        _fold((name, label, count) for (name, label), count in sums[kind].items())
        for kind in ("category_sentiment", "day_sentiment")
    )
    largest = sorted(categories, key=lambda group: -(group.positive + group.negative))
    return {"categories": tuple(largest[:MAX_CATEGORIES]), "sentiment_days": days[-MAX_DAYS:]}


def split_balance(sums: Sums) -> dict[str, Any]:
    """Counts reviews by split and copies in two splits (0 is expected), and measures the balance of the splits."""
    counts: dict[str, dict[tuple[str, str | None], int]] = {name: {} for name in ATTRIBUTES}
    sizes: Counter[str] = Counter()
    for (split, attribute, value), count in sums["split_attribute"].items():
        sizes[str(split)] += count if attribute == ATTRIBUTES[0] else 0
        if split != "none":
            counts[str(attribute)][str(split), value] = count
    return {
        "split_sizes": {name: sizes[name] for name in ("train", "validation", "test", "none") if sizes[name]},
        "split_balance": tuple(SplitBalance(name, cramers_v(counts[name])) for name in ATTRIBUTES if counts[name]),
        "straddling": sum(sums["straddling"].values()),
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


def voters(sums: Sums, tables: Mapping[str, DataFrame], sources: Sources) -> dict[str, Any]:
    """Counts votes and conflicts of each voter, and measures its accuracy: estimated, and against gold labels.

    Args:
        sums: The votes.
        tables: ops_weak_voters; and bronze_gold_labels, silver_reviews and silver_weak_labels for gold labels.
        sources: Source of each batch.
    """
    votes: Counter[str] = Counter()
    conflicts: Counter[str] = Counter()
    for (voter, is_disputed), count in sums["vote"].items():
        votes[str(voter)] += count
        conflicts[str(voter)] += count if is_disputed == "true" else 0
    newest = (
        tables["ops_weak_voters"].groupBy("voter").agg(F.max_by("estimated_accuracy", "batch_id").alias("accuracy"))
    )
    estimated = {row.voter: row.accuracy for row in newest.collect()}
    against_gold = _against_gold(tables, sources)
    scores = [
        VoterScore(voter, votes[voter], conflicts[voter], estimated.get(voter), *against_gold.get(voter, (0, 0)))
        for voter in votes
    ]
    last = (LABEL_MODEL, MAJORITY)
    return {"voters": tuple(sorted(scores, key=lambda score: (score.name in last, score.name == MAJORITY, score.name)))}


def _against_gold(tables: Mapping[str, DataFrame], sources: Sources) -> dict[str, tuple[int, int]]:
    """Counts the votes of each voter on reviews with a gold label, and those that agree with it."""
    gold_labels = tables["bronze_gold_labels"].where("task = 'sentiment'")
    if gold_labels.isEmpty():
        return {}
    # Gold labels are few. They are joined with reviews first, so that no other vote is read as a row.
    reviews = rows_that_share(
        tables["silver_reviews"].select("record_id", "review_id", "batch_id"), gold_labels, "review_id"
    )
    gold = label_records(reviews, gold_labels, sources).select("record_id", F.col("label").alias("gold"))
    rows = (
        tables["silver_weak_labels"]
        .join(F.broadcast(gold), "record_id")
        .select("gold", F.explode(all_votes()).alias("voter", "label"))
        .groupBy("voter")
        .agg(F.count("*").alias("gold"), F.count_if(F.col("label") == F.col("gold")).alias("right"))
        .collect()
    )
    return {row.voter: (row.gold, row.right) for row in rows}
