"""Erases users and reviews: every row, file and table version that contains one of their records (docs/adr/0008).

The process can be killed at any moment without harm, because of the order of the steps. The ids are recorded first.
bronze_reviews is emptied after all other tables, because its rows are used to find theirs. An erasure is complete only
after the search of every file. A repeated step changes nothing, so the same command, or one without ids, resumes it.
"""

from pyspark.sql import functions as F

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.operations.erasure.deletion import (
    delete_bronze,
    delete_delivered,
    delete_derived,
    promote_duplicates,
    record_places,
    remove_corpora,
    renew_exports,
)
from reviewgen_spark.operations.erasure.erasure_run import BRONZE, ErasureRun
from reviewgen_spark.operations.erasure.landing import empty_landing
from reviewgen_spark.operations.erasure.model_lineage import models_of
from reviewgen_spark.operations.erasure.request import ErasureOutcome, ErasureRequest
from reviewgen_spark.operations.erasure.verification import delete_history, search_leftovers
from reviewgen_spark.orchestration.erasure_log import ErasureLog
from reviewgen_spark.orchestration.resources.user_key import user_key
from reviewgen_spark.orchestration.runner import Run
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.text.privacy.erasure_keys import Kind, erasure_key
from reviewgen_spark.transforms.erasure.affected_rows import (
    read_erased,
    records_of,
)
from reviewgen_spark.warehouse.batch_sources import batch_sources


def erase(run: Run, request: ErasureRequest, rewrite_landing: bool = False) -> ErasureOutcome:
    """Erases the users and reviews of a request, and finishes open erasures.

    Args:
        run: Run that holds the warehouse.
        request: Ids to erase, in all sources or in one; if it is empty, only open erasures are finished.
        rewrite_landing: Whether to empty the records in delivered files too; otherwise these files are only listed.
    """
    key: bytes = user_key(run.config).value
    written = run.ledger.written_versions()
    run.warehouse.converge(["ops_erasures", "bronze_erasures", *BRONZE], written)
    run.warehouse.require_whole(TABLES, written)  # a lost table may be restored later, with the erased rows
    read_erased(run.warehouse.read("ops_erasures"), key)  # raises for another secret key, before anything is written
    log = ErasureLog(run.warehouse, run.run_id)
    _check_source(run, request)
    requested = {erasure_key(kind, name, key, request.source): kind for kind, name in request.keyed}
    run.lease.check()
    log.append({hashed: kind for hashed, kind in requested.items() if hashed not in log.open}, "recorded", key)
    if not log.open:
        return ErasureOutcome()
    return _finish(ErasureRun(run, log, key, request), rewrite_landing)


def _check_source(run: Run, request: ErasureRequest) -> None:
    """Checks that the source of a request has delivered something, because a mistyped one would erase nothing.

    Raises:
        ConfigError: No batch is of this source, and it is not `ingest.source`.
    """
    known = {*batch_sources(run.warehouse).values(), run.config.ingest.source}
    if request.source is not None and request.source not in known:
        raise ConfigError(
            f"--source {request.source}: no review came from this source; known: {', '.join(sorted(known))}. Without "
            "--source, the ids are erased in all sources"
        )


def _finish(erasure: ErasureRun, rewrite_landing: bool) -> ErasureOutcome:
    """Runs all steps; `rewrite_landing` also empties the erased records of delivered files."""

    def landing(erasure: ErasureRun) -> None:
        rewritten, remaining = empty_landing(erasure.run, erasure.erased, erasure.sources, rewrite_landing)
        erasure.outcome.rewritten, erasure.outcome.landing = rewritten, remaining

    for name, step in (
        ("records", find_records),
        ("models and corpora", trace_models),
        ("places", record_places),
        ("refused and repeated records, gold labels", delete_delivered),
        ("duplicates", promote_duplicates),
        ("tables", delete_derived),
        ("exports", renew_exports),
        ("corpora", remove_corpora),
        ("bronze_reviews", delete_bronze),
        ("landing folder", landing),
        ("earlier versions", delete_history),
        ("search of every file", search_leftovers),
    ):
        erasure.run.lease.check()
        erasure.run.report(f"[erase] {name}")
        step(erasure)
        erasure.run.spark.catalog.clearCache()
    erasure.run.lease.check()
    erasure.outcome.models = erasure.log.models
    erasure.log.append(erasure.log.open, "done", erasure.key)
    return erasure.outcome


def find_records(erasure: ErasureRun) -> None:
    """Finds the records of the users and reviews, and the values to search for later.

    The reviews of a user are recorded too, because edits and labels may arrive later. They are recorded with their
    source, because another source may have a review of another user with the same id.
    """
    reviews = erasure.run.warehouse.read("bronze_reviews")
    erasure.rows = records_of(reviews, erasure.erased).collect()
    keys: dict[str, Kind] = {
        erasure_key("review", row.review_id, erasure.key, row.source): "review" for row in erasure.rows
    }
    if new := {hashed: kind for hashed, kind in keys.items() if hashed not in erasure.log.open}:
        erasure.log.append(new, "recorded", erasure.key)
        erasure.rows = records_of(reviews, erasure.erased).collect()  # also edits without a user id
    erasure.outcome.record_count = len(erasure.rows)
    batches = sorted({row.batch_id for row in erasure.rows})
    erased_rows = F.broadcast(erasure.erased_rows().select("record_id"))
    erasure.ids |= {row.record_id for row in erasure.rows} | {row.review_id for row in erasure.rows}
    erasure.ids |= {
        row.user_id for row in erasure.rows if row.user_id and erasure.erased.has_user(row.user_id, row.source)
    }
    erasure.values |= erasure.ids
    for name, columns in (
        ("bronze_reviews", ("title", "text_raw")),
        ("silver_reviews", ("title_clean", "text_clean")),
    ):
        if name in erasure.tables and batches:
            rows = (
                erasure.run.warehouse.read(name)
                .where(F.col("batch_id").isin(batches))
                .join(erased_rows, "record_id", "left_semi")
            )
            erasure.values |= {value for row in rows.select(*columns).collect() for value in row if value}


def trace_models(erasure: ErasureRun) -> None:
    """Records the models trained on the records. Runs before the removal of the corpora, because they show it."""
    if corpora := erasure.corpora():
        models = models_of(erasure.run.config, {folder.name for folder in corpora})
        erasure.log.append(erasure.log.open, "traced", erasure.key, models)
