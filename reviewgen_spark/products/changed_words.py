"""Renews the words of the products whose reviews changed; the words of the other products are kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import KeywordsSection
from reviewgen_spark.products.keywords import words_by_product
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.dataframes import materialise, rows_that_share
from reviewgen_spark.transforms.review_keys import Sources
from reviewgen_spark.transforms.views import mark_current

# Keys are broadcast up to this number; a batch has at most as many rows by default. More keys are joined by a shuffle.
_BROADCAST_KEYS = 200_000
_REVIEW = ("record_id", "review_id", "product_id", "created_at", "updated_at", "source_file", "source_line", "batch_id")


@dataclass(frozen=True)
class ReadBefore:
    """Describes what the last run left.

    Attributes:
        words: gold_product_words as the last run wrote it, or fewer of its rows.
        through: Nothing has changed in the batches up to this one since then, nor in the rules. 0 if that is unknown.
    """

    words: DataFrame
    through: int


def product_words_now(
    tables: Mapping[str, DataFrame],
    before: ReadBefore,
    batches: Mapping[int, str],
    rules: str,
    section: KeywordsSection,
    sources: Sources,
) -> DataFrame:
    """Returns the words of all products, as gold_product_words; reads the words of changed products only.

    Args:
        tables: silver_reviews, silver_review_clusters and silver_tokens.
        before: What the last run left.
        batches: Fingerprint of each batch of silver_tokens.
        rules: Fingerprint of everything else that shapes a row.
        section: Methods and limits.
        sources: Source of each batch.
    """
    reviews, clusters = tables["silver_reviews"].select(*_REVIEW), tables["silver_review_clusters"]
    candidates = _candidates(reviews, before.through) if before.through else None
    members = materialise(_unique_reviews(reviews, clusters, candidates, sources))
    hashes = _hashes(members, batches, rules)
    stored = before.words.select("product_id", F.col("reviews_hash").alias("stored_hash"))
    is_same = F.col("stored_hash").eqNullSafe(F.col("reviews_hash"))
    compared = materialise(hashes.join(stored, "product_id", "left").withColumn("is_same", is_same))
    same = compared.where("is_same")
    if candidates is None:
        kept = before.words.join(same, "product_id", "left_semi")
    else:
        kept = before.words.join(candidates.join(same, "product_id", "left_anti"), "product_id", "left_anti")
    changed = compared.where("NOT is_same").select("product_id", "reviews_hash")
    words = _words_of(members.join(changed, "product_id", "left_semi"), tables["silver_tokens"])
    columns = TABLES["gold_product_words"].columns.names
    renewed = words_by_product(words, section).join(changed, "product_id")
    return kept.select(*columns).unionByName(renewed.select(*columns))


def _candidates(reviews: DataFrame, through: int) -> DataFrame:
    """Returns the products that may have changed by the batches after `through`.

    These are the products of their records, and those of earlier records of the same reviews. An edit may have moved
    a review to another product. Reviews of another source with the same review_id only add a product to compare.
    """
    narrow = reviews.select("review_id", "product_id", "batch_id")
    later = materialise(narrow.where(F.col("batch_id") > through))
    edited = _sharing(narrow.where(F.col("batch_id") <= through), later, "review_id")
    return materialise(later.unionByName(edited).select("product_id").distinct())


def _unique_reviews(reviews: DataFrame, clusters: DataFrame, products: DataFrame | None, sources: Sources) -> DataFrame:
    """Returns record_id, product_id and batch_id of the unique current reviews of these products, or of all."""
    canonical = clusters.where("duplicate_of IS NULL").select("record_id")
    if products is None:
        current = mark_current(reviews, sources).where("is_current")
        unique = current.join(canonical, "record_id", "left_semi")
    else:
        own = reviews.join(F.broadcast(products), "product_id", "left_semi")
        # a newer record of a review may be of another product
        related = mark_current(_sharing(reviews, own, "review_id"), sources).where("is_current")
        current = materialise(related.join(F.broadcast(products), "product_id", "left_semi"))
        unique = current.join(_sharing(canonical, current, "record_id"), "record_id", "left_semi")
    return unique.select("record_id", "product_id", "batch_id")


def _hashes(members: DataFrame, batches: Mapping[int, str], rules: str) -> DataFrame:
    """Returns product_id and reviews_hash; reviews of a batch without words are left out."""
    fingerprints = members.sparkSession.createDataFrame(sorted(batches.items()), "batch_id bigint, words string")
    hashed = F.bit_xor(F.xxhash64("record_id", "words"))
    return (
        members.join(F.broadcast(fingerprints), "batch_id")
        .groupBy("product_id")
        .agg(F.xxhash64(F.lit(rules), F.count("*"), hashed).alias("reviews_hash"))
    )


def _words_of(members: DataFrame, tokens: DataFrame) -> DataFrame:
    """Returns product_id, record_id and content_words of some reviews; only their batches are read."""
    members = materialise(members.select("product_id", "record_id", "batch_id"))
    batches = sorted(row.batch_id for row in members.select("batch_id").distinct().collect())
    own = tokens.where(F.col("batch_id").isin(batches)).select("record_id", "content_words")
    is_small = members.count() <= _BROADCAST_KEYS
    reviews = members.select("product_id", "record_id")
    return own.join(F.broadcast(reviews) if is_small else reviews, "record_id")


def _sharing(history: DataFrame, rows: DataFrame, key: str) -> DataFrame:
    """Keeps the rows of `history` that share a key with `rows`, by a broadcast if the keys are few."""
    keys = materialise(rows.select(key).distinct())
    return rows_that_share(history, keys, key, are_few=keys.count() <= _BROADCAST_KEYS)
