"""Which words the unhappy use more: document frequencies in Spark, log-odds with a prior."""

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.reports.nightly.figures import Word

# A word of fewer reviews is noise, and could be a name that somebody typed.
MIN_REVIEWS = 5
# Weight of the prior, in words said: enough that a word of ten reviews must be lopsided to rank, too little to
# move a word of hundreds. A choice, not a fit.
PRIOR_WORDS = 1_000.0


def complaint_words(tokens: DataFrame, labels: DataFrame, top: int) -> tuple[Word, ...]:
    """Find the content words that are over-represented in negative reviews against positive ones.

    Source: Monroe, Colaresi, Quinn, Fightin' Words (2008): the z-score of the log-odds ratio under an
    informative Dirichlet prior, here the words' shares in all reviews. A review counts a word once, so that one
    furious customer does not make a topic.

    Args:
        tokens: silver_tokens: record_id, content_words.
        labels: record_id, sentiment_label; rows with neither sentiment are left out.
        top: How many words, most over-represented first; only those with a positive z.
    """
    said = labels.where(F.col("sentiment_label").isin("positive", "negative")).select("record_id", "sentiment_label")
    is_negative = (F.col("sentiment_label") == "negative").cast("long")
    words = (
        tokens.join(said, on="record_id", how="inner")
        .select(is_negative.alias("negative"), F.explode(F.array_distinct("content_words")).alias("word"))
        .groupBy("word")
        .agg(F.sum("negative").alias("negative"), F.sum(1 - F.col("negative")).alias("positive"))
        .where(F.col("negative") + F.col("positive") >= MIN_REVIEWS)
        # [PHONE] and the like stand for masked data; a number alone complains of nothing
        .where(~F.col("word").rlike(r"^(\[[A-Z_]+\]|[\d.,:%]+)$"))
        .persist(StorageLevel.MEMORY_AND_DISK)  # read twice: for the totals and for the scores
    )
    try:
        return _over_represented(words, top)
    finally:
        words.unpersist()


def _over_represented(words: DataFrame, top: int) -> tuple[Word, ...]:
    totals = words.agg(F.sum("negative").alias("negative"), F.sum("positive").alias("positive")).collect()[0]
    if not totals.negative or not totals.positive:
        return ()
    n_negative, n_positive = F.lit(float(totals.negative)), F.lit(float(totals.positive))
    prior = PRIOR_WORDS * (F.col("negative") + F.col("positive")) / (n_negative + n_positive)
    negative, positive = F.col("negative") + prior, F.col("positive") + prior
    log_odds = F.log(negative / (n_negative + PRIOR_WORDS - negative)) - F.log(
        positive / (n_positive + PRIOR_WORDS - positive)
    )
    scored = words.select("word", "negative", "positive", (log_odds / F.sqrt(1 / negative + 1 / positive)).alias("z"))
    found = scored.where("z > 0").orderBy(F.desc("z"), "word").limit(top).collect()
    return tuple(Word(row.word, row.negative, row.positive, row.z) for row in found)
