"""Keywords: the words of a product's reviews in; those that say what it is about, by TF-IDF and by TextRank, out."""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, LongType, StringType, StructType

from reviewgen_spark.config import KeywordsSection
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema, to_batch
from reviewgen_spark.text.words.textrank import Numbers, rank_words

_RANKED = StructType().add("word", StringType()).add("review_count", LongType()).add("score", DoubleType())
# A row a product: its words in order, in how many of the `size` reviews each stands, how many reviews the last of its
# `top` most frequent words has (0 where it has no more words than that), and its first words by TextRank.
_PRODUCT_WORDS = (
    StructType()
    .add("product_id", StringType())
    .add("size", LongType())
    .add("word", ArrayType(StringType()))
    .add("review_count", ArrayType(LongType()))
    .add("least_count", LongType())
    .add("ranked", ArrayType(_RANKED))
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
    products = (
        words.withColumn("place", F.xxhash64("record_id"))
        .repartition("product_id")
        .sortWithinPartitions("product_id", "place", "record_id")
        .select("product_id", "content_words")
        .mapInArrow(lambda batches: product_words(batches, section), _PRODUCT_WORDS)
        .persist()
    )
    methods = {"tfidf": _tf_idf, "textrank": _text_rank}
    found = [methods[name](products, section.top).withColumn("method_code", F.lit(name)) for name in section.methods]
    return reduce(DataFrame.unionByName, found).select(*TABLES["gold_product_keywords"].columns.names)


def _tf_idf(products: DataFrame, top: int) -> DataFrame:
    """Share of the product's reviews with the word, times log((1 + N) / (1 + n)) + 1: n of N products have the word.

    The factor is 1 for a word of all products, and greatest for a word of one. A word that the greatest would still
    leave behind the `top` most frequent words, these at 1, cannot be among the first: most words are sifted out so.
    """
    spread = products.select(F.explode("word").alias("word")).groupBy("word").agg(F.count("*").alias("products"))
    total = F.broadcast(products.agg(F.count("*").alias("total")))
    words = products.crossJoin(total).select(
        "product_id", "size", "least_count", "total", F.explode(F.arrays_zip("word", "review_count")).alias("one")
    )
    most = F.log((1 + F.col("total")) / 2) + 1
    chosen = words.where(F.col("one.review_count") * most >= F.col("least_count")).select("*", "one.*")
    score = F.col("review_count") / F.col("size") * (F.log((1 + F.col("total")) / (1 + F.col("products"))) + 1)
    best = Window.partitionBy("product_id").orderBy(F.col("score").desc(), "word")
    return (
        chosen.join(spread, "word")
        .select("product_id", "word", "review_count", score.alias("score"))
        .withColumn("place", F.row_number().over(best))
        .where(F.col("place") <= top)
    )


def _text_rank(products: DataFrame, top: int) -> DataFrame:
    ranked = products.select("product_id", F.posexplode("ranked").alias("place", "one"))
    return ranked.select("product_id", "one.*", (F.col("place") + 1).alias("place"))


def product_words(batches: Iterable[pa.RecordBatch], section: KeywordsSection) -> Iterator[pa.RecordBatch]:
    """A row for each product of a partition; its reviews (product_id, content_words) stand one after the other.

    Words are numbers while they are counted: a Python string for each place would be most of the stage's time.
    """
    schema, vocabulary = arrow_schema(_PRODUCT_WORDS), _Vocabulary()
    measured = (
        (product, *_measure(words, lengths, vocabulary.words, section))
        for product, words, lengths in _by_product(batches, vocabulary, section.max_reviews)
    )
    while rows := list(islice(measured, _PRODUCTS_A_BATCH)):
        yield to_batch(dict(zip(schema.names, map(list, zip(*rows, strict=True)), strict=True)), schema)


class _Vocabulary(dict[str, int]):
    """The number of each spelling in a partition, in the order in which they are met; -1 for what is no word.

    No words are numbers, masks and names of emoji. Spellings that differ in case alone share a number.
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
        """The numbers of many."""
        places = spellings.dictionary_encode()
        numbers = np.fromiter(map(self.__getitem__, places.dictionary.to_pylist()), np.int64, len(places.dictionary))
        found: Numbers = numbers[places.indices.to_numpy()]
        return found


def _by_product(
    batches: Iterable[pa.RecordBatch], vocabulary: _Vocabulary, most: int
) -> Iterator[tuple[str, Numbers, Numbers]]:
    """The words of each product's first reviews, and how many each review has; no more of them are held than that."""
    product, words, lengths, size = "", list[Numbers](), list[Numbers](), 0
    for batch in batches:
        reviews = batch.column("content_words")
        numbers = vocabulary.number(reviews.flatten())
        counts = pc.fill_null(pc.list_value_length(reviews), 0).to_numpy().astype(np.int64)
        places = np.concatenate(([0], np.cumsum(counts)))
        runs = pc.run_end_encode(batch.column("product_id"))
        start = 0
        for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            if words and name != product:
                yield product, np.concatenate(words), np.concatenate(lengths)
                words, lengths, size = [], [], 0
            if size < most:
                last = min(end, start + most - size)
                words.append(numbers[places[start] : places[last]])
                lengths.append(counts[start:last])
                size += last - start
            product, start = name, end
    if words:
        yield product, np.concatenate(words), np.concatenate(lengths)


def _measure(
    words: Numbers, lengths: Numbers, vocabulary: Sequence[str], section: KeywordsSection
) -> tuple[int, list[str], list[int], int, list[dict[str, object]]]:
    """What `_PRODUCT_WORDS` says of a product after its id."""
    reviews = np.repeat(np.arange(len(lengths)), lengths)
    words, reviews = words[words >= 0], reviews[words >= 0]
    pairs = np.sort(reviews * len(vocabulary) + words)
    once = pairs[np.diff(pairs, prepend=-1) > 0] % max(len(vocabulary), 1)
    found, counts = np.unique(once, return_counts=True)
    found, counts = found[counts >= section.min_reviews], counts[counts >= section.min_reviews]
    if not len(found):
        return len(lengths), [], [], 0, []
    order = np.array(sorted(range(len(found)), key=lambda place: vocabulary[int(found[place])]), np.int64)
    spelt, counts = [vocabulary[number] for number in found[order].tolist()], counts[order]
    least = int(np.partition(counts, -section.top)[-section.top]) if len(counts) > section.top else 0
    ranked: list[dict[str, object]] = []
    if "textrank" in section.methods:  # of the words that are left, by their place in `spelt`
        place = np.minimum(np.searchsorted(found, words), len(found) - 1)
        stands = found[place] == words
        in_order = np.argsort(order)[place[stands]]
        chosen, ranks = rank_words(in_order, reviews[stands], counts, section.window, section.max_words)
        for best in np.lexsort((chosen, -ranks))[: section.top].tolist():
            number = int(chosen[best])
            ranked.append({"word": spelt[number], "review_count": int(counts[number]), "score": float(ranks[best])})
    return len(lengths), spelt, counts.tolist(), least, ranked
