"""Ranks the words of each product's reviews by TF-IDF and by TextRank."""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from reviewgen_spark.config import KeywordsSection
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema, to_batch
from reviewgen_spark.text.words.textrank import Numbers, rank_words

_PRODUCT_WORDS = StructType(
    [field for field in TABLES["gold_product_words"].columns.fields if field.name != "reviews_hash"]
)
_PRODUCTS_A_BATCH = 200


def words_by_product(words: DataFrame, section: KeywordsSection) -> DataFrame:
    """Returns the words of each product: the rows of gold_product_words without `reviews_hash`.

    A word counts once a review, so that one long review does not dominate a product. It must be in at least
    `section.min_reviews` reviews. If a product has more than `section.max_reviews` reviews, those with the lowest hash
    are read, the same ones each night. Each review is read once, together with the others of its product.

    Args:
        words: product_id, record_id and content_words of unique current reviews.
        section: Methods and limits.
    """
    return (
        words.withColumn("hash", F.xxhash64("record_id"))
        .repartition("product_id")
        .sortWithinPartitions("product_id", "hash", "record_id")
        .select("product_id", "content_words")
        .mapInArrow(lambda batches: product_words(batches, section), _PRODUCT_WORDS)
    )


def keywords_by_product(products: DataFrame, section: KeywordsSection) -> DataFrame:
    """Returns the first `section.top` keywords of each product by each method: the rows of gold_product_keywords.

    Only words are compared between products, not reviews.

    Args:
        products: The words of all products, as gold_product_words. They are read several times.
        section: Methods and limits.
    """
    methods = {"tfidf": _tf_idf, "textrank": _text_rank}
    ranked = [methods[name](products, section.top).withColumn("method_code", F.lit(name)) for name in section.methods]
    return reduce(DataFrame.unionByName, ranked).select(*TABLES["gold_product_keywords"].columns.names)


def _tf_idf(products: DataFrame, top: int) -> DataFrame:
    """Scores words: the share of the product's reviews with the word, times log((1 + N) / (1 + n)) + 1.

    n of N products have the word. The factor is 1 for a word of all products, and greatest for a word of one product.
    A word is left out before scoring if its count times the greatest factor is below `least_count`. It cannot be among
    the first, because `top` words score higher even with factor 1. This removes most words.
    """
    counts = products.select(F.explode("word").alias("word")).groupBy("word").agg(F.count("*").alias("products"))
    total = F.broadcast(products.agg(F.count("*").alias("total")))
    words = products.crossJoin(total).select(
        "product_id", "size", "least_count", "total", F.explode(F.arrays_zip("word", "review_count")).alias("entry")
    )
    greatest = F.log((1 + F.col("total")) / 2) + 1
    candidates = words.where(F.col("entry.review_count") * greatest >= F.col("least_count")).select("*", "entry.*")
    score = F.col("review_count") / F.col("size") * (F.log((1 + F.col("total")) / (1 + F.col("products"))) + 1)
    by_score = Window.partitionBy("product_id").orderBy(F.col("score").desc(), "word")
    return (
        candidates.join(counts, "word")
        .select("product_id", "word", "review_count", score.alias("score"))
        .withColumn("place", F.row_number().over(by_score))
        .where(F.col("place") <= top)
    )


def _text_rank(products: DataFrame, top: int) -> DataFrame:
    ranked = products.select("product_id", F.posexplode("ranked").alias("place", "entry"))
    return ranked.select("product_id", "entry.*", (F.col("place") + 1).alias("place"))


def product_words(batches: Iterable[pa.RecordBatch], section: KeywordsSection) -> Iterator[pa.RecordBatch]:
    """Returns a row for each product of a partition. Its reviews (product_id, content_words) must be adjacent.

    Words are counted as numbers, because Python strings would take most of the stage's time.
    """
    schema, vocabulary = arrow_schema(_PRODUCT_WORDS), _Vocabulary()
    measured = (
        (product, *_measure(words, lengths, vocabulary.words, section))
        for product, words, lengths in _by_product(batches, vocabulary, section.max_reviews)
    )
    while rows := list(islice(measured, _PRODUCTS_A_BATCH)):
        yield to_batch(dict(zip(schema.names, map(list, zip(*rows, strict=True)), strict=True)), schema)


class _Vocabulary(dict[str, int]):
    """Numbers the spellings of a partition in the order of their first use; -1 for what is not a word.

    Numbers, masks and names of emoji are not words. Spellings that differ only in case share a number.
    """

    def __init__(self) -> None:
        self.words: list[str] = []

    def __missing__(self, spelling: str) -> int:
        word = spelling.lower()
        if spelling.startswith("[") or not any(map(str.isalpha, spelling)):
            number = -1
        elif word != spelling:
            number = self[word]
        else:
            number = len(self.words)
            self.words.append(word)
        self[spelling] = number
        return number

    def number(self, spellings: pa.StringArray) -> Numbers:
        """Returns the numbers of many spellings."""
        encoded = spellings.dictionary_encode()
        distinct = np.fromiter(map(self.__getitem__, encoded.dictionary.to_pylist()), np.int64, len(encoded.dictionary))
        numbers: Numbers = distinct[encoded.indices.to_numpy()]
        return numbers


def _by_product(
    batches: Iterable[pa.RecordBatch], vocabulary: _Vocabulary, max_reviews: int
) -> Iterator[tuple[str, Numbers, Numbers]]:
    """Yields each product, the words of its first `max_reviews` reviews, and the number of words of each review.

    No more reviews are held in memory.
    """
    product, words, lengths, size = "", list[Numbers](), list[Numbers](), 0
    for batch in batches:
        reviews = batch.column("content_words")
        numbers = vocabulary.number(reviews.flatten())
        counts = pc.fill_null(pc.list_value_length(reviews), 0).to_numpy().astype(np.int64)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        runs = pc.run_end_encode(batch.column("product_id"))
        start = 0
        for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            if words and name != product:
                yield product, np.concatenate(words), np.concatenate(lengths)
                words, lengths, size = [], [], 0
            if size < max_reviews:
                last = min(end, start + max_reviews - size)
                words.append(numbers[offsets[start] : offsets[last]])
                lengths.append(counts[start:last])
                size += last - start
            product, start = name, end
    if words:
        yield product, np.concatenate(words), np.concatenate(lengths)


def _measure(
    words: Numbers, lengths: Numbers, vocabulary: Sequence[str], section: KeywordsSection
) -> tuple[int, list[str], list[int], int, list[dict[str, object]]]:
    """Returns the values of `_PRODUCT_WORDS` after the product id."""
    reviews = np.repeat(np.arange(len(lengths)), lengths)
    words, reviews = words[words >= 0], reviews[words >= 0]
    pairs = np.sort(reviews * len(vocabulary) + words)
    once_a_review = pairs[np.diff(pairs, prepend=-1) > 0] % max(len(vocabulary), 1)
    numbers, counts = np.unique(once_a_review, return_counts=True)
    numbers, counts = numbers[counts >= section.min_reviews], counts[counts >= section.min_reviews]
    if not len(numbers):
        return len(lengths), [], [], 0, []
    order = np.array(sorted(range(len(numbers)), key=lambda index: vocabulary[int(numbers[index])]), np.int64)
    spellings, counts = [vocabulary[number] for number in numbers[order].tolist()], counts[order]
    least = int(np.partition(counts, -section.top)[-section.top]) if len(counts) > section.top else 0
    ranked: list[dict[str, object]] = []
    if "textrank" in section.methods:  # of the remaining words, as indexes into `spellings`
        index = np.minimum(np.searchsorted(numbers, words), len(numbers) - 1)
        remains = numbers[index] == words
        indexes = np.argsort(order)[index[remains]]
        chosen, ranks = rank_words(indexes, reviews[remains], counts, section.window, section.max_words)
        for best in np.lexsort((chosen, -ranks))[: section.top].tolist():
            word = int(chosen[best])
            ranked.append({"word": spellings[word], "review_count": int(counts[word]), "score": float(ranks[best])})
    return len(lengths), spellings, counts.tolist(), least, ranked
