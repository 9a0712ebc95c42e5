"""Finds the rows of erased users and reviews by keyed hashes, and computes how related rows change."""

from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.text.privacy.erasure_keys import Erased, key_fingerprint
from reviewgen_spark.transforms.review_keys import Sources, is_same_review

PLACE = ("feed_code", "source_file", "source_line", "batch_id")
_SEEN = ("batch_id", "created_at", "record_id")  # first seen first, as in dedup


def read_erased(
    erasures: DataFrame, key: bytes, places: DataFrame | None = None, sources: Iterable[str] = ()
) -> Erased:
    """Reads what must stay erased to the driver: a hash of 16 bytes for each user and review.

    Args:
        erasures: ops_erasures.
        key: the secret of user_key.
        places: rows of bronze_erasures; their places stay erased, whatever record is there now.
        sources: every known source.

    Raises:
        ConfigError: The hashes were made with another secret. Nothing would be recognised, and erased records would
            come back.
    """
    rows = erasures.select("erasure_key", "key_fingerprint").collect()
    if any(row.key_fingerprint != key_fingerprint(key) for row in rows):
        raise ConfigError(
            "ops_erasures: its hashes were made with another REVIEWGEN_USER_KEY, so erased records would come back; "
            "set the key with which they were made"
        )
    known = () if places is None or not rows else places.select("source_file", "source_line").collect()
    return Erased(
        frozenset(row.erasure_key for row in rows),
        key,
        frozenset((row.source_file, row.source_line) for row in known if row.source_file is not None),
        tuple(sorted(set(sources))),
    )


def records_of(reviews: DataFrame, erased: Erased) -> DataFrame:
    """Returns record_id, review_id, user_id, batch_id and source of bronze_reviews for erased users and reviews."""
    return _filter(
        reviews.select("record_id", "review_id", "user_id", "batch_id", "source"),
        lambda row: (
            erased.has_user(row["user_id"], row["source"]) or erased.has_review(row["review_id"], row["source"])
        ),
        ("user_id", "review_id", "source"),
    )


def refused_of(quarantine: DataFrame, erased: Erased, sources: Sources) -> DataFrame:
    """Returns the places of records in bronze_reviews_quarantine that name an erased user or review.

    `sources` are those of the batches. A record of a batch without one may be of any source.
    """
    by_batch = dict(sources)
    named = _filter(
        quarantine.where("source_line IS NOT NULL").select(*PLACE, "raw_record"),
        lambda row: erased.is_named_in(row["raw_record"], by_batch.get(row["batch_id"])),
        ("raw_record", "batch_id"),
    )
    return named.select(*PLACE)


def labels_of(gold_labels: DataFrame, reviews: DataFrame, erased: Erased) -> DataFrame:
    """Returns the places of labels of erased reviews in bronze_gold_labels.

    A label whose source has no review of its id may be of any source, as for `label_records`.

    Args:
        gold_labels: bronze_gold_labels.
        reviews: bronze_reviews, the erased rows included.
        erased: What must stay erased.
    """
    own = reviews.select("review_id", F.col("source").alias("own_source")).distinct()
    is_own = (F.col("label.review_id") == F.col("own.review_id")) & (
        F.col("label.review_source") == F.col("own.own_source")
    )
    labels = gold_labels.alias("label").join(own.alias("own"), is_own, "left")
    return _filter(
        labels.select(F.lit("gold_labels").alias("feed_code"), *PLACE[1:], "label.review_id", "own_source"),
        lambda row: erased.has_review(row["review_id"], row["own_source"]),
        ("review_id", "own_source"),
    ).select(*PLACE)


def _filter(rows: DataFrame, is_erased: Callable[[dict[str, Any]], bool], names: tuple[str, ...]) -> DataFrame:
    schema = rows.schema
    out = arrow_schema(schema)

    def filter_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values = zip(*(batch.column(name).to_pylist() for name in names), strict=True)
            mask = pa.array([is_erased(dict(zip(names, row, strict=True))) for row in values], pa.bool_())
            yield pa.RecordBatch.from_arrays(batch.filter(mask).columns, schema=out)

    return rows.mapInArrow(filter_batches, schema)


def promote_rows(clusters: DataFrame, erased_rows: DataFrame, sources: Sources = MappingProxyType({})) -> DataFrame:
    """Returns the changed rows of records that shared a cluster with an erased record.

    The first remaining record of a cluster becomes its canonical record. The copies point to it, and its own edits are
    not copies any more. The first remaining record of a text represents the text. cluster_id stays, and so does the
    split.

    Args:
        clusters: silver_review_clusters, the erased records included.
        erased_rows: record_id of the erased records.
        sources: Source of each batch.

    Returns:
        Only rows that change: record_id, batch_id, created_at, text_hash; the new values of duplicate_of,
        duplicate_kind and is_first_of_text; is_promoted, whether a copy becomes a unique review; is_new_first, whether
        the record now represents its text.
    """
    erased_ids = F.broadcast(erased_rows.select("record_id").distinct())
    touched = clusters.join(erased_ids, "record_id", "left_semi").select("cluster_id").distinct()
    left = clusters.join(F.broadcast(touched), "cluster_id", "left_semi").join(erased_ids, "record_id", "left_anti")
    in_cluster = Window.partitionBy("cluster_id").orderBy(*_SEEN)
    of_text = Window.partitionBy(F.coalesce("text_hash", "record_id")).orderBy(*_SEEN)
    ranked = left.withColumn(
        "first", F.first(F.struct("record_id", "review_id", "batch_id")).over(in_cluster)
    ).withColumn("is_first", F.row_number().over(of_text) == 1)
    is_copy = (F.col("first.record_id") != F.col("record_id")) & ~is_same_review("first", sources)
    copy_of = F.when(is_copy, F.col("first.record_id"))
    kind = F.when(is_copy, F.when(F.col("is_first"), "near").otherwise("exact"))
    resolved = ranked.select(
        "record_id",
        "batch_id",
        "created_at",
        "text_hash",
        copy_of.alias("duplicate_of"),
        kind.alias("duplicate_kind"),
        F.col("is_first").alias("is_first_of_text"),
        (F.col("duplicate_of").isNotNull() & ~is_copy).alias("is_promoted"),
        (F.col("is_first") & ~F.col("is_first_of_text")).alias("is_new_first"),
        (
            F.col("duplicate_of").eqNullSafe(copy_of)
            & F.col("duplicate_kind").eqNullSafe(kind)
            & F.col("is_first_of_text").eqNullSafe(F.col("is_first"))
        ).alias("is_same"),
    )
    return resolved.where("NOT is_same").drop("is_same")


def linked_batches(clusters: DataFrame, erased_rows: DataFrame) -> DataFrame:
    """Returns batch_id of the batches with a record in a group of an erased record, or near one.

    Their gold_copy_facts change with the erasure.

    Args:
        clusters: silver_review_clusters, the erased records included.
        erased_rows: record_id of the erased records.
    """
    erased_ids = F.broadcast(erased_rows.select("record_id").distinct())
    touched = clusters.join(erased_ids, "record_id", "left_semi").select("cluster_id").distinct()
    in_group = clusters.join(F.broadcast(touched), "cluster_id", "left_semi").select("batch_id")
    near = clusters.select("batch_id", F.explode("near_clusters").alias("record_id"))
    return in_group.unionByName(near.join(erased_ids, "record_id", "left_semi").select("batch_id")).distinct()


def inherited_bands(
    bands: DataFrame, clusters: DataFrame, erased_rows: DataFrame, promoted_rows: DataFrame
) -> DataFrame:
    """Returns the rows of silver_minhash_bands for records that now represent a text.

    They are copied from the erased records, because equal texts have equal signatures.

    Args:
        bands: silver_minhash_bands, the erased records included.
        clusters: silver_review_clusters, the erased records included.
        erased_rows: record_id of the erased records.
        promoted_rows: the result of `promote_rows`.
    """
    signed = clusters.join(F.broadcast(erased_rows.select("record_id").distinct()), "record_id", "left_semi")
    of_text = bands.join(signed.select("record_id", "text_hash"), "record_id").select("text_hash", "band_hashes")
    new = promoted_rows.where("is_new_first").select("record_id", "created_at", "batch_id", "text_hash")
    return new.join(of_text, "text_hash").select("record_id", "created_at", "band_hashes", "batch_id")


def copy_of_products(texts: DataFrame, products: DataFrame) -> DataFrame:
    """Returns the product copy in gold_generated_texts that was written from data with an erased record.

    Their sources do not matter, because their keywords are the words of all reviews of the product up to their batch.

    Args:
        texts: gold_generated_texts.
        products: product_id, and first_batch, the first batch with an erased record of the product.
    """
    return _since(texts.where("record_id IS NULL"), products)


def newest_batches(reviews: DataFrame, products: DataFrame) -> DataFrame:
    """Returns batch_id of the newest batch of each product, from its first_batch on.

    Product copy that is written in this batch uses all its reviews.

    Args:
        reviews: unique reviews that remain.
        products: as in `copy_of_products`.
    """
    left = _since(reviews, products)
    return left.groupBy("product_id").agg(F.max("batch_id").alias("batch_id")).select("batch_id").distinct()


def _since(rows: DataFrame, products: DataFrame) -> DataFrame:
    first = F.broadcast(products.select("product_id", "first_batch"))
    return rows.join(first, "product_id").where("batch_id >= first_batch").drop("first_batch")
