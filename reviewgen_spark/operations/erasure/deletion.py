"""Deletes the erased records from tables, exports and corpora; each function is one step of an erasure."""

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.operations.erasure.erasure_run import BRONZE, CLUSTERS, ErasureRun
from reviewgen_spark.pipelines import all_stages
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.text.privacy.pii import pseudonym
from reviewgen_spark.transforms.dataframes import materialise
from reviewgen_spark.transforms.erasure.affected_rows import (
    PLACE,
    copy_of_products,
    inherited_bands,
    labels_of,
    linked_batches,
    newest_batches,
    promote_rows,
    refused_of,
)
from reviewgen_spark.transforms.tokens import unique_reviews
from reviewgen_spark.warehouse.tables import Deletion

_EXPORTS = "ops_text_exports"
_TEXTS = "gold_generated_texts"
_BANDS = "silver_minhash_bands"


def record_places(erasure: ErasureRun) -> None:
    """Records the file and row of each erased record in bronze_erasures.

    Counts then add up, and ingest skips these rows when it reads the file again.
    """
    erased_rows = F.broadcast(erasure.erased_rows().select("record_id"))
    reviews = F.lit("reviews").alias("feed_code")
    parts = [
        erasure.run.warehouse.read(name).join(erased_rows, "record_id", "left_semi").select(reviews, *PLACE[1:])
        for name in ("bronze_reviews", "bronze_redeliveries")
    ]
    refused = refused_of(erasure.run.warehouse.read("bronze_reviews_quarantine"), erasure.erased, erasure.sources)
    labels = _labels(erasure)
    places = parts[0].unionByName(parts[1]).unionByName(refused).unionByName(labels)
    places = materialise(places.distinct().withColumn("is_gone", F.lit(False)))
    erasure.run.warehouse.edit("bronze_erasures", places, PLACE)


def delete_delivered(erasure: ErasureRun) -> None:
    """Deletes refused records, repeated deliveries and gold labels."""
    quarantine = refused_of(erasure.run.warehouse.read("bronze_reviews_quarantine"), erasure.erased, erasure.sources)
    labels = _labels(erasure)
    repeated = erasure.run.warehouse.read("bronze_redeliveries").join(
        F.broadcast(erasure.erased_rows().select("record_id")), "record_id", "left_semi"
    )
    _reopen_facts(erasure, "facts", quarantine.select("batch_id").unionByName(repeated.select("batch_id")))
    erasure.delete(
        [
            Deletion("bronze_reviews_quarantine", materialise(quarantine), PLACE),
            Deletion("bronze_gold_labels", materialise(labels), PLACE[1:]),
            Deletion("bronze_redeliveries", erasure.erased_rows(), ("record_id",)),
        ]
    )


def _labels(erasure: ErasureRun) -> DataFrame:
    read = erasure.run.warehouse.read
    return labels_of(read("bronze_gold_labels"), read("bronze_reviews"), erasure.erased)


def promote_duplicates(erasure: ErasureRun) -> None:
    """Makes the next record of a cluster its first, and opens the batch of that record for later stages.

    Writes the signatures first, and the clusters last in one commit. If the process is killed in between, a rerun
    computes everything again.
    """
    if CLUSTERS not in erasure.tables or _BANDS not in erasure.tables or not erasure.rows:
        return
    clusters, bands = erasure.run.warehouse.read(CLUSTERS), erasure.run.warehouse.read(_BANDS)
    erased_rows = erasure.erased_rows().select("record_id").distinct()
    promoted_rows = materialise(promote_rows(clusters, erased_rows, erasure.sources))
    promoted_bands = materialise(inherited_bands(bands, clusters, erased_rows, promoted_rows)).withColumn(
        "is_gone", F.lit(False)
    )
    null_values = {
        field.name: F.lit(None).cast(field.dataType) for field in promoted_bands.schema if field.name != "record_id"
    }
    erased_bands = erased_rows.select("record_id", *(value.alias(name) for name, value in null_values.items()))
    erasure.run.warehouse.edit(
        _BANDS, promoted_bands.unionByName(erased_bands.withColumn("is_gone", F.lit(True))), ("record_id",)
    )
    promoted = promoted_rows.where("is_promoted").select("batch_id").distinct().collect()
    _redo(erasure, _after_clusters(), sorted(row.batch_id for row in promoted))
    _reopen_facts(erasure, "facts", promoted_rows.where("is_promoted"))
    _reopen_facts(erasure, "links", linked_batches(clusters, erased_rows))
    changes = ("duplicate_of", "duplicate_kind", "is_first_of_text")
    changed = promoted_rows.select("record_id", *changes, F.lit(False).alias("is_gone"))
    removed_rows = erased_rows.select(
        "record_id",
        *(F.lit(None).cast(clusters.schema[name].dataType).alias(name) for name in changes),
        F.lit(True).alias("is_gone"),
    )
    erasure.run.lease.check()
    erasure.run.warehouse.edit(
        CLUSTERS, materialise(changed.unionByName(removed_rows)), ("record_id",), updates=changes
    )
    erasure.outcome.tables.append(CLUSTERS)


def _redo(erasure: ErasureRun, stages: Iterable[str], batches: Iterable[int]) -> None:
    """Marks these stages as unfinished for these batches, so that the next nightly run computes only them again."""
    for batch in batches:
        for stage in stages:
            last = erasure.run.ledger.last(stage, batch)
            if last is not None and last.state == "succeeded":
                erasure.run.ledger.record(stage, batch, "started", last.fingerprint)


def _reopen_facts(erasure: ErasureRun, name: str, rows: DataFrame) -> None:
    """Deletes what a stage counted in the batches of these rows. The next nightly run counts them again.

    Runs before the rows change. So a resumed erasure need not find them again.
    """
    stage = next(stage for stage in all_stages() if stage.name == name)
    batches = materialise(rows.select("batch_id").distinct())
    _redo(erasure, [name], sorted(row.batch_id for row in batches.collect()))
    erasure.delete([Deletion(table, batches, ("batch_id",)) for table in stage.writes if table in erasure.tables])


def delete_derived(erasure: ErasureRun) -> None:
    """Deletes the rows of all derived tables by record, review or user.

    Rows aggregated by product are deleted too, because their counts may include an erased record.
    """
    if not erasure.rows:
        return  # An earlier run finished this step, because bronze_reviews is emptied after it.
    erased_rows = erasure.erased_rows()
    _reopen_facts(erasure, "facts", erased_rows)
    products = erasure.run.warehouse.read("bronze_reviews").join(
        F.broadcast(erased_rows.select("record_id")), "record_id", "left_semi"
    )
    products = materialise(products.groupBy("product_id").agg(F.min("batch_id").alias("first_batch")))
    users = {
        pseudonym(row.user_id, erasure.key) for row in erasure.rows if erasure.erased.has_user(row.user_id, row.source)
    }
    user_keys = erasure.run.spark.createDataFrame([(user,) for user in sorted(users)], "user_key string")
    deletions: list[Deletion] = []
    for name in erasure.tables:
        columns = TABLES[name].columns.names
        if name in (*BRONZE, "bronze_erasures", CLUSTERS) or name.startswith("ops_"):
            continue
        if "record_id" in columns:
            deletions.append(Deletion(name, erased_rows, ("record_id",)))
        elif "review_id" in columns:
            deletions.append(Deletion(name, erased_rows, ("review_id",)))
        elif "user_key" in columns:
            deletions.append(Deletion(name, user_keys, ("user_key",)))
        if "source_record_ids" in columns:
            source = F.explode("source_record_ids").alias("record_id")
            rows = erasure.run.warehouse.read(name).select(*TABLES[name].key, source)
            generated = materialise(rows.join(F.broadcast(erased_rows), "record_id", "left_semi"))
            deletions.append(Deletion(name, generated, TABLES[name].key))
        if name == _TEXTS:
            deletions.append(_copy_to_rewrite(erasure, products))
        if "product_id" in columns and not TABLES[name].is_review_level:
            deletions.append(Deletion(name, products, ("product_id",)))  # its counts may include erased records
    erasure.delete(deletions)
    erasure.outcome.exports = _exports_of_texts(erasure)


def _copy_to_rewrite(erasure: ErasureRun, products: DataFrame) -> Deletion:
    """Returns the deletion of the generated copy of these products.

    Opens a batch of each product before the deletion, because afterwards nothing shows which products had copy.
    """
    copy = materialise(copy_of_products(erasure.run.warehouse.read(_TEXTS), products))
    remaining = unique_reviews(erasure.run.warehouse.read("silver_reviews"), erasure.run.warehouse.read(CLUSTERS))
    written = products.join(F.broadcast(copy.select("product_id").distinct()), "product_id", "left_semi")
    batches = sorted(row.batch_id for row in newest_batches(remaining, written).collect())
    _redo(erasure, [TABLES[_TEXTS].stage], batches)
    return Deletion(_TEXTS, copy, TABLES[_TEXTS].key)


def _exports_of_texts(erasure: ErasureRun) -> list[str]:
    """Returns the exports of generated texts, if a deleted text was made from the records."""
    has_deleted_texts = any("source_record_ids" in TABLES[name].columns.names for name in erasure.outcome.tables)
    if not has_deleted_texts or _EXPORTS not in erasure.tables:
        return []
    exports = erasure.run.warehouse.read(_EXPORTS).orderBy("at").select("folder", "host", "at", "user_name").collect()
    return [f"{row.folder} on {row.host}, {row.at:%Y-%m-%d} by {row.user_name}" for row in exports]


def renew_exports(erasure: ErasureRun) -> None:
    """Exports again every batch that contained an erased record, or product copy that may be made from one."""
    batches = {row.batch_id for row in erasure.rows}
    for name in erasure.tables if batches else ():
        exported = erasure.run.warehouse.exported_batches(name)
        # Product copy uses reviews of earlier batches too.
        affected = [batch for batch in exported if batch in batches or (name == _TEXTS and batch > min(batches))]
        for batch in affected:
            erasure.run.lease.check()
            erasure.run.warehouse.export_batch(name, batch)


def remove_corpora(erasure: ErasureRun) -> None:
    """Removes the corpora that contain an erased record; the next training writes a new one.

    A corpus is not rewritten, because its fingerprint identifies its content. Staged files of a killed run, such as
    unpacked deliveries, are always removed.
    """
    erasure.run.artifacts.remove_staged()
    removed = erasure.corpora()
    for folder in removed:
        erasure.run.artifacts.remove(folder)
    if removed:
        erasure.run.artifacts.remove_unfinished()  # checkpoints, because a training cannot resume without its corpus


def delete_bronze(erasure: ErasureRun) -> None:
    """Deletes the erased rows of bronze_reviews. It is emptied last, because its rows are used to find the others."""
    erasure.delete([Deletion("bronze_reviews", erasure.erased_rows(), ("record_id",))])


def _after_clusters() -> list[str]:
    """Returns the batch stages that depend, directly or indirectly, on the clusters."""
    dependent, stages = {CLUSTERS}, []
    for stage in all_stages():
        if stage.scope == "batch" and stage.name not in ("ingest", "clean", "dedup") and dependent & set(stage.reads):
            dependent |= set(stage.writes)
            stages.append(stage.name)
    return stages
