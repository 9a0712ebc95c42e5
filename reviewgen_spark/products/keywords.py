"""Keywords: the words of a product's reviews in; those that say what it is about, by TF-IDF and by TextRank, out."""

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.sections import KeywordsSection
from reviewgen_spark.transforms.arrow import arrow_schema

_RANKED = StructType().add("product_id", "string").add("word", "string").add("score", "double")
_IS_WORD = "word RLIKE '\\\\p{L}' AND NOT word RLIKE '^\\\\['"  # no numbers, no masks or names of emoji


def keywords_by_product(words: DataFrame, section: KeywordsSection) -> DataFrame:
    """The first `section.top` keywords of each product by each method; the rows of gold_product_keywords.

    A word counts once a review, so that one long review does not speak for a product, and must stand in at least
    `section.min_reviews` of them. Of a product with more than `section.max_reviews` reviews those with the lowest hash
    are read, the same ones each night.

    Args:
        words: product_id, record_id and content_words of unique current reviews.
        section: Methods and bounds.
    """
    lowest = Window.partitionBy("product_id").orderBy(F.xxhash64("record_id"), "record_id")
    chosen = words.withColumn("place", F.row_number().over(lowest)).where(F.col("place") <= section.max_reviews)
    chosen = chosen.select("product_id", "record_id", F.transform("content_words", F.lower).alias("content_words"))
    counts = (
        chosen.select("product_id", F.explode(F.array_distinct("content_words")).alias("word"))
        .where(_IS_WORD)
        .groupBy("product_id", "word")
        .agg(F.count("*").alias("review_count"))
        .where(F.col("review_count") >= section.min_reviews)
        .persist()
    )
    methods = {"tfidf": _tf_idf, "textrank": _text_rank}
    scored = None
    for name in section.methods:
        found = methods[name](chosen, counts, section).withColumn("method_code", F.lit(name))
        scored = found if scored is None else scored.unionByName(found)
    assert scored is not None  # the section has at least one method
    best = Window.partitionBy("product_id", "method_code").orderBy(F.col("score").desc(), "word")
    return (
        scored.withColumn("place", F.row_number().over(best))
        .where(F.col("place") <= section.top)
        .join(counts, ["product_id", "word"])
        .select(*TABLES["gold_product_keywords"].columns.names)
    )


def _tf_idf(chosen: DataFrame, counts: DataFrame, section: KeywordsSection) -> DataFrame:
    """Share of the product's reviews with the word, times log((1 + N) / (1 + n)) + 1: n of N products have the word."""
    sizes = chosen.groupBy("product_id").agg(F.count("*").alias("size"))
    spread = counts.groupBy("word").agg(F.count("*").alias("products"))
    total = F.broadcast(sizes.agg(F.count("*").alias("total")))
    score = F.col("review_count") / F.col("size") * (F.log((1 + F.col("total")) / (1 + F.col("products"))) + 1)
    return (
        counts.join(sizes, "product_id")
        .join(spread, "word")
        .crossJoin(total)
        .select("product_id", "word", score.alias("score"))
    )


def _text_rank(chosen: DataFrame, counts: DataFrame, section: KeywordsSection) -> DataFrame:
    wanted = counts.groupBy("product_id").agg(F.collect_set("word").alias("wanted"))
    kept = chosen.join(wanted, "product_id").select(
        "product_id", F.filter("content_words", lambda word: F.array_contains("wanted", word)).alias("words")
    )

    def rank(product: pa.Table) -> pa.Table:
        from reviewgen_spark.text.textrank import text_rank

        ranks = text_rank(product.column("words").to_pylist(), section.window, section.max_words)
        columns = [[product.column("product_id")[0].as_py()] * len(ranks), list(ranks), list(ranks.values())]
        return pa.Table.from_arrays([pa.array(column) for column in columns], schema=schema)

    schema = arrow_schema(_RANKED)
    return kept.groupBy("product_id").applyInArrow(rank, _RANKED)
