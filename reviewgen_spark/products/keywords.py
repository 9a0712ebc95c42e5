"""Keywords: the words of a product's reviews in; those that say what it is about, by TF-IDF and by TextRank, out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, islice

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, LongType, StringType, StructType

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.sections import KeywordsSection
from reviewgen_spark.transforms.arrow import arrow_schema, to_batch

# A row a product: its words in order, in how many of the `size` reviews each stands, and its TextRank or null.
_PRODUCT_WORDS = (
    StructType()
    .add("product_id", StringType())
    .add("size", LongType())
    .add("word", ArrayType(StringType()))
    .add("review_count", ArrayType(LongType()))
    .add("rank", ArrayType(DoubleType()))
)
_PRODUCTS_A_BATCH = 200


def keywords_by_product(words: DataFrame, section: KeywordsSection) -> DataFrame:
    """The first `section.top` keywords of each product by each method; the rows of gold_product_keywords.

    A word counts once a review, so that one long review does not speak for a product, and must stand in at least
    `section.min_reviews` of them. Of a product with more than `section.max_reviews` reviews those with the lowest hash
    are read, the same ones each night. Each review is read once, beside the others of its product; what is compared
    between products is their words alone.

    Args:
        words: product_id, record_id and content_words of unique current reviews.
        section: Methods and bounds.
    """
    schema = arrow_schema(_PRODUCT_WORDS)
    products = (
        words.withColumn("place", F.xxhash64("record_id"))
        .repartition("product_id")
        .sortWithinPartitions("product_id", "place", "record_id")
        .select("product_id", "content_words")
        .mapInArrow(lambda batches: product_words(batches, section, schema), _PRODUCT_WORDS)
        .persist()
    )
    counts = products.select(
        "product_id", "size", F.explode(F.arrays_zip("word", "review_count", "rank")).alias("one")
    ).select("product_id", "size", "one.*")
    methods = {"tfidf": _tf_idf, "textrank": _text_rank}
    scored = None
    for name in section.methods:
        found = methods[name](products, counts).withColumn("method_code", F.lit(name))
        scored = found if scored is None else scored.unionByName(found)
    assert scored is not None  # the section has at least one method
    best = Window.partitionBy("product_id", "method_code").orderBy(F.col("score").desc(), "word")
    return (
        scored.withColumn("place", F.row_number().over(best))
        .where(F.col("place") <= section.top)
        .select(*TABLES["gold_product_keywords"].columns.names)
    )


def _tf_idf(products: DataFrame, counts: DataFrame) -> DataFrame:
    """Share of the product's reviews with the word, times log((1 + N) / (1 + n)) + 1: n of N products have the word."""
    spread = counts.groupBy("word").agg(F.count("*").alias("products"))
    total = F.broadcast(products.agg(F.count("*").alias("total")))
    score = F.col("review_count") / F.col("size") * (F.log((1 + F.col("total")) / (1 + F.col("products"))) + 1)
    scored = counts.join(spread, "word").crossJoin(total)
    return scored.select("product_id", "word", "review_count", score.alias("score"))


def _text_rank(products: DataFrame, counts: DataFrame) -> DataFrame:
    ranked = counts.where(F.col("rank").isNotNull())
    return ranked.select("product_id", "word", "review_count", F.col("rank").alias("score"))


def product_words(
    batches: Iterable[pa.RecordBatch], section: KeywordsSection, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """A row for each product of a partition; its reviews (product_id, content_words) stand one after the other."""
    from reviewgen_spark.text.textrank import text_rank

    def reviews() -> Iterator[tuple[str, list[str]]]:
        for batch in batches:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def measure(product: str, texts: Iterable[tuple[str, list[str]]]) -> tuple[object, ...]:
        chosen = [_words(found or ()) for _, found in islice(texts, section.max_reviews)]
        frequency = Counter(word for found in chosen for word in set(found))
        counts = {word: count for word, count in sorted(frequency.items()) if count >= section.min_reviews}
        ranks: dict[str, float] = {}
        if "textrank" in section.methods:
            kept = [[word for word in found if word in counts] for found in chosen]
            ranks = text_rank(kept, section.window, section.max_words)
        return product, len(chosen), list(counts), list(counts.values()), [ranks.get(word) for word in counts]

    measured = (measure(product, texts) for product, texts in groupby(reviews(), key=lambda row: row[0]))
    while rows := list(islice(measured, _PRODUCTS_A_BATCH)):
        yield to_batch(dict(zip(schema.names, map(list, zip(*rows, strict=True)), strict=True)), schema)


def _words(found: Sequence[str]) -> list[str]:
    return [word for word in map(_word, found) if word]


@lru_cache(maxsize=2**17)
def _word(found: str) -> str:
    """In lower case; empty for numbers, masks and names of emoji."""
    return "" if found.startswith("[") or not any(map(str.isalpha, found)) else found.lower()
