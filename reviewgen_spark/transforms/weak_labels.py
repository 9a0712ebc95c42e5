"""Labels reviews weakly: voters vote by words, text and stars, and a label model combines the votes."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import WeakLabelsSection
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema, in_slices
from reviewgen_spark.text.opinions.label_model import LabelModel, Pattern, fit_label_model, majority
from reviewgen_spark.text.opinions.labelling_functions import Ballot, Voters, check_voters
from reviewgen_spark.transforms.dictionaries import ship_dictionaries, shipped_dictionaries

_CAST = "record_id string, votes map<string, string>, batch_id bigint"
_JUDGED = "pattern string, weak_label string, weak_score double, majority_label string"


def label_weakly(
    tokens: DataFrame, reviews: DataFrame, earlier: DataFrame, section: WeakLabelsSection, dictionaries: Path
) -> dict[str, DataFrame]:
    """Collects the votes on each review and weighs them by a label model; returns the tables of the stage.

    The model learns from the votes of this batch and of earlier batches. No gold label is read. A review has no weak
    label if the probability is below `section.min_probability`. Rows in = rows of silver_weak_labels.

    Args:
        tokens: silver_tokens of a batch.
        reviews: silver_reviews of the batch.
        earlier: silver_weak_labels of the batches before.
        section: The voters, and the scores from which they vote.
        dictionaries: Folder on the driver; shipped to the executors.

    Raises:
        MissingExtraError: When the library of a voter is not installed.
    """
    check_voters(section)
    cast = cast_votes(tokens, reviews, section, dictionaries).withColumn("pattern", _pattern("votes")).persist()
    own = _count(cast)
    known = _count(earlier.withColumn("pattern", _pattern("votes")))
    enabled = set(section.voters)
    # The model does not learn from a voter that was switched off.
    counts: dict[Pattern, int] = {}
    for pattern, count in [*known.items(), *own.items()]:
        enabled_votes = frozenset(vote for vote in pattern if vote[0] in enabled)
        counts[enabled_votes] = counts.get(enabled_votes, 0) + count
    model = fit_label_model(counts)
    spark = tokens.sparkSession
    judged = spark.createDataFrame([_judge(pattern, model, section.min_probability) for pattern in own], _JUDGED)
    names = TABLES["silver_weak_labels"].columns.names
    voters = TABLES["ops_weak_voters"].columns
    batches = {row.batch_id for row in cast.select("batch_id").distinct().collect()}
    rows = [{**row, "batch_id": batch} for batch in batches for row in _summarise(own, model, section.voters)]
    return {
        "silver_weak_labels": cast.join(F.broadcast(judged), "pattern").select(*names),
        "ops_weak_voters": spark.createDataFrame([tuple(row[name] for name in voters.names) for row in rows], voters),
    }


def cast_votes(tokens: DataFrame, reviews: DataFrame, section: WeakLabelsSection, dictionaries: Path) -> DataFrame:
    """Returns record_id, votes and batch_id for each row of silver_tokens."""
    ship_dictionaries(tokens.sparkSession, dictionaries)
    folder = dictionaries.name

    def vote_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        voters = Voters(section, shipped_dictionaries(folder))

        def columns_of(batch: pa.RecordBatch) -> dict[str, Any]:
            ballots = (batch.column(name).to_pylist() for name in Ballot._fields)
            votes = [list(voters.votes(Ballot(*ballot)).items()) for ballot in zip(*ballots, strict=True)]
            return {"record_id": batch.column("record_id"), "votes": votes, "batch_id": batch.column("batch_id")}

        out = arrow_schema(schema)
        for batch in batches:
            yield in_slices(batch, columns_of, out)

    schema = tokens.sparkSession.createDataFrame([], _CAST).schema
    texts = reviews.select("record_id", F.col("text_clean").alias("text"), "lang_code", "rating")
    rows = tokens.select("record_id", "tokens", "batch_id").join(texts, "record_id", "left")
    return rows.select("record_id", *Ballot._fields, "batch_id").mapInArrow(vote_batches, schema)


def _pattern(votes: str) -> Column:
    """Joins the votes into one string, as `lexicon=positive,rating=negative`; without a vote it is empty."""
    parts = F.transform(F.map_entries(votes), lambda vote: F.concat(vote["key"], F.lit("="), vote["value"]))
    return F.array_join(F.array_sort(parts), ",")


def _count(rows: DataFrame) -> dict[Pattern, int]:
    """Counts the reviews of each pattern of votes. A voter has three states, so there are a few hundred at most."""
    counted = rows.groupBy("pattern").count().collect()
    return {_parse(row["pattern"]): row["count"] for row in counted}


def _parse(pattern: str | None) -> Pattern:
    return frozenset((vote.split("=")[0], vote.split("=")[1]) for vote in (pattern or "").split(",") if vote)


def _judge(
    pattern: Pattern, model: LabelModel, min_probability: float
) -> tuple[str, str | None, float | None, str | None]:
    votes = ",".join(sorted(f"{voter}={label}" for voter, label in pattern))
    if not pattern:
        return votes, None, None, None
    positive = model.positive(pattern)
    label = "positive" if positive >= 0.5 else "negative"
    is_sure = max(positive, 1 - positive) >= min_probability
    return votes, label if is_sure else None, 2 * positive - 1, majority(pattern)


def _summarise(patterns: Mapping[Pattern, int], model: LabelModel, voters: Iterable[str]) -> list[dict[str, Any]]:
    """Returns a row of ops_weak_voters for each voter."""
    rows = []
    for voter in voters:
        voted = {pattern: count for pattern, count in patterns.items() if voter in dict(pattern)}
        conflicts = {pattern: count for pattern, count in voted.items() if len({label for _, label in pattern}) > 1}
        rows.append(
            {
                "voter": voter,
                "row_count": sum(patterns.values()),
                "vote_count": sum(voted.values()),
                "conflict_count": sum(conflicts.values()),
                "estimated_accuracy": model.accuracies.get(voter),
            }
        )
    return rows
