"""The right to erasure: every row, file and version that holds a user's or a review's records goes (docs/adr/0008).

The order makes a kill at any moment harmless: what must go is recorded first, bronze_reviews, which everything else is
found by, is emptied last, and the erasure counts as done only after the search of every file. Each step done twice
changes nothing more, so the same command, or one without any id, goes on from where the last one ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from reviewgen_spark.operations.erasure.landing import empty_landing
from reviewgen_spark.operations.erasure.model_lineage import corpora_with, models_of
from reviewgen_spark.operations.erasure.residual_scan import Values, search_files
from reviewgen_spark.orchestration.erasure_log import ErasureLog
from reviewgen_spark.orchestration.resources.user_key import user_key
from reviewgen_spark.orchestration.runner import Run
from reviewgen_spark.pipelines import all_stages
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.text.privacy.erasure_keys import Erased, Kind, erasure_key
from reviewgen_spark.text.privacy.pii import pseudonym
from reviewgen_spark.transforms.dataframes import materialise
from reviewgen_spark.transforms.erasure.affected_rows import (
    PLACE,
    copy_of_products,
    inherited_bands,
    labels_of,
    newest_batches,
    read_erased,
    records_of,
    refused_of,
    survivors,
)
from reviewgen_spark.transforms.tokens import unique_reviews
from reviewgen_spark.warehouse.table_files import forget_history
from reviewgen_spark.warehouse.tables import Deletion

_BRONZE = ("bronze_reviews", "bronze_reviews_quarantine", "bronze_redeliveries", "bronze_gold_labels")
_EXPORTS = "ops_text_exports"
_TEXTS = "gold_generated_texts"
_CLUSTERS, _BANDS = "silver_review_clusters", "silver_minhash_bands"


@dataclass(frozen=True)
class Request:
    """Who and what is to be erased; neither is ever printed."""

    users: frozenset[str] = frozenset()
    reviews: frozenset[str] = frozenset()

    @property
    def keyed(self) -> Iterable[tuple[Kind, str]]:
        """Kind and id of each."""
        yield from (("user", user) for user in sorted(self.users))
        yield from (("review", review) for review in sorted(self.reviews))


@dataclass
class Outcome:
    """What an erasure did, and what is left to do by hand.

    Attributes:
        record_count: records that were in bronze_reviews.
        tables: that held a row.
        landing: delivered files that still hold a record, with the lines.
        rewritten: delivered files whose records were emptied.
        models: models and model folders that learnt from the records, or perhaps did.
        exports: folders that generated texts were exported to, where one that went is made from the records.
        leftovers: files outside the landing folder that still hold an id or a text.
    """

    record_count: int = 0
    tables: list[str] = field(default_factory=list)
    landing: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What `reviewgen erase` prints."""
        lines = [f"{self.record_count:,} records erased; rows went from: {', '.join(self.tables) or 'no table'}"]
        lines += [f"emptied in the landing folder: {found}" for found in self.rewritten]
        lines += [f"still in the landing folder: {found}" for found in self.landing]
        lines += [f"trained on the records: {model}" for model in self.models]
        lines += [f"texts were exported, perhaps made from the records: {export}" for export in self.exports]
        lines += [f"still holds an id or a text: {file}" for file in self.leftovers]
        return lines


def erase(run: Run, request: Request, rewrite_landing: bool = False) -> Outcome:
    """Erase what the request names, and finish what an earlier one left open.

    Args:
        run: Holds the warehouse.
        request: May be empty: then only what is open is finished.
        rewrite_landing: Empty the records in delivered files too; else the files are listed.
    """
    key: bytes = user_key(run.config).value
    run.warehouse.converge(["ops_erasures", "bronze_erasures", *_BRONZE])
    read_erased(run.warehouse.read("ops_erasures"), key)  # refuses another secret before anything is written
    log = ErasureLog(run.warehouse, run.run_id)
    asked = {erasure_key(kind, name, key): kind for kind, name in request.keyed}
    run.lease.check()
    log.append({hashed: kind for hashed, kind in asked.items() if hashed not in log.open}, "recorded", key)
    if not log.open:
        return Outcome()
    return ErasureRun(run, log, key, request).finish(rewrite_landing)


class ErasureRun:
    """One pass over everything that may hold the records of the open erasures."""

    def __init__(self, run: Run, log: ErasureLog, key: bytes, request: Request) -> None:
        self._run, self._log, self._key, self._request = run, log, key, request
        self._warehouse, self._spark, self._config = run.warehouse, run.spark, run.config
        self._outcome = Outcome()
        self._values: set[str] = set(request.users | request.reviews)
        self._rows: list[Row] = []
        self._tables = [name for name in TABLES if self._warehouse.exists(name)]

    def finish(self, rewrite_landing: bool) -> Outcome:
        """Runs the steps that are left; `rewrite_landing` also empties the erased records of delivered files."""
        for name, step in (
            ("which records", self._find),
            ("models and corpora", self._trace),
            ("places", self._note_places),
            ("refused and repeated records, gold labels", self._delete_delivered),
            ("copies", self._promote),
            ("tables", self._delete_derived),
            ("exports", self._export),
            ("corpora", self._remove_corpora),
            ("bronze_reviews", self._delete_bronze),
            ("landing folder", lambda: self._empty_landing(rewrite_landing)),
            ("earlier versions", self._forget),
            ("search of every file", self._search),
        ):
            self._run.lease.check()
            self._run.report(f"[erase] {name}")
            step()
            self._spark.catalog.clearCache()
        self._run.lease.check()
        self._outcome.models = self._log.models
        self._log.append(self._log.open, "done", self._key)
        return self._outcome

    # -- finding -----------------------------------------------------------------------------------------------

    def _erased(self) -> Erased:
        return Erased(frozenset(self._log.open), self._key)

    def _find(self) -> None:
        """Records by user and review; the reviews of a user are recorded too, for edits and labels that come later."""
        reviews = self._warehouse.read("bronze_reviews")
        self._rows = records_of(reviews, self._erased()).collect()
        theirs: dict[str, Kind] = {erasure_key("review", row.review_id, self._key): "review" for row in self._rows}
        if new := {hashed: kind for hashed, kind in theirs.items() if hashed not in self._log.open}:
            self._log.append(new, "recorded", self._key)
            self._rows = records_of(reviews, self._erased()).collect()  # edits that name no user
        self._outcome.record_count = len(self._rows)
        batches = sorted({row.batch_id for row in self._rows})
        gone = F.broadcast(self._gone().select("record_id"))
        self._values |= {row.record_id for row in self._rows} | {row.review_id for row in self._rows}
        self._values |= {row.user_id for row in self._rows if row.user_id and self._erased().has_user(row.user_id)}
        for name, columns in (
            ("bronze_reviews", ("title", "text_raw")),
            ("silver_reviews", ("title_clean", "text_clean")),
        ):
            if name in self._tables and batches:
                found = (
                    self._warehouse.read(name)
                    .where(F.col("batch_id").isin(batches))
                    .join(gone, "record_id", "left_semi")
                )
                self._values |= {value for row in found.select(*columns).collect() for value in row if value}

    def _gone(self) -> DataFrame:
        return self._spark.createDataFrame(
            [tuple(row) for row in self._rows], "record_id string, review_id string, user_id string, batch_id bigint"
        )

    def _trace(self) -> None:
        """Models that learnt from the records, told before the corpora that say so are removed."""
        if corpora := self._corpora():
            models = models_of(self._config, {folder.name for folder in corpora})
            self._log.append(self._log.open, "traced", self._key, models)

    def _corpora(self) -> list[Path]:
        return corpora_with(self._config, {row.record_id for row in self._rows})

    # -- deleting ----------------------------------------------------------------------------------------------

    def _note_places(self) -> None:
        """Where the records were delivered, so that counts add up and a file that is read again gives none of them."""
        gone = F.broadcast(self._gone().select("record_id"))
        reviews = F.lit("reviews").alias("feed_code")
        parts = [
            self._warehouse.read(name).join(gone, "record_id", "left_semi").select(reviews, *PLACE[1:])
            for name in ("bronze_reviews", "bronze_redeliveries")
        ]
        refused = refused_of(self._warehouse.read("bronze_reviews_quarantine"), self._erased())
        labels = labels_of(self._warehouse.read("bronze_gold_labels"), self._erased())
        places = parts[0].unionByName(parts[1]).unionByName(refused).unionByName(labels)
        places = materialise(places.distinct().withColumn("is_gone", F.lit(False)))
        self._warehouse.edit("bronze_erasures", places, PLACE)

    def _delete_delivered(self) -> None:
        quarantine = refused_of(self._warehouse.read("bronze_reviews_quarantine"), self._erased())
        labels = labels_of(self._warehouse.read("bronze_gold_labels"), self._erased())
        self._delete(
            [
                Deletion("bronze_reviews_quarantine", materialise(quarantine), PLACE),
                Deletion("bronze_gold_labels", materialise(labels), PLACE[1:]),
                Deletion("bronze_redeliveries", self._gone(), ("record_id",)),
            ]
        )

    def _delete(self, deletions: Sequence[Deletion]) -> None:
        self._outcome.tables += self._warehouse.delete_all(deletions, self._run.lease.check)

    def _promote(self) -> None:
        """The next record of a cluster takes the place of one that goes; its batch is labelled and cut again.

        Signatures first and the clusters last, in one commit: until then all of it can be found out again.
        """
        if _CLUSTERS not in self._tables or _BANDS not in self._tables or not self._rows:
            return
        clusters, bands = self._warehouse.read(_CLUSTERS), self._warehouse.read(_BANDS)
        gone = self._gone().select("record_id").distinct()
        heirs = materialise(survivors(clusters, gone))
        heir_bands = materialise(inherited_bands(bands, clusters, gone, heirs)).withColumn("is_gone", F.lit(False))
        nothing = {
            field.name: F.lit(None).cast(field.dataType) for field in heir_bands.schema if field.name != "record_id"
        }
        gone_bands = gone.select("record_id", *(value.alias(name) for name, value in nothing.items()))
        self._warehouse.edit(
            _BANDS, heir_bands.unionByName(gone_bands.withColumn("is_gone", F.lit(True))), ("record_id",)
        )
        promoted = heirs.where("is_promoted").select("batch_id").distinct().collect()
        self._redo(_after_clusters(), sorted(row.batch_id for row in promoted))
        changes = ("duplicate_of", "duplicate_kind", "is_first_of_text")
        changed = heirs.select("record_id", *changes, F.lit(False).alias("is_gone"))
        leaving = gone.select(
            "record_id",
            *(F.lit(None).cast(clusters.schema[name].dataType).alias(name) for name in changes),
            F.lit(True).alias("is_gone"),
        )
        self._run.lease.check()
        self._warehouse.edit(_CLUSTERS, materialise(changed.unionByName(leaving)), ("record_id",), updates=changes)
        self._outcome.tables.append(_CLUSTERS)

    def _redo(self, stages: Iterable[str], batches: Iterable[int]) -> None:
        """Say that these stages are not finished for these batches: the next night completes them, and no other."""
        for batch in batches:
            for stage in stages:
                last = self._run.ledger.last(stage, batch)
                if last is not None and last.state == "succeeded":
                    self._run.ledger.record(stage, batch, "started", last.fingerprint)

    def _delete_derived(self) -> None:
        """Every other table, by the most telling of its columns; what is rolled up by product is made anew."""
        if not self._rows:
            return  # bronze_reviews, emptied after all of these, holds none: an earlier pass was here
        gone = self._gone()
        products = self._warehouse.read("bronze_reviews").join(
            F.broadcast(gone.select("record_id")), "record_id", "left_semi"
        )
        products = materialise(products.groupBy("product_id").agg(F.min("batch_id").alias("first_batch")))
        users = {pseudonym(row.user_id, self._key) for row in self._rows if self._erased().has_user(row.user_id)}
        user_keys = self._spark.createDataFrame([(user,) for user in sorted(users)], "user_key string")
        deletions: list[Deletion] = []
        for name in self._tables:
            columns = TABLES[name].columns.names
            if name in (*_BRONZE, "bronze_erasures", _CLUSTERS) or name.startswith("ops_"):
                continue
            if "record_id" in columns:
                deletions.append(Deletion(name, gone, ("record_id",)))
            elif "review_id" in columns:
                deletions.append(Deletion(name, gone, ("review_id",)))
            elif "user_key" in columns:
                deletions.append(Deletion(name, user_keys, ("user_key",)))
            if "source_record_ids" in columns:
                source = F.explode("source_record_ids").alias("record_id")
                rows = self._warehouse.read(name).select(*TABLES[name].key, source)
                made = materialise(rows.join(F.broadcast(gone), "record_id", "left_semi"))
                deletions.append(Deletion(name, made, TABLES[name].key))
            if name == _TEXTS:
                deletions.append(self._copy_to_rewrite(products))
            if "product_id" in columns and not TABLES[name].is_review_level:
                deletions.append(Deletion(name, products, ("product_id",)))  # its counts may hold them
        self._delete(deletions)
        self._outcome.exports = self._exports_of_texts()

    def _copy_to_rewrite(self, products: DataFrame) -> Deletion:
        """Copy of these products; a batch of each is opened before it goes, as nothing tells afterwards that it was."""
        copy = materialise(copy_of_products(self._warehouse.read(_TEXTS), products))
        left = unique_reviews(self._warehouse.read("silver_reviews"), self._warehouse.read(_CLUSTERS))
        written = products.join(F.broadcast(copy.select("product_id").distinct()), "product_id", "left_semi")
        batches = sorted(row.batch_id for row in newest_batches(left, written).collect())
        self._redo([TABLES[_TEXTS].stage], batches)
        return Deletion(_TEXTS, copy, TABLES[_TEXTS].key)

    def _exports_of_texts(self) -> list[str]:
        """Where generated texts were taken, if one that went is made from the records."""
        is_made_of_them = any("source_record_ids" in TABLES[name].columns.names for name in self._outcome.tables)
        if not is_made_of_them or _EXPORTS not in self._tables:
            return []
        made = self._warehouse.read(_EXPORTS).orderBy("at").select("folder", "host", "at", "user_name").collect()
        return [f"{row.folder} on {row.host}, {row.at:%Y-%m-%d} by {row.user_name}" for row in made]

    def _export(self) -> None:
        batches = {row.batch_id for row in self._rows}
        for name in self._tables if batches else ():
            exported = self._warehouse.exported_batches(name)
            # Copy of a product is made of reviews of earlier batches too.
            reached = [batch for batch in exported if batch in batches or (name == _TEXTS and batch > min(batches))]
            for batch in reached:
                self._run.lease.check()
                self._warehouse.export_batch(name, batch)

    def _remove_corpora(self) -> None:
        """A corpus is known by its fingerprint, so it is not rewritten; the next training writes another."""
        removed = self._corpora()
        for folder in removed:
            self._run.artifacts.remove(folder)
        if removed:
            self._run.artifacts.remove_unfinished()  # of trainings that can no more be gone on with

    def _delete_bronze(self) -> None:
        self._delete([Deletion("bronze_reviews", self._gone(), ("record_id",))])

    def _empty_landing(self, is_wanted: bool) -> None:
        self._outcome.rewritten, self._outcome.landing = empty_landing(self._run, self._erased(), is_wanted)

    # -- proving -----------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        for name in self._tables:
            if not name.startswith("ops_"):
                self._run.lease.check()
                forget_history(self._warehouse, name)

    def _search(self) -> None:
        """Look for ids and texts in every file; a cluster's name, or a text that others wrote too, may stay."""
        values = self._values - self._kept()
        paths = self._config.paths
        folders = [
            Path(path) for path in (paths.root, paths.warehouse, paths.exports, paths.artifacts) if "://" not in path
        ]
        landing = () if "://" in paths.landing else (Path(paths.landing),)
        self._outcome.leftovers = [str(file) for file in search_files(folders, Values(frozenset(values)), landing)]

    def _kept(self) -> set[str]:
        kept: set[str] = set()
        ids = F.broadcast(self._spark.createDataFrame([(value,) for value in sorted(self._values)], "value string"))
        places = {
            _CLUSTERS: F.concat(F.array("cluster_id"), "near_clusters"),
            "bronze_reviews": F.array("title", "text_raw"),
            "silver_reviews": F.array("title_clean", "text_clean"),
        }
        for name, found in places.items():
            if name in self._tables:
                rows = self._warehouse.read(name).select(F.explode(found).alias("value"))
                kept |= {row.value for row in rows.join(ids, "value", "left_semi").distinct().collect()}
        return kept


def _after_clusters() -> list[str]:
    """The batch stages that read, at first or second hand, which reviews are unique."""
    reached, stages = {_CLUSTERS}, []
    for stage in all_stages():
        if stage.scope == "batch" and stage.name not in ("ingest", "clean", "dedup") and reached & set(stage.reads):
            reached |= set(stage.writes)
            stages.append(stage.name)
    return stages
