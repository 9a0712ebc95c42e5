"""Counts the records of every table and checks that the sums match."""

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.transforms.ingest.batch_plan import active_slices
from reviewgen_spark.transforms.views import mark_current
from reviewgen_spark.warehouse.batch_sources import batch_sources
from reviewgen_spark.warehouse.tables import Warehouse


@dataclass(frozen=True)
class Counts:
    """Holds record counts by table. If the sums do not match, records were lost or written twice.

    `uncleaned` and `unclustered` are the batches that wait for clean and dedup. Until then these sums cannot match.
    """

    delivered: int
    bronze: int
    quarantined: int
    redelivered: int
    erased: int
    gold_labels: int
    clean: int
    refused: int
    unique: int
    duplicates: int
    current: int
    labelled: int
    label_errors: int
    uncleaned: int = 0
    unclustered: int = 0

    @property
    def faults(self) -> list[str]:
        """Returns a line for each sum that does not match."""
        faults = []
        counted = self.bronze + self.quarantined + self.redelivered + self.gold_labels + self.erased
        if self.delivered != counted:
            faults.append(f"{self.delivered:,} records were delivered, but the tables have {counted:,}")
        if not self.uncleaned and self.bronze != self.clean + self.refused:
            faults.append(f"{self.bronze:,} bronze reviews, but {self.clean + self.refused:,} were cleaned or refused")
        if not self.unclustered and self.clean != self.unique + self.duplicates:
            faults.append(
                f"{self.clean:,} clean reviews, but {self.unique + self.duplicates:,} are unique or duplicates"
            )
        return faults

    def lines(self) -> list[str]:
        """Returns the table that `reviewgen status --counts` prints."""
        waiting = [
            f"{count:,} batches wait for {stage}; `reviewgen run nightly` continues"
            for stage, count in (("clean", self.uncleaned), ("dedup", self.unclustered))
            if count
        ]
        return [
            f"records delivered      {self.delivered:>12,}",
            f"  = bronze reviews     {self.bronze:>12,}",
            f"  + gold labels        {self.gold_labels:>12,}",
            f"  + quarantined        {self.quarantined:>12,}",
            f"  + redelivered        {self.redelivered:>12,}",
            f"  + erased             {self.erased:>12,}   by `reviewgen erase`",
            f"bronze reviews         {self.bronze:>12,}",
            f"  = clean reviews      {self.clean:>12,}",
            f"  + broke a rule       {self.refused:>12,}   in silver_reviews_quarantine",
            f"clean reviews          {self.clean:>12,}",
            f"  = unique             {self.unique:>12,}",
            f"  + duplicates         {self.duplicates:>12,}",
            f"current                {self.current:>12,}   newest record of each review, copies included",
            f"labelled               {self.labelled:>12,}   of these {self.label_errors:,} with an error, no label",
            *waiting,
        ]


def count_records(warehouse: Warehouse) -> Counts:
    """Counts the rows of every table; no count is computed from another. A table that does not exist yet has none."""

    def read(name: str) -> DataFrame:
        return warehouse.read(name) if warehouse.exists(name) else warehouse.rows(name, [])

    ledger = Ledger(warehouse, "counts")
    cleaned, clustered = ledger.done("clean"), ledger.done("dedup")
    known = warehouse.records("ops_source_files").read() if warehouse.exists("ops_source_files") else []
    files = active_slices(known)
    clusters = read("silver_review_clusters")
    labels = read("gold_review_labels").agg(F.count("*"), F.count("error")).collect()[0]
    reviews = read("silver_reviews")
    return Counts(
        delivered=sum(row.last_row - row.first_row + 1 for row in files),
        bronze=read("bronze_reviews").count(),
        quarantined=read("bronze_reviews_quarantine").where("source_line IS NOT NULL").count(),
        redelivered=read("bronze_redeliveries").count(),
        erased=read("bronze_erasures").count(),
        gold_labels=read("bronze_gold_labels").count(),
        clean=reviews.count(),
        refused=read("silver_reviews_quarantine").count(),
        unique=clusters.where("duplicate_of IS NULL").count(),
        duplicates=clusters.where("duplicate_of IS NOT NULL").count(),
        current=mark_current(reviews, batch_sources(warehouse)).where("is_current").count(),
        labelled=labels[0],
        label_errors=labels[1],
        uncleaned=sum(batch not in cleaned for batch in ledger.done("ingest")),
        unclustered=sum(batch not in clustered for batch in cleaned),
    )
