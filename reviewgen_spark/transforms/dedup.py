"""Finds copies among clean reviews and assigns each review to a cluster, which never changes later."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.config import DedupSection
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema, to_batch
from reviewgen_spark.transforms.components import connect
from reviewgen_spark.transforms.dataframes import materialise, rows_that_share
from reviewgen_spark.transforms.review_keys import Sources, is_same_review

_SEEN = ("batch_id", "created_at", "record_id")  # first seen first
_ENDS = ("one_seen", "other_seen")


def cluster_reviews(
    reviews: DataFrame,
    clusters: DataFrame,
    bands: DataFrame,
    section: DedupSection,
    batch_id: int,
    sources: Sources = MappingProxyType({}),
) -> dict[str, DataFrame]:
    """Finds the copies of a batch's reviews, in the batch and in earlier batches; returns the tables of the stage.

    Exact copies share a text_hash. Near copies share a band of their MinHash signatures and have a true Jaccard
    similarity of at least `section.min_jaccard`. Texts whose difference turns the verdict (很好, 不好) are not near
    copies. Clusters are the connected components. The first-seen record of a cluster (lowest batch, then created_at,
    then record_id) is the canonical record. Its record_id is the cluster_id of every later record.

    Rows of earlier batches never change. A review near several earlier clusters joins the cluster that was seen first.
    `near_clusters` names the others, so that the split can keep the review out of train and test.

    A later record of the canonical record's *own* review is an edit, never a duplicate. It joins the cluster with
    `duplicate_of` null, so that it shares the split. A review without text is a cluster of its own. Rows in = rows
    out.

    Args:
        reviews: silver_reviews up to this batch: record_id, review_id, text_clean, text_hash, created_at, batch_id.
        clusters: silver_review_clusters of the earlier batches.
        bands: silver_minhash_bands of the earlier batches.
        section: Which copies to find, and the limits.
        batch_id: The batch.
        sources: Source of each batch. A record with the review_id of another source is no edit.
    """
    new = reviews.where(F.col("batch_id") == batch_id)
    columns = ("record_id", "review_id", "text_hash", "created_at", "batch_id")
    order = Window.partitionBy(F.coalesce("text_hash", "record_id")).orderBy("created_at", "record_id")
    known = clusters.where("is_first_of_text AND text_hash IS NOT NULL").select(
        "text_hash", F.struct("cluster_id", "near_clusters").alias("known")
    )
    texts = materialise(
        new.select(*columns, "text_clean")
        .withColumn("first_id", F.first("record_id").over(order))
        .join(rows_that_share(known, new, "text_hash"), "text_hash", "left")
    )
    signed = materialise(
        _sign(texts.where("known IS NULL AND text_hash IS NOT NULL AND first_id = record_id"), section)
    )
    components = _near(signed, bands, reviews, clusters, section, batch_id)
    # A text joins the cluster of an earlier batch, else that of its component. Otherwise it starts its own cluster.
    assigned = materialise(
        texts.join(components.withColumnRenamed("record_id", "first_id"), "first_id", "left").select(
            *columns,
            F.coalesce("known.cluster_id", "component_id", "first_id").alias("cluster_id"),
            F.coalesce("known.near_clusters", "component_near", F.array().cast("array<string>")).alias("near_clusters"),
            (F.col("known").isNull() & (F.col("record_id") == F.col("first_id"))).alias("is_first_of_text"),
        )
    )
    own = assigned.where("record_id = cluster_id").select(
        "cluster_id", F.struct("record_id", "review_id", "batch_id").alias("first")
    )
    earlier = _first(rows_that_share(clusters, assigned, "cluster_id"), "record_id", "review_id", "batch_id")
    is_duplicate = (F.col("first.record_id") != F.col("record_id")) & ~is_same_review("first", sources)
    kind = F.when(F.col("is_first_of_text"), "near").otherwise("exact")
    resolved = assigned.join(own.unionByName(earlier), "cluster_id", "left").select(
        *(F.col(name) for name in columns),
        "cluster_id",
        F.when(is_duplicate, F.col("first.record_id")).alias("duplicate_of"),
        F.when(is_duplicate, kind).alias("duplicate_kind"),
        "is_first_of_text",
        "near_clusters",
    )
    names = ("silver_review_clusters", "silver_minhash_bands")
    return {
        name: rows.select(*TABLES[name].columns.names) for name, rows in zip(names, (resolved, signed), strict=True)
    }


def _first(clusters: DataFrame, *columns: Column | str) -> DataFrame:
    """Returns cluster_id and `first`, these columns of the cluster's canonical record.

    The canonical record is the first record that is not a copy; the others are its edits. If the record that gave the
    cluster its id was erased, the next record replaces it.
    """
    seen, values = F.struct(*_SEEN), F.struct(*columns)
    canonical = clusters.where("duplicate_of IS NULL")
    return canonical.groupBy("cluster_id").agg(F.min_by(values, seen).alias("first"))


def _sign(reviews: DataFrame, section: DedupSection) -> DataFrame:
    """Computes the band hashes of each text; returns no rows if near copies are not searched."""
    schema = TABLES["silver_minhash_bands"].columns
    copied = [field.name for field in schema if field.name != "band_hashes"]
    if "near" not in section.kinds:
        return reviews.select(*copied, F.array().cast("array<bigint>").alias("band_hashes")).limit(0)

    def sign_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from reviewgen_spark.text.cleaning.cleaner import key_of
        from reviewgen_spark.text.similarity.minhash import MinHash

        minhash = MinHash(section.ngram, section.bands, section.rows)
        out = arrow_schema(schema)
        for batch in batches:
            hashes = minhash.band_hashes([key_of(text) for text in batch.column("text_clean").to_pylist()])
            columns: Mapping[str, Any] = {name: batch.column(name) for name in copied}
            offsets = pa.array(range(0, hashes.size + 1, section.bands), pa.int32())
            lists = pa.ListArray.from_arrays(offsets, pa.array(hashes.ravel()))
            yield to_batch({**columns, "band_hashes": lists.cast(out.field("band_hashes").type)}, out)

    return reviews.select(*copied, "text_clean").mapInArrow(sign_batches, schema)


def _near(
    signed: DataFrame, earlier: DataFrame, reviews: DataFrame, clusters: DataFrame, section: DedupSection, batch_id: int
) -> DataFrame:
    """Returns record_id, component_id and component_near of the new texts that are near another text."""
    if "near" not in section.kinds:
        return signed.select("record_id", F.lit("").alias("component_id"), F.array().alias("component_near")).limit(0)
    fresh, before = (rows.select(*_SEEN, F.explode("band_hashes").alias("band")) for rows in (signed, earlier))
    before = materialise(rows_that_share(before, fresh, "band"))
    fresh, before = (rows.select(F.struct(*_SEEN).alias("seen"), "band") for rows in (fresh, before))
    everything = fresh.unionByName(before)
    # Nine of ten bands belong to one text. They are counted first, as plain numbers, and left out of later shuffles.
    crowded = materialise(everything.groupBy("band").count().where("count > 1").select("band"))
    fresh, everything = (rows.join(F.broadcast(crowded), "band", "left_semi") for rows in (fresh, everything))
    # Each text of a bucket is paired with its first-seen and its last-seen text. A bucket of n texts gives 2n pairs,
    # not n^2. The aggregation starts before the shuffle, so a text that makes 5 % of the rows costs one row a task.
    buckets = (
        everything.groupBy("band")
        .agg(F.min("seen").alias("first"), F.max("seen").alias("last"))
        .where("first.record_id != last.record_id")
    )
    pairs = materialise(
        fresh.withColumnRenamed("seen", "one_seen")
        .join(buckets, "band")
        .select("one_seen", F.explode(F.array("first", "last")).alias("other_seen"))
        .where("one_seen.record_id != other_seen.record_id")
        # the later record of a pair is of this batch
        .select(F.greatest(*_ENDS).alias("one_seen"), F.least(*_ENDS).alias("other_seen"))
        .distinct()
        .select(F.col("one_seen.record_id").alias("one"), F.col("other_seen.record_id").alias("other"), "*")
    )
    ends = pairs.select(F.explode(F.array("one", "other")).alias("record_id"))
    text = materialise(rows_that_share(reviews.select("record_id", "text_clean"), ends, "record_id"))
    near = _verify(
        pairs.join(text.toDF("one", "one_text"), "one").join(text.toDF("other", "other_text"), "other"), section
    )
    # the cluster of an earlier record, and when that cluster was first seen
    old = pairs.where(F.col("other_seen.batch_id") < batch_id).select(F.col("other").alias("record_id"))
    earlier_clusters = rows_that_share(clusters.select("record_id", "cluster_id"), old, "record_id")
    first = _first(
        rows_that_share(clusters, earlier_clusters, "cluster_id"),
        "batch_id",
        "created_at",
        F.col("cluster_id").alias("record_id"),
    )
    seen_clusters = earlier_clusters.join(first, "cluster_id").select(
        F.col("record_id").alias("other"), F.col("first").alias("cluster_seen")
    )
    return materialise(connect(near.join(seen_clusters, "other", "left")))


def _verify(pairs: DataFrame, section: DedupSection) -> DataFrame:
    """Keeps the pairs of a true similarity of at least `section.min_jaccard` whose difference turns no verdict."""

    def verify_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from reviewgen_spark.text.cleaning.cleaner import key_of
        from reviewgen_spark.text.similarity.minhash import jaccard
        from reviewgen_spark.text.similarity.verdicts import turns_verdict

        for batch in batches:
            texts = list(zip(batch.column("one_text").to_pylist(), batch.column("other_text").to_pylist(), strict=True))
            similarities = jaccard([(key_of(one), key_of(other)) for one, other in texts], section.ngram)
            is_near = pa.array(
                [
                    similarity >= section.min_jaccard and not turns_verdict(*pair)
                    for similarity, pair in zip(similarities, texts, strict=True)
                ],
                pa.bool_(),
            )
            yield batch.select(columns).filter(is_near)

    columns = ["one", "one_seen", "other", "other_seen"]
    schema = ", ".join(f"{name} {pairs.schema[name].dataType.simpleString()}" for name in columns)
    return pairs.select(*columns, "one_text", "other_text").mapInArrow(verify_batches, schema)
