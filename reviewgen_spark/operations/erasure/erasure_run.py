"""Holds the state that the steps of one erasure share."""

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame, Row

from reviewgen_spark.operations.erasure.model_lineage import corpora_with
from reviewgen_spark.operations.erasure.request import ErasureOutcome, ErasureRequest
from reviewgen_spark.orchestration.erasure_log import ErasureLog
from reviewgen_spark.orchestration.runner import Run
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.text.privacy.erasure_keys import Erased
from reviewgen_spark.warehouse.batch_sources import batch_sources
from reviewgen_spark.warehouse.tables import Deletion

BRONZE = ("bronze_reviews", "bronze_reviews_quarantine", "bronze_redeliveries", "bronze_gold_labels")
CLUSTERS = "silver_review_clusters"


class ErasureRun:
    """Holds the run, the open erasures, the rows to erase and the outcome so far.

    Attributes:
        run: Run that holds the warehouse.
        log: Log of the erasures.
        key: Secret key of the hashed ids.
        outcome: What was done so far.
        values: Ids and texts that no file may contain afterwards.
        ids: The ids of these values, which no name of a file may contain either.
        rows: Rows of bronze_reviews to erase.
        tables: Names of the existing tables.
        sources: Source of each batch.
    """

    def __init__(self, run: Run, log: ErasureLog, key: bytes, request: ErasureRequest) -> None:
        self.run, self.log, self.key = run, log, key
        self.outcome = ErasureOutcome()
        self.values: set[str] = set(request.users | request.reviews)
        self.ids: set[str] = set(self.values)
        self.rows: list[Row] = []
        self.sources = batch_sources(run.warehouse)
        self.tables = [name for name in TABLES if run.warehouse.exists(name)]

    @property
    def erased(self) -> Erased:
        """Returns the hashed ids of all open erasures."""
        names = {*self.sources.values(), self.run.config.ingest.source}
        return Erased(frozenset(self.log.open), self.key, sources=tuple(sorted(names)))

    def erased_rows(self) -> DataFrame:
        """Returns the keys of the rows to erase as a DataFrame."""
        return self.run.spark.createDataFrame(
            [tuple(row) for row in self.rows],
            "record_id string, review_id string, user_id string, batch_id bigint, source string",
        )

    def corpora(self) -> list[Path]:
        """Returns the corpora that contain a row to erase."""
        return corpora_with(self.run.config, {row.record_id for row in self.rows})

    def delete(self, deletions: Sequence[Deletion]) -> None:
        """Deletes rows of several tables, and adds the changed tables to the outcome."""
        self.outcome.tables += self.run.warehouse.delete_all(deletions, self.run.lease.check)
