"""Counts what the records of a batch are: facts that readers add up over batches (docs/adr/0014).

The kinds of gold_shop_facts, with their keys:

- `file`: result (bronze, quarantined or redelivered) and source_file of delivered records; `day`: day of writing
- `refusal`: reason of ingest; `broken`: none, reviews that broke a quality rule; `quality_error`: rule
- `language`, `mask`, `quality_flag`, `rule`: their name; masks are counted, the others count reviews
- `copy`: unique or copy, of reviews with a cluster
- `label`: model_name, model_version, whether it failed, twentieth of its score
- `split_label`: split, whether it has weak labels, weak_label, sentiment_label
- `category_sentiment`, `day_sentiment`: category or day, and sentiment_label; of unique reviews, edits are subtracted
- `split_attribute`: split, name and value of an attribute; of unique reviews
- `vote`: voter, and whether the voters disagree
"""

from collections.abc import Callable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.dataframes import materialise, rows_that_share

SCORE_BINS = 20
ATTRIBUTES = ("category", "rating", "lang_code")
# Names of the labels that are computed from all votes.
LABEL_MODEL, MAJORITY = "label model", "majority vote"
_PRODUCT_KEYS = TABLES["gold_product_facts"].key
_NARROW = ("record_id", "batch_id", "product_id", "category", "rating", "lang_code", "created_at")


def count_batches(tables: Mapping[str, DataFrame], timezone: str) -> dict[str, DataFrame]:
    """Counts the records of some batches; returns the tables of the stage `facts`.

    Args:
        tables: The tables that jobs/facts.py names, of these batches only; any may be empty.
        timezone: Time zone of the days in gold_shop_facts.
    """
    reviews = materialise(gather(tables))  # read by three queries
    return {
        "gold_product_facts": product_facts(reviews).repartition("batch_id"),
        "gold_shop_facts": _add(*_shop_facts(tables, reviews, timezone)).repartition("batch_id"),
        "gold_word_facts": word_facts(tables["silver_tokens"], reviews).repartition("batch_id"),
    }


def gather(tables: Mapping[str, DataFrame]) -> DataFrame:
    """Joins reviews, clusters, splits, labels and weak labels by record_id, one row a clean review, without text.

    A column is null if its table has no row of the review. `has_weak` is true or null. `is_unique` is whether the
    review has a cluster and is no copy.
    """
    reviews = tables["silver_reviews"].select(*_NARROW, "pii_counts", "quality_flags", "rule_counts")
    weak = tables["silver_weak_labels"].select("record_id", "weak_label", F.lit(True).alias("has_weak"))
    splits = tables["silver_review_splits"].select("record_id", "split")
    joined = reviews.join(weak, "record_id", "left").join(splits, "record_id", "left")
    return _with_labels(joined, tables["silver_review_clusters"], tables["gold_review_labels"])


def superseded_facts(tables: Mapping[str, DataFrame]) -> DataFrame:
    """Returns the superseded records with their labels, as `gather` does, for what readers subtract.

    Args:
        tables: silver_superseded_reviews, and silver_review_clusters and gold_review_labels of all batches.
    """
    superseded = tables["silver_superseded_reviews"]
    batches = [row[0] for row in superseded.select("record_batch_id").distinct().collect()]
    records = superseded.drop("batch_id").withColumnRenamed("record_batch_id", "batch_id").select(*_NARROW)
    few = [
        rows_that_share(tables[name].where(F.col("batch_id").isin(batches)), records, "record_id")
        for name in ("silver_review_clusters", "gold_review_labels")
    ]
    return _with_labels(records, *few)


def _with_labels(reviews: DataFrame, clusters: DataFrame, labels: DataFrame) -> DataFrame:
    placed = clusters.select("record_id", "duplicate_of", F.lit(True).alias("has_cluster"))
    labelled = labels.select("record_id", "sentiment_label", "model_name", "model_version")
    return (
        reviews.join(placed, "record_id", "left")
        .join(labelled, "record_id", "left")
        .withColumn("is_unique", F.expr("has_cluster IS NOT NULL AND duplicate_of IS NULL"))
    )


def product_facts(reviews: DataFrame) -> DataFrame:
    """Counts unique reviews by the keys of gold_product_facts; `reviews` as `gather` returns them."""
    is_labelled = F.col("sentiment_label").isNotNull()
    return (
        reviews.where("is_unique")
        .withColumn("written_date", F.to_date("created_at"))
        .withColumns({name: F.when(is_labelled, F.col(name)) for name in ("model_name", "model_version")})
        .groupBy(*_PRODUCT_KEYS)
        .agg(F.count("*").alias("review_count"))
    )


def current_product_facts(facts: DataFrame, superseded: DataFrame) -> DataFrame:
    """Adds up gold_product_facts over batches without the superseded records; returns groups with a review.

    Args:
        facts: gold_product_facts.
        superseded: As `superseded_facts` returns them.
    """
    keys = [name for name in _PRODUCT_KEYS if name != "batch_id"]
    subtracted = product_facts(superseded).withColumn("review_count", -F.col("review_count"))
    total = facts.unionByName(subtracted).groupBy(*keys).agg(F.sum("review_count").alias("review_count"))
    return total.where("review_count > 0")


def word_facts(tokens: DataFrame, reviews: DataFrame) -> DataFrame:
    """Counts the positive and the negative reviews with each content word. A review counts a word once."""
    is_negative = (F.col("sentiment_label") == "negative").cast("long")
    labelled = reviews.where(F.col("sentiment_label").isin("positive", "negative"))
    return (
        tokens.select("record_id", "content_words")
        .join(labelled.select("record_id", "batch_id", is_negative.alias("negative")), "record_id")
        .select("batch_id", "negative", F.explode(F.array_distinct("content_words")).alias("word"))
        # masks such as [PHONE], and numbers, are no complaint
        .where(~F.col("word").rlike(r"^(\[[A-Z_]+\]|[\d.,:%]+)$"))
        .groupBy("batch_id", "word")
        .agg(F.sum("negative").alias("negative_count"), F.sum(1 - F.col("negative")).alias("positive_count"))
    )


def sentiment_facts(reviews: DataFrame, timezone: str) -> DataFrame:
    """Counts labels of unique reviews by category and by day: the kinds that superseded records are subtracted from."""
    return _add(_exploded(reviews, *_sentiments(timezone)))


def fact(kind: str, *keys: Column, amount: Column | None = None) -> Column:
    """Returns a fact as a struct of kind_code, keys and fact_count."""
    counted = F.lit(1) if amount is None else amount
    values = F.array(*(key.cast("string") for key in keys)) if keys else F.array().cast("array<string>")
    return F.struct(F.lit(kind).alias("kind_code"), values.alias("keys"), counted.cast("long").alias("fact_count"))


def day_of(column: str, timezone: str) -> Column:
    """Returns the day of a timestamp in a time zone, as text."""
    return F.date_format(F.from_utc_timestamp(F.col(column), timezone), "yyyy-MM-dd")


def _shop_facts(tables: Mapping[str, DataFrame], reviews: DataFrame, timezone: str) -> list[DataFrame]:
    """Returns rows of batch_id, kind_code, keys and fact_count, before they are added up."""
    bronze, redelivered = tables["bronze_reviews"], tables["bronze_redeliveries"]
    refused = tables["bronze_reviews_quarantine"].where("feed_code = 'reviews' AND source_line IS NOT NULL")

    def file(result: str) -> Column:
        return fact("file", F.lit(result), F.col("source_file"))

    labels = tables["gold_review_labels"].select(
        "batch_id",
        fact(
            "label",
            F.col("model_name"),
            F.col("model_version"),
            F.col("error").isNotNull(),
            F.floor(F.col("sentiment_score") * SCORE_BINS),
        ).alias("fact"),
    )
    return [
        _exploded(bronze, file("bronze"), fact("day", day_of("created_at", timezone))),
        _exploded(refused, file("quarantined")),
        refused.select("batch_id", F.explode("reasons").alias("name")).select(
            "batch_id", fact("refusal", F.col("name")).alias("fact")
        ),
        _exploded(redelivered, file("redelivered")),
        _exploded(tables["silver_reviews_quarantine"], fact("broken")),
        tables["silver_reviews_quarantine"]
        .select("batch_id", F.explode("reasons").alias("name"))
        .select("batch_id", fact("quality_error", F.col("name")).alias("fact")),
        labels,
        _votes(tables["silver_weak_labels"]),
        _of_reviews(reviews, timezone),
    ]


def _of_reviews(reviews: DataFrame, timezone: str) -> DataFrame:
    """Returns the facts of clean reviews; each review becomes some ten of them."""
    is_copy = F.when(F.col("is_unique"), "unique").when(F.col("has_cluster"), "copy")
    in_split = F.col("is_unique") & F.col("split").isNotNull()
    single = (
        fact("language", F.coalesce("lang_code", F.lit("no text"))),
        F.when(is_copy.isNotNull(), fact("copy", is_copy)),
        fact("split_label", *(F.col(name) for name in ("split", "has_weak", "weak_label", "sentiment_label"))),
        *_sentiments(timezone),
        *(F.when(in_split, fact("split_attribute", F.col("split"), F.lit(n), F.col(n))) for n in ATTRIBUTES),
    )
    masks, rules = F.col("pii_counts"), F.col("rule_counts")
    several = F.concat(
        _each(F.map_keys(masks), lambda name: fact("mask", name, amount=F.element_at(masks, name))),
        _each(F.col("quality_flags"), lambda name: fact("quality_flag", name)),
        _each(F.map_keys(rules), lambda name: fact("rule", name, amount=(F.element_at(rules, name) > 0).cast("int"))),
    )
    return reviews.select("batch_id", F.explode(F.concat(F.array(*single), several)).alias("fact"))


def _sentiments(timezone: str) -> tuple[Column, ...]:
    is_counted = F.col("is_unique") & F.col("sentiment_label").isNotNull()
    label = F.col("sentiment_label")
    return (
        F.when(is_counted, fact("category_sentiment", F.col("category"), label)),
        F.when(is_counted, fact("day_sentiment", day_of("created_at", timezone), label)),
    )


def _votes(weak_labels: DataFrame) -> DataFrame:
    is_disputed = F.coalesce(F.size(F.array_distinct(F.map_values("votes"))) > 1, F.lit(False))
    return weak_labels.select(
        "batch_id", is_disputed.alias("is_disputed"), F.explode(all_votes()).alias("voter", "label")
    ).select("batch_id", fact("vote", F.col("voter"), F.col("is_disputed")).alias("fact"))


def all_votes() -> Column:
    """Returns the votes of a row of silver_weak_labels, and the labels computed from them, as one map."""
    computed = F.create_map(F.lit(LABEL_MODEL), F.col("weak_label"), F.lit(MAJORITY), F.col("majority_label"))
    return F.map_concat(
        F.coalesce("votes", F.create_map().cast("map<string, string>")),
        F.map_filter(computed, lambda _, label: label.isNotNull()),
    )


def _each(names: Column, of_name: Callable[[Column], Column]) -> Column:
    return F.transform(F.coalesce(names, F.array().cast("array<string>")), of_name)


def _exploded(rows: DataFrame, *facts: Column) -> DataFrame:
    return rows.select("batch_id", F.explode(F.array(*facts)).alias("fact"))


def _add(*parts: DataFrame) -> DataFrame:
    """Adds up facts by batch, kind and keys."""
    facts = reduce(DataFrame.unionByName, parts).where("fact IS NOT NULL").select("batch_id", "fact.*")
    totals = facts.groupBy("batch_id", "kind_code", "keys").agg(F.sum("fact_count").alias("fact_count"))
    return totals.where("fact_count > 0")
