"""Finds words that are more frequent in negative reviews, by log-odds of review counts with a prior."""

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.reports.nightly.figures import Word

# A word in fewer reviews is noise, and could be a person's name.
MIN_REVIEWS = 5
# Weight of the prior, in counts of words. A word of ten reviews ranks only if its counts are very uneven. A word of
# hundreds is hardly affected. The value is a choice, not a fit.
PRIOR_WORDS = 1_000.0


def complaint_words(facts: DataFrame, top: int) -> tuple[Word, ...]:
    """Finds the content words that are over-represented in negative reviews against positive ones.

    Source: Monroe, Colaresi, Quinn, Fightin' Words (2008): the z-score of the log-odds ratio under an
    informative Dirichlet prior, here the words' shares in all reviews. A review counts a word once, so that
    a single review has little effect.

    Args:
        facts: gold_word_facts: word, negative_count, positive_count, of several batches.
        top: How many words, most over-represented first; only those with a positive z.
    """
    words = (
        facts.groupBy("word")
        .agg(F.sum("negative_count").alias("negative"), F.sum("positive_count").alias("positive"))
        .where(F.col("negative") + F.col("positive") >= MIN_REVIEWS)
        .persist(StorageLevel.MEMORY_AND_DISK)  # read twice: for the totals and for the scores
    )
    try:
        return _over_represented(words, top)
    finally:
        words.unpersist()


def _over_represented(words: DataFrame, top: int) -> tuple[Word, ...]:
    sums = (F.sum(name).alias(name) for name in ("negative", "positive"))
    totals = words.agg(F.count("*").alias("words"), *sums).collect()[0]
    if totals.words < 2 or not totals.negative or not totals.positive:
        return ()  # a single word has no other words to be compared with
    n_negative, n_positive = F.lit(float(totals.negative)), F.lit(float(totals.positive))
    prior = PRIOR_WORDS * (F.col("negative") + F.col("positive")) / (n_negative + n_positive)
    negative, positive = F.col("negative") + prior, F.col("positive") + prior
    log_odds = F.log(negative / (n_negative + PRIOR_WORDS - negative)) - F.log(
        positive / (n_positive + PRIOR_WORDS - positive)
    )
    scored = words.select("word", "negative", "positive", (log_odds / F.sqrt(1 / negative + 1 / positive)).alias("z"))
    rows = scored.where("z > 0").orderBy(F.desc("z"), "word").limit(top).collect()
    return tuple(Word(row.word, row.negative, row.positive, row.z) for row in rows)
